//! Settings: the sections every process shares, and the trait of a process's own.

mod environment;
mod fit;
mod load;
mod mistakes;
mod secret_files;
mod sections;

pub use load::load_settings;
pub use mistakes::{Mistake, Mistakes};
pub use sections::{
    Environment, HttpClientSettings, HttpSettings, LogFormat, ProcessSettings, TrustSettings,
};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Settings of one process: plain nested structs that deny unknown fields, documented in its `default.toml`.
pub trait Settings: DeserializeOwned + Serialize + Clone + Send + Sync + 'static {
    /// The section every process has.
    fn process(&self) -> &ProcessSettings;

    /// Adds what a single field cannot say: weak secrets, limits that contradict each other.
    ///
    /// `[process]` is checked already; the other shared sections have a `check` of their own to call from here.
    fn check(&self, mistakes: &mut Mistakes);
}
