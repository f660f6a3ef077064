//! What people and groups may do, and where.

use std::collections::BTreeSet;

use domain::{Actor, Capability, FieldError, GroupId, PersonId, SiteId};
use jiff::Timestamp;
use serde_json::json;
use store::user::GroupRow;
use store::{Store, Tx};

use super::{Change, change_of, found, keep_an_administrator, note, touchable};
use crate::{AccountError, Error, right};

/// Most groups a list gives.
const GROUPS_MAX: i64 = 500;

/// Groups, and what may be given to them and to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// By code.
    pub groups: Vec<GroupRow>,
    /// What the client has bought and may hand out.
    pub grantable: Vec<Capability>,
}

/// Lists groups, and what may be given.
///
/// # Errors
/// `forbidden`.
pub async fn groups(store: &Store, actor: &Actor) -> Result<Grants, Error> {
    right::require(actor, Capability::Admin)?;
    let read = store.read(actor, "list_groups", |tx| async move {
        let groups = tx.list_groups(GROUPS_MAX).await?;
        Ok::<_, store::Error>(Grants { groups, grantable: grantable(&tx).await? })
    });
    Ok(read.await?)
}

/// Sets what is given to a person; what groups give comes on top. Cached rights are forgotten at once.
///
/// # Errors
/// `forbidden`, also for who reaches every client; `user-not-found`; `invalid-user` for one's own account and for what the
/// client does not have or does not hand out; `last-administrator`.
pub async fn set_capabilities(
    store: &Store,
    actor: &Actor,
    id: PersonId,
    capabilities: &[Capability],
    now: Timestamp,
) -> Result<(), Error> {
    right::require(actor, Capability::Admin)?;
    store
        .run_in_turn(actor, "set_capabilities", |tx| async move {
            tx.take_turn_at_rights().await?;
            let user = found(&tx, id).await?;
            touchable(actor, &user)?;
            refuse_ungrantable(&tx, capabilities, &user.capabilities).await?;
            let given = capabilities_of_client(capabilities);
            tx.set_capabilities(id, &given).await?;
            keep_an_administrator(&tx).await?;
            let detail = json!({ "before": user.capabilities, "after": given });
            note(&tx, actor, &change_of("capabilities_set", id, detail), now).await
        })
        .await
}

/// Sets which sites a person sees: every site for `None`.
///
/// # Errors
/// `forbidden`, `user-not-found`, `invalid-user` for one's own account, `unknown-reference` for a site of nobody's.
pub async fn set_sites(
    store: &Store,
    actor: &Actor,
    id: PersonId,
    sites: Option<&[SiteId]>,
    now: Timestamp,
) -> Result<(), Error> {
    right::require(actor, Capability::Admin)?;
    store
        .run_in_turn(actor, "set_sites", |tx| async move {
            let user = found(&tx, id).await?;
            touchable(actor, &user)?;
            tx.set_sites(id, sites).await?;
            let detail = json!({
                "all_before": user.all_sites, "before": user.sites, "all_after": sites.is_none(), "after": sites,
            });
            note(&tx, actor, &change_of("sites_set", id, detail), now).await
        })
        .await
}

/// Sets the groups a person is in.
///
/// # Errors
/// `forbidden`, `user-not-found`, `invalid-user` for one's own account, `unknown-reference` for a group of nobody's,
/// `last-administrator`.
pub async fn set_groups(
    store: &Store,
    actor: &Actor,
    id: PersonId,
    groups: &[GroupId],
    now: Timestamp,
) -> Result<(), Error> {
    right::require(actor, Capability::Admin)?;
    store
        .run_in_turn(actor, "set_groups", |tx| async move {
            tx.take_turn_at_rights().await?;
            let user = found(&tx, id).await?;
            touchable(actor, &user)?;
            tx.set_groups(id, groups).await?;
            keep_an_administrator(&tx).await?;
            let detail = json!({ "before": user.groups, "after": groups });
            note(&tx, actor, &change_of("groups_set", id, detail), now).await
        })
        .await
}

/// Sets what a group gives its members.
///
/// # Errors
/// `forbidden`, `group-not-found`, `invalid-user` for what the client does not have or does not hand out,
/// `last-administrator`.
pub async fn set_group_capabilities(
    store: &Store,
    actor: &Actor,
    id: GroupId,
    capabilities: &[Capability],
    now: Timestamp,
) -> Result<(), Error> {
    right::require(actor, Capability::Admin)?;
    store
        .run_in_turn(actor, "set_group_capabilities", |tx| async move {
            tx.take_turn_at_rights().await?;
            let groups = tx.list_groups(GROUPS_MAX).await?;
            let group = groups.into_iter().find(|group| group.id == id);
            let group = group.ok_or(AccountError::GroupNotFound(id))?;
            refuse_ungrantable(&tx, capabilities, &[]).await?;
            refuse_raising_oneself(&tx, actor, id, capabilities).await?;
            tx.set_group_capabilities(id, capabilities).await?;
            keep_an_administrator(&tx).await?;
            let change = Change {
                subject: ("person_group", *id.as_uuid()),
                detail: json!({ "before": group.capabilities, "after": capabilities }),
                ..change_of("group_capabilities_set", PersonId::from_uuid(*id.as_uuid()), json!({}))
            };
            note(&tx, actor, &change, now).await
        })
        .await
}

/// Refuses to give a group what its giver would win by it.
async fn refuse_raising_oneself(
    tx: &Tx,
    actor: &Actor,
    group: GroupId,
    capabilities: &[Capability],
) -> Result<(), Error> {
    let Some(person) = actor.person_id else { return Ok(()) };
    let wins = capabilities.iter().any(|one| !actor.may(*one));
    if wins && tx.user(person).await?.is_some_and(|user| user.groups.contains(&group)) {
        let own = FieldError::new("/capabilities", "you are in this group: ask another administrator");
        return Err(AccountError::InvalidUser(vec![own]).into());
    }
    Ok(())
}

/// What the client has bought and may hand out.
async fn grantable(tx: &Tx) -> Result<Vec<Capability>, store::Error> {
    let bought = tx.bought_capabilities().await?;
    Ok(bought.into_iter().filter(|one| one.is_granted_by_client()).collect())
}

/// Refuses what the client cannot give; what no client hands out may stand there only because the person has it.
async fn refuse_ungrantable(tx: &Tx, wanted: &[Capability], held: &[Capability]) -> Result<(), Error> {
    let grantable = grantable(tx).await?;
    let stays =
        |one: &Capability| grantable.contains(one) || (!one.is_granted_by_client() && held.contains(one));
    let refused: Vec<FieldError> = wanted
        .iter()
        .enumerate()
        .filter(|(_, one)| !stays(one))
        .map(|(index, one)| {
            let detail = if one.is_granted_by_client() {
                format!("your client does not have {one}")
            } else {
                format!("no client hands {one} out")
            };
            FieldError::new(format!("/capabilities/{index}"), detail)
        })
        .collect();
    if refused.is_empty() { Ok(()) } else { Err(AccountError::InvalidUser(refused).into()) }
}

/// Those a client may hand out, each once.
fn capabilities_of_client(wanted: &[Capability]) -> Vec<Capability> {
    let given: BTreeSet<Capability> =
        wanted.iter().copied().filter(|one| one.is_granted_by_client()).collect();
    given.into_iter().collect()
}
