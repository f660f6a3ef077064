//! The life of a process: arguments, settings, telemetry, `start`, waiting, drain.

mod arguments;
mod life;

use std::future::Future;
use std::process::ExitCode;

use anyhow::Context as _;

pub use life::{Running, spawn};

use life::Loaded;

use crate::telemetry::Telemetry;
use crate::{About, Context, Mistakes, Process, Settings, client, load_settings, panics};
use arguments::{Action, Arguments};

/// Runs a service binary from its arguments to its exit code; `main` calls nothing else.
///
/// `serve` is the default; `config check` and `config print` look at the settings and end; `version` says which build
/// this is. SIGTERM and SIGINT drain and exit with 0, a second one ends at once with 1.
pub fn run<S, F, Fut>(about: About, start: F) -> ExitCode
where
    S: Settings,
    F: FnOnce(Context<S>) -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<Process>>,
{
    let arguments = Arguments::parse(&about);
    if arguments.action == Action::Version {
        return arguments::say(&format!("{} {}", about.name, about.version));
    }
    let settings = match load_settings::<S>(&about, &arguments.files, std::env::vars()) {
        Ok(settings) => settings,
        Err(mistakes) => return refuse(&mistakes),
    };
    let shown = match toml::to_string_pretty(&settings) {
        Ok(shown) => shown,
        Err(error) => return arguments::complain(&format!("the settings cannot be shown: {error}")),
    };
    match arguments.action {
        Action::Check => arguments::say("the settings are right"),
        Action::Print => arguments::say(&shown),
        Action::Serve | Action::Version => {
            serve(about, Loaded { settings, files: arguments.files }, &shown, start)
        }
    }
}

fn refuse(mistakes: &Mistakes) -> ExitCode {
    arguments::complain(&format!("the settings are wrong:\n{mistakes}"))
}

fn serve<S, F, Fut>(about: About, loaded: Loaded<S>, shown: &str, start: F) -> ExitCode
where
    S: Settings,
    F: FnOnce(Context<S>) -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<Process>>,
{
    client::install_crypto();
    let telemetry = match Telemetry::start(&about, loaded.settings.process()) {
        Ok(telemetry) => telemetry,
        Err(error) => return arguments::complain(&format!("telemetry did not start: {error:#}")),
    };
    panics::log_panics();
    tracing::info!(service.name = about.name, service.version = about.version, settings = shown, "starting");
    let filter = telemetry.filter();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("building the runtime")
        .and_then(|runtime| {
            let outcome = runtime.block_on(life::live(about, loaded, filter, start));
            runtime.shutdown_background();
            outcome
        });
    let code = match outcome {
        Ok(()) => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(error.chain = format!("{error:#}"), "the process failed");
            ExitCode::FAILURE
        }
    };
    telemetry.flush();
    code
}
