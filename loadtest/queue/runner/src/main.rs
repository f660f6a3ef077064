//! One binary for every Rust side of the queue benchmark: `queue-bench SYSTEM COMMAND ARGUMENTS…`.
//!
//! Each command gets ready, says so, and waits for a line on its standard input before it begins, so that the time a
//! process takes to start is nobody's figure. See the README one folder up for the lines it prints.

mod bare;
mod crate_graphile;
mod ours;
mod produce;
mod proof;
mod tally;

use anyhow::{Result, bail};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<()> {
    // The harness keeps the last of it for its error messages.
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::WARN.into())
        .from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["ours", rest @ ..] => ours::run(rest).await,
        ["graphile-worker-crate", rest @ ..] => crate_graphile::run(rest).await,
        ["bare", rest @ ..] => bare::run(rest).await,
        ["proof", rest @ ..] => proof::run(rest).await,
        _ => bail!("use: queue-bench ours|graphile-worker-crate|bare|proof COMMAND …"),
    }
}

/// Where the database is; the password stays out of the command line.
fn database_url() -> Result<String> {
    std::env::var("DATABASE_URL").map_err(|_| anyhow::anyhow!("set DATABASE_URL"))
}
