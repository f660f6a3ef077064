//! `partition.ensure`: partitions of the coming days are made, those past their retention dropped, and with them what
//! is not partitioned.

use app::upkeep::Upkeep;
use queue::{Failure, Job};

use super::Tools;

/// Keeps tables in shape; a repetition finds nothing left to do. What fails does not keep the rest from being done.
pub(super) async fn run(tools: Tools, _job: Job) -> Result<Upkeep, Failure> {
    let done = app::upkeep::keep_partitions(
        &tools.store,
        &tools.retention,
        tools.partition_days_ahead,
        tools.clock.now(),
    )
    .await?;
    tracing::info!(
        target: "upkeep",
        created = done.partitions_created,
        dropped = done.partitions_dropped,
        rows_deleted = done.rows_deleted,
        "partitions were kept in shape"
    );
    Ok(done)
}
