//! `account.cleanup`: what accounts keep for a time only goes, and limits of requests nobody is near.

use queue::{Failure, Job};
use serde::Serialize;

use super::Tools;

/// What a round did.
#[derive(Serialize)]
pub(super) struct CleanedUp {
    rounds: u32,
    buckets: i64,
}

/// Removes unfinished sign-ins, ceremonies, known browsers and links that ran out, and full buckets of requests; a repetition
/// finds none.
pub(super) async fn run(tools: Tools, _job: Job) -> Result<CleanedUp, Failure> {
    let days = tools.account_days;
    let rounds = app::upkeep::clean_up_accounts(&tools.store, days).await?;
    let buckets = app::rates::clean_up(&tools.store).await?;
    tracing::info!(target: "upkeep", rounds, days, buckets, "accounts were cleaned up");
    Ok(CleanedUp { rounds, buckets })
}
