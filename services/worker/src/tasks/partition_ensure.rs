//! `partition.ensure`: partitions of the coming days are made, those past their retention dropped, and with them what
//! is not partitioned.

use queue::{Failure, Job};

use super::Tools;

/// Keeps tables in shape; a repetition finds nothing left to do. What fails does not keep the rest from being done.
pub(super) async fn run(tools: Tools, _job: Job) -> Result<(), Failure> {
    let kept = app::upkeep::keep_partitions(
        &tools.store,
        &tools.retention,
        tools.partition_days_ahead,
        tools.clock.now(),
    )
    .await;
    let dead_letters_expired = expire_dead_letters(&tools).await?;
    let done = kept?;
    tracing::info!(
        target: "upkeep",
        created = done.partitions_created,
        dropped = done.partitions_dropped,
        rows_deleted = done.rows_deleted,
        dead_letters_expired,
        "partitions were kept in shape"
    );
    Ok(())
}

async fn expire_dead_letters(tools: &Tools) -> Result<u64, Failure> {
    let client = tools.store.pool().get().await?;
    Ok(queue::expire_dead_letters(&**client, tools.dead_letter_days.into()).await?)
}
