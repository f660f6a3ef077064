//! Messages of devices: readings, newest values, alarms that become tickets, and what could not be read.

mod alarm;
mod batch;
mod message;

pub use batch::record_batch;
pub use message::{Message, Outcome, Refusal, VALUES_MAX};
pub use store::telemetry::DeadLetter;

use store::Store;

use crate::Error;

/// Keeps messages that will never be readings, byte for byte. A topic that has had `hourly_max` of them within the hour
/// keeps no more; answers how many were kept.
///
/// # Errors
/// Those of the store.
pub async fn record_dead_letters(
    store: &Store,
    letters: &[DeadLetter],
    hourly_max: u32,
) -> Result<u64, Error> {
    let kept = store.run_system("record_dead_letters", |tx| async move {
        let mut kept = 0;
        for letter in letters {
            kept += tx.bury(letter, i64::from(hourly_max)).await?;
        }
        Ok::<u64, store::Error>(kept)
    });
    Ok(kept.await?)
}
