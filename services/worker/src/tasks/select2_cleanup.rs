//! `select2.cleanup`: cached answers that ran out go.

use queue::{Failure, Job};
use serde_json::Value;

use super::Tools;

/// Removes cached answers that ran out or are too old; answers how many went.
pub(super) async fn run(tools: Tools, _job: Job) -> Result<Value, Failure> {
    let counts = app::upkeep::clean_up_select2_cache(&tools.store, tools.select2_days).await?;
    tracing::info!(target: "upkeep", %counts, "cached answers were cleaned up");
    Ok(counts)
}
