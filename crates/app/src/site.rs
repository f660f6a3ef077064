//! Sites: lists.

use domain::{Actor, Capability, SiteScope};
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

/// Lists every site of the client, by code, for who decides which of them somebody sees.
///
/// # Errors
/// `forbidden`.
pub async fn list_for_administration(store: &Store, actor: &Actor) -> Result<Vec<Site>, Error> {
    right::require(actor, Capability::Admin)?;
    let found =
        store.read(actor, "list_sites", |tx| async move { tx.list_sites(&SiteScope::All, SITES_MAX).await });
    Ok(found.await?)
}
