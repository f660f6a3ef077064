//! People: look-ups.

use domain::{Actor, Capability};
use store::Store;
pub use store::person::PersonChoice;

use crate::{Error, right};

/// Most choices a look-up gives.
pub const CHOICES_MAX: u16 = 50;

/// Finds people by the words typed whom the actor may see, by name; no words give the first names.
///
/// # Errors
/// `forbidden`.
pub async fn lookup(
    store: &Store,
    actor: &Actor,
    words: &str,
    limit: u16,
) -> Result<Vec<PersonChoice>, Error> {
    right::require(actor, Capability::TicketsRead)?;
    let limit = i32::from(limit.clamp(1, CHOICES_MAX));
    let found = store
        .read(actor, "lookup_people", |tx| async move { tx.lookup_people(words, &actor.sites, limit).await });
    Ok(found.await?)
}
