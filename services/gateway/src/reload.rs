//! Routes, upstreams, inspection and certificates are replaced while requests pass: on SIGHUP, and when a file changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws_lc_rs::digest;
use service::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, interval};

use crate::gate::Gate;
use crate::settings::Settings;
use crate::tls::Keys;

/// The sections that are taken over; all others need a restart.
const REPLACED: [&str; 3] = ["routes", "upstreams", "inspection"];

/// What is read again.
#[derive(Clone, Copy, Debug)]
enum Part {
    Settings,
    Certificate,
}

/// Reads settings and keys again until the drain.
pub(crate) struct Reload {
    ctx: Context<Settings>,
    gate: Arc<Gate>,
    keys: Option<Arc<Keys>>,
    hangup: Signal,
    /// The settings as they were read last.
    settings: Settings,
}

impl Reload {
    /// Listens for SIGHUP from here on.
    pub(crate) fn new(
        ctx: Context<Settings>,
        gate: Arc<Gate>,
        keys: Option<Arc<Keys>>,
    ) -> anyhow::Result<Self> {
        let hangup = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
        let settings = ctx.settings.clone();
        Ok(Self { ctx, gate, keys, hangup, settings })
    }

    /// Works until the drain begins.
    pub(crate) async fn work(mut self) {
        let drain = self.ctx.drain.clone();
        let mut ticks = ticks(self.settings.reload.poll_ms);
        let mut seen = Fingerprint::of(&self.files()).await;
        loop {
            tokio::select! {
                () = drain.begun() => return,
                Some(()) = self.hangup.recv() => {}
                () = next(&mut ticks) => {
                    if Fingerprint::of(&self.files()).await == seen {
                        continue;
                    }
                }
            }
            seen = Fingerprint::of(&self.files()).await;
            self.reload();
        }
    }

    /// The files that may change.
    fn files(&self) -> Vec<PathBuf> {
        let tls = &self.settings.tls;
        let keys = [&tls.certificate_file, &tls.key_file];
        let keys = keys.into_iter().filter(|file| !file.as_os_str().is_empty());
        self.ctx.settings_files.iter().chain(keys).cloned().collect()
    }

    fn reload(&mut self) {
        report(Part::Settings, self.take_settings());
        if let Some(keys) = &self.keys {
            report(Part::Certificate, keys.renew(&self.settings.tls));
        }
    }

    /// Takes the settings over, or leaves everything as it is.
    fn take_settings(&mut self) -> anyhow::Result<()> {
        let settings = self.ctx.read_settings().map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?;
        self.gate.renew(&settings)?;
        for section in changed_sections(&self.settings, &settings)? {
            if !REPLACED.contains(&section.as_str()) {
                tracing::warn!(section, "this section of the settings changed, which needs a restart");
            }
        }
        let tls = self.settings.tls.clone();
        self.settings = Settings { tls, ..settings };
        Ok(())
    }
}

/// The top-level sections in which two settings differ; secrets are masked in both.
fn changed_sections(old: &Settings, new: &Settings) -> anyhow::Result<Vec<String>> {
    let sections = |settings: &Settings| {
        let value = serde_json::to_value(settings).context("comparing the settings")?;
        let serde_json::Value::Object(sections) = value else {
            anyhow::bail!("the settings have no sections");
        };
        anyhow::Ok(sections)
    };
    let (old, new) = (sections(old)?, sections(new)?);
    let differs = |(name, value): &(String, serde_json::Value)| old.get(name) != Some(value);
    Ok(new.into_iter().filter(differs).map(|(name, _value)| name).collect())
}

fn report(part: Part, outcome: anyhow::Result<()>) {
    let part = match part {
        Part::Settings => "settings",
        Part::Certificate => "certificate",
    };
    let label = if outcome.is_ok() { "taken" } else { "refused" };
    metrics::counter!("gateway_reloads_total", "part" => part, "outcome" => label).increment(1);
    match outcome {
        Ok(()) => tracing::info!(part, "read again and taken"),
        Err(error) => tracing::warn!(
            part,
            error.chain = format!("{error:#}"),
            "read again and refused: the last good state stays"
        ),
    }
}

fn ticks(poll_ms: u64) -> Option<Interval> {
    (poll_ms > 0).then(|| interval(Duration::from_millis(poll_ms)))
}

async fn next(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => drop(ticks.tick().await),
        None => std::future::pending().await,
    }
}

/// What stood in files; one that cannot be read is a state of its own.
#[derive(Debug, PartialEq, Eq)]
struct Fingerprint(Vec<Option<Vec<u8>>>);

impl Fingerprint {
    async fn of(files: &[PathBuf]) -> Self {
        let mut digests = Vec::with_capacity(files.len());
        for file in files {
            digests.push(digest_of(file).await);
        }
        Self(digests)
    }
}

async fn digest_of(file: &Path) -> Option<Vec<u8>> {
    let content = tokio::fs::read(file).await.ok()?;
    Some(digest::digest(&digest::SHA256, &content).as_ref().to_vec())
}
