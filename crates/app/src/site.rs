//! Sites: lists.

use domain::{Actor, Capability};
use store::Store;
pub use store::site::Site;

use crate::{Error, right};

/// Most sites a list gives.
pub const SITES_MAX: i64 = 500;

/// Lists the sites the actor sees, by code.
///
/// # Errors
/// `forbidden`.
pub async fn list(store: &Store, actor: &Actor) -> Result<Vec<Site>, Error> {
    right::require(actor, Capability::TicketsRead)?;
    let found =
        store.read(actor, "list_sites", |tx| async move { tx.list_sites(&actor.sites, SITES_MAX).await });
    Ok(found.await?)
}
