//! `audit.seal`: new lines of the trails are added to their chain.

use queue::{Failure, Job};
use serde_json::{Value, json};

use super::Tools;

/// Seals what waits; answers how many lines.
pub(super) async fn run(tools: Tools, _job: Job) -> Result<Value, Failure> {
    let sealed = app::trail::seal(&tools.store).await?;
    if sealed > 0 {
        tracing::info!(target: "upkeep", lines = sealed, "lines of the trails were sealed");
    }
    Ok(json!({ "sealed": sealed }))
}
