//! Keeps service processes running: starts them, writes their logs, starts them again when they end.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::say;

/// The longest pause between two starts.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A process that ran this long starts again at once.
const STEADY_AFTER: Duration = Duration::from_secs(10);

/// How long a process may drain before it is killed.
const DRAIN_MAX: Duration = Duration::from_secs(35);

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Its name among the processes.
    pub(crate) name: String,
    /// The executable.
    pub(crate) executable: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// Where its output goes.
    pub(crate) log: PathBuf,
    /// The port of its admin listener.
    pub(crate) admin_port: u16,
    /// The pause after the first unexpected end; doubled each time.
    pub(crate) restart_pause: Duration,
}

impl Program {
    fn start(&self) -> Result<Child> {
        let output = self.open_log()?;
        let errors = output.try_clone().context("sharing the log file")?;
        Command::new(&self.executable)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            // Ctrl-C reaches the whole foreground group; we pass it on ourselves, in order.
            .process_group(0)
            .spawn()
            .with_context(|| {
                format!("starting {}; build it first with `make build`", self.executable.display())
            })
    }

    fn open_log(&self) -> Result<File> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("opening {}", self.log.display()))
    }
}

/// Runs a program until `stop` says so; tells `started` each process id.
pub(crate) async fn keep_running(
    program: Program,
    mut stop: watch::Receiver<bool>,
    started: impl Fn(&str, u32),
) -> Result<()> {
    let mut pause = program.restart_pause;
    while !*stop.borrow() {
        let began = Instant::now();
        let mut child = program.start()?;
        if let Some(pid) = child.id() {
            started(&program.name, pid);
        }
        tokio::select! {
            ended = child.wait() => {
                let status = ended.with_context(|| format!("waiting for {}", program.name))?;
                if began.elapsed() > STEADY_AFTER {
                    pause = program.restart_pause;
                }
                say::notice(&format!("{} ended ({status}); starting it again; its log: {}", program.name, program.log.display()));
                tokio::select! {
                    () = sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
                    _changed = stop.changed() => {}
                }
            }
            _changed = stop.changed() => end(&program.name, &mut child).await?,
        }
    }
    Ok(())
}

/// Asks a process to drain, and kills it when it does not.
async fn end(name: &str, child: &mut Child) -> Result<()> {
    if let Some(pid) = child.id() {
        signal(pid, Signal::TERM);
    }
    if timeout(DRAIN_MAX, child.wait()).await.is_err() {
        say::notice(&format!("{name} did not drain in {} s and was killed", DRAIN_MAX.as_secs()));
        child.kill().await.with_context(|| format!("killing {name}"))?;
    }
    Ok(())
}

/// Sends a signal to a process; one that is gone already is fine.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    if let Err(error) = kill_process(pid, signal) {
        tracing::debug!(%error, "the process is gone");
    }
}
