//! `rate_limit.cleanup`: attempts to sign in that are too old to count or to be looked at go.

use queue::{Failure, Job};
use serde::Serialize;

use super::Tools;

/// What a round did.
#[derive(Serialize)]
pub(super) struct CleanedUp {
    deleted_count: i64,
}

/// Removes old attempts; a repetition finds none.
pub(super) async fn run(tools: Tools, _job: Job) -> Result<CleanedUp, Failure> {
    let days = tools.rate_limit_days;
    let deleted_count = app::upkeep::clean_up_sign_in_attempts(&tools.store, days).await?;
    tracing::info!(target: "upkeep", deleted = deleted_count, days, "attempts to sign in were cleaned up");
    Ok(CleanedUp { deleted_count })
}
