//! From `start` to the last task.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures_util::future::{join_all, select_all};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::admin::Admin;
use crate::listener::Open;
use crate::telemetry::LogFilter;
use crate::{About, Context, Drain, Process, Settings, Tasks, client, metrics};

/// Settings and the files they came from.
pub(super) struct Loaded<S> {
    pub(super) settings: S,
    pub(super) files: Vec<PathBuf>,
}

/// A process that runs inside this program: a test's.
pub struct Running {
    /// Where its first listener is; `None` when it has none.
    pub address: Option<SocketAddr>,
    /// Where all of them are, in the order they were bound.
    pub addresses: Vec<SocketAddr>,
    /// Where its admin listener is.
    pub admin: SocketAddr,
    servers: Vec<Open>,
    admin_server: Open,
    drain: Drain,
    tasks: Tasks,
    drain_delay: Duration,
    stop_timeout: Duration,
}

/// Starts a process inside this program, on the current runtime and threads of its own; for tests.
///
/// Logs go where the program has set them up.
pub async fn spawn<S, F, Fut>(about: About, settings: S, start: F) -> anyhow::Result<Running>
where
    S: Settings,
    F: FnOnce(Context<S>) -> Fut,
    Fut: Future<Output = anyhow::Result<Process>>,
{
    client::install_crypto();
    launch(Context::new(about, settings), LogFilter::default(), start).await
}

/// Lives until a signal, then drains.
pub(super) async fn live<S, F, Fut>(
    about: About,
    loaded: Loaded<S>,
    filter: LogFilter,
    start: F,
) -> anyhow::Result<()>
where
    S: Settings,
    F: FnOnce(Context<S>) -> Fut,
    Fut: Future<Output = anyhow::Result<Process>>,
{
    let mut signals = Signals::listen()?;
    let ctx = Context::new(about, loaded.settings).with_files(loaded.files);
    let running = tokio::select! {
        running = launch(ctx, filter, start) => running?,
        () = signals.next() => return Ok(()),
    };
    tracing::info!(
        address = running.address.map(tracing::field::display),
        addresses = ?running.addresses,
        admin = %running.admin,
        "started"
    );
    let failure = tokio::select! {
        () = signals.next() => None,
        () = running.any_server_ended() => Some("a listener ended by itself"),
        () = running.drain.begun() => Some("the process gave up its work"),
    };
    tracing::info!("draining");
    tokio::select! {
        stopped = running.stop() => stopped?,
        () = signals.next() => bail!("a second signal cut the drain short"),
    }
    failure.map_or(Ok(()), |what| bail!(what))
}

async fn launch<S, F, Fut>(ctx: Context<S>, filter: LogFilter, start: F) -> anyhow::Result<Running>
where
    S: Settings,
    F: FnOnce(Context<S>) -> Fut,
    Fut: Future<Output = anyhow::Result<Process>>,
{
    let process_settings = ctx.settings.process().clone();
    let recorder = metrics::recorder()?;
    metrics::keep(&ctx.about, recorder.clone(), &ctx.tasks, ctx.drain.clone());
    let admin = Admin { readiness: ctx.readiness.clone(), metrics: recorder, filter };
    let admin_server = admin.bind(process_settings.admin_bind)?.open().await?;
    let (drain, tasks, readiness) = (ctx.drain.clone(), ctx.tasks.clone(), ctx.readiness.clone());
    let mut running = Running {
        address: None,
        addresses: Vec::new(),
        admin: admin_server.address,
        servers: Vec::new(),
        admin_server,
        drain,
        tasks,
        drain_delay: process_settings.drain_delay(),
        stop_timeout: process_settings.stop_timeout(),
    };
    let process = start(ctx).await.context("starting")?;
    for listener in process.listeners {
        running.servers.push(listener.open().await?);
    }
    running.addresses = running.servers.iter().map(|server| server.address).collect();
    running.address = running.addresses.first().copied();
    readiness.set_started();
    Ok(running)
}

impl Running {
    /// Drains as SIGTERM does: unready, delay, listeners closed, requests and tasks ended.
    ///
    /// # Errors
    /// When tasks did not end within `process.stop_timeout_ms` and were cut off.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.drain.begin();
        tokio::time::sleep(self.drain_delay).await;
        let limit = Instant::now() + self.stop_timeout;
        join_all(self.servers.iter().map(Open::drain)).await;
        let finished = self.tasks.finish(limit.saturating_duration_since(Instant::now())).await;
        self.admin_server.drain().await;
        if !finished {
            bail!("tasks did not end in time and were cut off");
        }
        Ok(())
    }

    /// Resolves when a listener's threads are gone, which nobody asked for.
    async fn any_server_ended(&self) {
        let servers = self.servers.iter().chain([&self.admin_server]);
        select_all(servers.map(|server| Box::pin(server.ended()))).await;
    }
}

impl Drop for Running {
    /// Cuts everything off that [`Running::stop`] did not end.
    fn drop(&mut self) {
        self.drain.begin();
        self.tasks.abort();
        self.servers.iter().chain([&self.admin_server]).for_each(Open::abort);
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Running")
            .field("address", &self.address)
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}

/// The signals that end a process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        Ok(Self { terminate, interrupt })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
