//! Keys of other programs: each acts for a person, with no more than the person may and no more than it was given.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use domain::security::SecurityEventKind;
use domain::{Actor, ApiKeyId, Capability, FieldError, PersonId, SiteScope};
use jiff::Timestamp;
use serde_json::json;
pub use store::api_key::ApiKey;
use store::api_key::NewApiKey;
use store::audit::AuditEntry;
use store::security_event::NewSecurityEvent;
use store::session::LiveSession;
use store::{Store, Tx};

use crate::right::require;
use crate::{AccountError, Error};

/// Keys a list shows.
const SHOWN_MAX: i64 = 1_000;

/// Networks of one key.
const NETWORKS_MAX: usize = 50;

const DAY: Duration = Duration::from_hours(24);

/// What keys may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLimits {
    /// Days a key may live.
    pub days_max: u16,
    /// Good keys a client may have.
    pub live_max: u16,
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What it is for.
    pub name: String,
    /// For whom it acts; `None` means whoever makes it.
    pub person_id: Option<PersonId>,
    /// What it may do of that which the person may.
    pub capabilities: Vec<Capability>,
    /// Networks (CIDR) from which alone it may be used; none means any.
    pub networks: Vec<String>,
    /// Days it is good for.
    pub days: u16,
    /// SHA-256 of it.
    pub token_hash: [u8; 32],
    /// Its last four characters.
    pub hint: String,
}

/// Makes a key.
///
/// # Errors
/// `forbidden`, `invalid-key` with every mistake, `already-exists` for a name in use, and those of the store.
pub async fn make(
    store: &Store,
    actor: &Actor,
    new: &NewKey,
    limits: KeyLimits,
    now: Timestamp,
) -> Result<ApiKey, Error> {
    require(actor, Capability::Admin)?;
    let Some(maker) = actor.person_id else { return Err(Error::Forbidden(Capability::Admin)) };
    let networks = check(actor, new, limits).map_err(AccountError::InvalidKey)?;
    // As the database keeps times, so that the answer is what a list says.
    let now = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
    let expires_at = now.saturating_add(DAY * u32::from(new.days)).unwrap_or(Timestamp::MAX);
    let networks = &networks;
    store
        .run_tx(actor, "make_key", |tx| async move {
            if tx.count_live_api_keys().await? >= i64::from(limits.live_max) {
                let full = format!("the client has {} good keys: revoke one first", limits.live_max);
                return Err(AccountError::InvalidKey(vec![FieldError::new("", full)]).into());
            }
            let person_id = new.person_id.unwrap_or(maker);
            let person = tx.colleagues(vec![person_id]).await?.into_iter().next();
            let Some(person) = person else {
                let unknown = FieldError::new("/person_id", "name a person of your client");
                return Err(AccountError::InvalidKey(vec![unknown]).into());
            };
            if person_id != maker {
                let user = tx.user(person_id).await?.ok_or(AccountError::UserNotFound(person_id))?;
                crate::people::refuse_reserved(actor, &user)?;
            }
            let key = ApiKey {
                id: ApiKeyId::generate(),
                name: new.name.trim().to_owned(),
                hint: new.hint.clone(),
                person_id,
                person_name: person.name,
                capabilities: new.capabilities.iter().copied().collect::<BTreeSet<_>>().into_iter().collect(),
                networks: networks.clone(),
                created_at: now,
                expires_at,
                used_at: None,
                revoked_at: None,
            };
            keep(&tx, &key, new.token_hash, maker).await?;
            note(&tx, actor, (SecurityEventKind::KeyMade, "key_made"), (key.id, &key.name), now).await?;
            Ok(key)
        })
        .await
}

async fn keep(tx: &Tx, key: &ApiKey, token_hash: [u8; 32], maker: PersonId) -> Result<(), Error> {
    tx.insert_api_key(&NewApiKey {
        id: key.id,
        person_id: key.person_id,
        name: key.name.clone(),
        token_hash,
        hint: key.hint.clone(),
        networks: key.networks.clone(),
        created_by: maker,
        created_at: key.created_at,
        expires_at: key.expires_at,
    })
    .await?;
    tx.allow_api_key(key.id, &key.capabilities).await?;
    Ok(())
}

/// Lists the client's keys, the latest first.
///
/// # Errors
/// `forbidden`, and those of the store.
pub async fn list(store: &Store, actor: &Actor) -> Result<Vec<ApiKey>, Error> {
    require(actor, Capability::Admin)?;
    Ok(store.read(actor, "list_keys", |tx| async move { tx.api_keys(SHOWN_MAX).await }).await?)
}

/// Revokes a key; one that was revoked stays as it is.
///
/// # Errors
/// `forbidden`, `key-not-found`, and those of the store.
pub async fn revoke(store: &Store, actor: &Actor, id: ApiKeyId, now: Timestamp) -> Result<(), Error> {
    require(actor, Capability::Admin)?;
    store
        .run_tx(actor, "revoke_key", |tx| async move {
            let name = tx.name_of_api_key(id).await?.ok_or(AccountError::KeyNotFound(id))?;
            if tx.revoke_api_key(id).await? > 0 {
                note(&tx, actor, (SecurityEventKind::KeyRevoked, "key_revoked"), (id, &name), now).await?;
            }
            Ok(())
        })
        .await
}

/// Finds the live key of a token and everything its bearer may do.
///
/// # Errors
/// Those of the store.
pub async fn find(store: &Store, token_hash: &[u8; 32]) -> Result<Option<LiveSession>, Error> {
    let found = store.run_single("find_api_key", |tx| async move { tx.find_api_key(token_hash).await });
    Ok(found.await?)
}

/// Every mistake, or the networks in the form the database keeps.
fn check(actor: &Actor, new: &NewKey, limits: KeyLimits) -> Result<Vec<String>, Vec<FieldError>> {
    let mut mistakes = Vec::new();
    let mut mistake = |pointer: String, what: String| mistakes.push(FieldError::new(pointer, what));
    let name = new.name.trim();
    if !(1..=100).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        mistake("/name".to_owned(), "use 1 to 100 characters of one line".to_owned());
    }
    if new.person_id.is_some() && new.person_id != actor.person_id && actor.sites != SiteScope::All {
        let who = "who sees some sites only makes keys for themselves";
        mistake("/person_id".to_owned(), who.to_owned());
    }
    if new.capabilities.is_empty() {
        mistake("/capabilities".to_owned(), "name at least one capability".to_owned());
    }
    for (index, capability) in new.capabilities.iter().enumerate() {
        if !capability.is_granted_by_client() || !actor.may(*capability) {
            let what = format!("{capability} is not yours to give");
            mistake(format!("/capabilities/{index}"), what);
        }
    }
    if !(1..=limits.days_max).contains(&new.days) {
        mistake("/days".to_owned(), format!("use 1 to {} days", limits.days_max));
    }
    if new.networks.len() > NETWORKS_MAX {
        mistake("/networks".to_owned(), format!("name at most {NETWORKS_MAX} networks"));
    }
    let mut networks = BTreeSet::new();
    for (index, text) in new.networks.iter().enumerate().take(NETWORKS_MAX) {
        if let Some(network) = network(text) {
            networks.insert(network);
        } else {
            let example = "write a network such as 192.0.2.0/24 or 2001:db8::/32";
            mistake(format!("/networks/{index}"), example.to_owned());
        }
    }
    if mistakes.is_empty() { Ok(networks.into_iter().collect()) } else { Err(mistakes) }
}

/// A network as CIDR without bits of a host; a lone address is the network of itself.
pub(crate) fn network(text: &str) -> Option<String> {
    let (address, length) = text.trim().split_once('/').map_or((text.trim(), None), |(a, l)| (a, Some(l)));
    let address: IpAddr = address.parse().ok()?;
    let bits_max: u32 = if address.is_ipv4() { 32 } else { 128 };
    let bits = length.map_or(Ok(bits_max), str::parse).ok().filter(|bits| *bits <= bits_max)?;
    let network = match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            IpAddr::from((address.to_bits() & mask).to_be_bytes())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            IpAddr::from((address.to_bits() & mask).to_be_bytes())
        }
    };
    Some(format!("{network}/{bits}"))
}

async fn note(
    tx: &Tx,
    actor: &Actor,
    (kind, action): (SecurityEventKind, &'static str),
    (id, name): (ApiKeyId, &str),
    now: Timestamp,
) -> Result<(), Error> {
    let detail = json!({ "key": id, "name": name });
    let subject_id = Some(*id.as_uuid());
    tx.audit(&AuditEntry { action, subject_kind: "api_key", subject_id, detail: detail.clone() }).await?;
    let mut event = NewSecurityEvent::new(kind, now, actor.correlation_id);
    event.person_id = actor.person_id;
    event.detail = detail;
    tx.record_security_events(&[event]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_loses_the_bits_of_its_hosts() {
        for (typed, kept) in [
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            (" 0.0.0.0/0 ", "0.0.0.0/0"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("2001:db8::1", "2001:db8::1/128"),
        ] {
            assert_eq!(network(typed).as_deref(), Some(kept), "{typed}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "here", "192.0.2.0/33", "192.0.2/24", "::/129", "192.0.2.0/", "192.0.2.0/-1", "/24"]
        {
            assert_eq!(network(text), None, "{text}");
        }
    }
}
