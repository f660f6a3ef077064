//! Style sheets, scripts and the icon, as npm bundled them, inside the binary.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::LazyLock;

use rust_embed::Embed;
use serde::Deserialize;

const MANIFEST: &str = "manifest.json";

#[derive(Embed)]
#[folder = "assets/dist"]
struct Files;

/// The hashed names of what every page links.
#[derive(Debug, Deserialize)]
pub(crate) struct Bundle {
    /// The style sheet.
    #[serde(rename = "app.css")]
    pub(crate) style: String,
    /// The script.
    #[serde(rename = "app.js")]
    pub(crate) script: String,
    /// The icon.
    #[serde(rename = "icon.svg")]
    pub(crate) icon: String,
}

impl Bundle {
    /// Whether a name carries a hash of its content, so that it never means something else.
    pub(crate) fn is_hashed(&self, name: &str) -> bool {
        [&self.style, &self.script, &self.icon].into_iter().any(|known| known == name)
    }
}

static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| {
    let manifest = Files::get(MANIFEST).expect("the build script leaves a manifest");
    serde_json::from_slice(&manifest.data).expect("the manifest names style sheet, script and icon")
});

/// The names of the bundle inside this binary.
pub(crate) fn names() -> &'static Bundle {
    &BUNDLE
}

/// A file of the bundle.
pub(crate) struct File {
    /// Its content.
    pub(crate) bytes: Cow<'static, [u8]>,
    /// Names the content.
    pub(crate) tag: String,
}

/// A file by its name; compressed twins end in `.br` and `.gz`.
pub(crate) fn file(name: &str) -> Option<File> {
    let file = if name == MANIFEST { None } else { Files::get(name) }?;
    let tag = file.metadata.sha256_hash().iter().take(12).fold(String::new(), |mut tag, byte| {
        write!(tag, "{byte:02x}").expect("writing to a String never fails");
        tag
    });
    Some(File { bytes: file.data, tag })
}
