//! `queue.cleanup`: what the queue and the outbox keep for a time only goes.

use queue::{Failure, Job};
use serde::Serialize;

use super::Tools;

/// Rows one statement deletes.
const ROWS_AT_ONCE: i64 = 10_000;

/// What a round did.
#[derive(Serialize)]
pub(super) struct CleanedUp {
    keys: u64,
    tenants: u64,
    actions: u64,
    /// Ends that waiting tasks had not heard of.
    untold: u64,
    /// Mails with a secret whose task was cancelled or given up.
    secrets: i64,
    /// Addresses and turns of domains.
    mail_rows: i64,
}

/// Tells waiting tasks of ends they have not heard of; removes keys whose time is over, tenants whose rate is unused, old notes of what was done by hand, secrets of
/// mails that no task sends any more, and what the outbox remembers of addresses and domains.
pub(super) async fn run(tools: Tools, _job: Job) -> Result<CleanedUp, Failure> {
    let client = tools.store.pool().get().await?;
    let days = i32::from(tools.retention.audit_days);
    let mut done = CleanedUp {
        keys: 0,
        tenants: queue::forget_tenants(&**client).await?,
        actions: 0,
        untold: queue::release_forgotten(&**client, ROWS_AT_ONCE).await?,
        secrets: app::outbox::end_secrets(&tools.store).await?,
        mail_rows: app::upkeep::clean_up_mail(&tools.store, tools.bounce_days).await?,
    };
    loop {
        let keys = queue::expire_keys(&**client, ROWS_AT_ONCE).await?;
        let actions = queue::expire_actions(&**client, days, ROWS_AT_ONCE).await?;
        done.keys += keys;
        done.actions += actions;
        // Fewer than might have gone: none are left.
        if keys.max(actions) < ROWS_AT_ONCE.unsigned_abs() {
            break;
        }
    }
    let CleanedUp { keys, tenants, actions, untold, secrets, mail_rows } = done;
    tracing::info!(target: "upkeep", keys, tenants, actions, untold, secrets, mail_rows, "the queue was cleaned up");
    Ok(done)
}
