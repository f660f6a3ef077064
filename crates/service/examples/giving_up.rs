//! A process whose work can never go on: it ends by itself, as a failure.

use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use service::{About, Context, HttpSettings, Mistakes, Process, ProcessSettings};

/// What can be set.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    process: ProcessSettings,
    http: HttpSettings,
}

impl service::Settings for Settings {
    fn process(&self) -> &ProcessSettings {
        &self.process
    }

    fn check(&self, mistakes: &mut Mistakes) {
        self.http.check(mistakes);
    }
}

async fn start(ctx: Context<Settings>) -> anyhow::Result<Process> {
    let end = ctx.drain.token();
    ctx.tasks.spawn("work", async move { end.cancel() });
    Ok(Process::new(&ctx))
}

fn main() -> ExitCode {
    let about = About { name: "giving_up", version: "0.1.0", defaults: include_str!("smallest.toml") };
    service::run(about, start)
}
