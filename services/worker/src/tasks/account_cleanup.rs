//! `account.cleanup`: what accounts keep for a time only goes.

use queue::{Failure, Job};
use serde::Serialize;

use super::Tools;

/// What a round did.
#[derive(Serialize)]
pub(super) struct CleanedUp {
    rounds: u32,
}

/// Removes unfinished sign-ins, ceremonies, known browsers and links that ran out; a repetition finds none.
pub(super) async fn run(tools: Tools, _job: Job) -> Result<CleanedUp, Failure> {
    let days = tools.account_days;
    let rounds = app::upkeep::clean_up_accounts(&tools.store, days).await?;
    tracing::info!(target: "upkeep", rounds, days, "accounts were cleaned up");
    Ok(CleanedUp { rounds })
}
