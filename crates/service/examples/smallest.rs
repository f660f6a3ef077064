//! The smallest process: one address, nothing behind it.

use std::process::ExitCode;

use actix_web::web;
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
    let http = ctx.settings.http.clone();
    Process::new(&ctx).serve(&http, |routes| {
        routes.service(web::resource("/greetings/{name}").get(greet));
    })
}

async fn greet(name: service::extract::Path<String>) -> String {
    format!("Good morning, {}.\n", *name)
}

fn main() -> ExitCode {
    let about = About { name: "smallest", version: "0.1.0", defaults: include_str!("smallest.toml") };
    service::run(about, start)
}
