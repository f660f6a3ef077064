//! The settings of web; `default.toml` documents every key.

use anyhow::{Context as _, ensure};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use service::{HttpClientSettings, HttpSettings, Mistakes, ProcessSettings, TrustSettings};
use store::DatabaseSettings;

use crate::uploads::FileSettings;

/// All sections.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What every process has.
    pub process: ProcessSettings,
    /// The listener for requests.
    pub http: HttpSettings,
    /// Calls to auth.
    pub http_client: HttpClientSettings,
    /// Whom to believe.
    pub trust: TrustSettings,
    /// Where the data is.
    pub database: DatabaseSettings,
    /// The other processes.
    pub upstreams: UpstreamSettings,
    /// Sizes of look-ups.
    pub lookups: LookupSettings,
    /// Forms that ask for a new proof of who sits there.
    pub step_up: StepUpSettings,
    /// What requests may cost.
    pub limits: LimitSettings,
    /// Files at tickets.
    pub files: FileSettings,
}

/// `[upstreams]`: the other processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamSettings {
    /// Where auth answers, such as `http://auth:7101`.
    pub auth: String,
}

impl UpstreamSettings {
    /// The address at which auth answers.
    pub(crate) fn auth(&self) -> anyhow::Result<Url> {
        let base = Url::parse(&self.auth).context("reading upstreams.auth")?;
        ensure!(matches!(base.scheme(), "http" | "https"), "upstreams.auth is not an HTTP address");
        Ok(base)
    }
}

/// `[lookups]`: sizes of look-ups.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupSettings {
    /// Choices a look-up of people answers with at most.
    pub people_max: u16,
}

/// `[step_up]`: forms that ask for a new proof of who sits there.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepUpSettings {
    /// Seconds for which a proof opens such a form.
    pub fresh_seconds: u64,
}

/// `[limits]`: what requests may cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// Largest body that is read whole: JSON and forms.
    pub body_bytes_max: usize,
}

/// Bytes of an upload around its file.
const AROUND_FILE_BYTES: usize = 65_536;

impl service::Settings for Settings {
    fn process(&self) -> &ProcessSettings {
        &self.process
    }

    fn check(&self, mistakes: &mut Mistakes) {
        self.http.check(mistakes);
        self.http_client.check(mistakes);
        self.trust.check(mistakes);
        self.database.check(|key, what| mistakes.add(format!("database.{key}"), what));
        mistakes.secret("database.password", &self.database.password);
        if self.upstreams.auth().is_err() {
            mistakes.add("upstreams.auth", "name it as http://host:port or https://host:port");
        }
        mistakes.range("lookups.people_max", self.lookups.people_max, 1..=app::person::CHOICES_MAX);
        mistakes.range("step_up.fresh_seconds", self.step_up.fresh_seconds, 30..=3_600);
        mistakes.range("limits.body_bytes_max", self.limits.body_bytes_max, 1..=self.http.body_bytes_max);
        self.files.check(self.process.environment, mistakes);
        let largest = usize::try_from(self.files.largest()).unwrap_or(usize::MAX);
        if self.http.body_bytes_max < largest.saturating_add(AROUND_FILE_BYTES) {
            let what = "must be the largest file of [files] and 65536 bytes more, at least";
            mistakes.add("http.body_bytes_max", what);
        }
    }
}
