//! `select2.refresh`: whole lists whose tables changed are made anew.

use queue::{Failure, Job};
use serde_json::Value;

use super::Tools;

/// Refreshes the lists that changed; answers which. Where another refresh is at work nothing is done: what it does not see
/// stays marked for the next time.
pub(super) async fn run(tools: Tools, _job: Job) -> Result<Value, Failure> {
    let refreshed = app::upkeep::refresh_select2_views(&tools.store).await?;
    tracing::debug!(target: "upkeep", %refreshed, "lists were refreshed");
    Ok(refreshed)
}
