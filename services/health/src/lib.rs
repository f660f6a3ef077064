#![doc = include_str!("../README.md")]

mod board;
mod broker;
mod cause;
mod database;
mod endpoint;
mod finding;
mod metrics;
mod probe;
mod report;
mod routes;
mod session;
mod settings;
mod targets;
mod task_queue;

use std::time::Instant;

use actix_web::web;
use service::{About, Context, Process};

use crate::board::Board;
use crate::routes::State;
pub use crate::settings::{
    BrokerSettings, DatabaseSettings, ProbeSettings, ServiceSettings, Settings, TaskQueueSettings, Tls,
};

/// Name, version and defaults of this service.
pub fn about() -> About {
    service::about!()
}

/// Starts one prober per target and answers from what they saw.
///
/// # Errors
///
/// When the certificate authorities cannot be read or the address is taken.
#[expect(clippy::unused_async, reason = "`service::run` awaits the start of every process")]
pub async fn start(ctx: Context<Settings>) -> anyhow::Result<Process> {
    metrics::describe();
    let board = start_probers(&ctx)?;
    let filled = board.clone();
    ctx.readiness.add("probers", move || {
        let answer =
            if filled.is_filled() { Ok(()) } else { Err("some targets were not asked yet".to_owned()) };
        std::future::ready(answer)
    });
    let state = web::Data::new(State {
        board,
        clock: ctx.clock.clone(),
        started: Instant::now(),
        version: ctx.about.version,
    });
    Process::new(&ctx).serve(&ctx.settings.http, move |config| {
        config.app_data(state.clone());
        routes::configure(config);
    })
}

/// Probers go on until the listeners close, so that the last answers of a draining process are as good as its first.
fn start_probers(ctx: &Context<Settings>) -> anyhow::Result<Board> {
    let client = service::http_client(&ctx.settings.http_client)?;
    let pace = ctx.settings.probe;
    let mut board = Board::new(pace.stale_after());
    for target in targets::targets(&ctx.settings, &client, &ctx.tasks)? {
        let sender = board.add(&target);
        let asking = probe::watch_target(target, pace, ctx.clock.clone(), sender);
        let drain = ctx.drain.clone();
        let goes_on = ctx.settings.process.drain_delay();
        ctx.tasks.spawn("prober", async move {
            tokio::select! {
                () = asking => {}
                () = async { drain.begun().await; tokio::time::sleep(goes_on).await } => {}
            }
        });
    }
    Ok(board)
}
