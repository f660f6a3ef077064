//! What a binary knows about itself.

/// Name, version and documented defaults of a binary; [`about!`](crate::about) fills it.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The crate's name, such as `gateway`.
    pub name: &'static str,
    /// The crate's version.
    pub version: &'static str,
    /// The text of the crate's `default.toml`.
    pub defaults: &'static str,
}

/// Describes the crate it is called in: its name, its version, its `default.toml`.
#[macro_export]
macro_rules! about {
    () => {
        $crate::About {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            defaults: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/default.toml")),
        }
    };
}
