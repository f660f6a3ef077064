//! `session.cleanup`: sessions that have ended go.

use queue::{Failure, Job};
use serde_json::Value;

use super::Tools;

/// Removes ended sessions; answers how many went and how many are left.
pub(super) async fn run(tools: Tools, _job: Job) -> Result<Value, Failure> {
    let counts = app::upkeep::clean_up_sessions(&tools.store).await?;
    tracing::info!(target: "upkeep", %counts, "sessions were cleaned up");
    Ok(counts)
}
