//! People and groups of a client, as its administrators see and change them.
//!
//! An administrator gives what the client has bought and may hand out, to anybody but themselves; nobody takes away the last
//! administrator. The account of somebody who reaches every client is not for who does not: a new address and a mailed link
//! would make its rights theirs.

use domain::account::TokenPurpose;
use domain::security::SecurityEventKind;
use domain::sign_in::LoginName;
use domain::text::Code;
use domain::{Actor, Capability, FieldError, PersonId};
use jiff::Timestamp;
use serde_json::{Value, json};
use store::audit::AuditEntry;
use store::person::NewPerson;
use store::security_event::NewSecurityEvent;
pub use store::user::{GroupRow, User, UserChange, UserRow};
use store::{Store, Tx};
use uuid::Uuid;

use crate::recovery::{AccountMail, request_mail};
use crate::{AccountError, Error, factor, right};

mod rights;

pub use rights::{Grants, groups, set_capabilities, set_group_capabilities, set_groups, set_sites};

/// People on one page.
pub const PAGE: i64 = 50;

/// Which people to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Only names, codes and logins with this text.
    pub words: Option<String>,
    /// Only codes after this one.
    pub after: Option<Code>,
}

/// Somebody to be added, as it was typed.
#[derive(Clone)]
pub struct NewUser {
    /// Their code.
    pub code: String,
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: Option<String>,
    /// Their login name.
    pub login: Option<String>,
    /// A hash that no password has, for who gets a login.
    pub hash_of_nobody: String,
}

/// Lists a page of people by code, and whether more follow.
///
/// # Errors
/// `forbidden`.
pub async fn list(store: &Store, actor: &Actor, filter: &UserFilter) -> Result<(Vec<UserRow>, bool), Error> {
    right::require(actor, Capability::Admin)?;
    let pattern = filter.words.as_deref().map(pattern);
    let (pattern, after) = (pattern.as_deref(), filter.after.as_ref().map_or("", Code::as_str));
    let listed =
        store.read(actor, "list_users", |tx| async move { tx.list_users(after, pattern, PAGE + 1).await });
    let mut rows: Vec<UserRow> = listed.await?;
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = rows.len() > page;
    rows.truncate(page);
    Ok((rows, more))
}

/// Words as a pattern of `ilike`, in which they stand for themselves.
fn pattern(words: &str) -> String {
    let mut pattern = String::from("%");
    for letter in words.trim().chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// Reads a person.
///
/// # Errors
/// `forbidden`, `user-not-found`.
pub async fn get(store: &Store, actor: &Actor, id: PersonId) -> Result<User, Error> {
    right::require(actor, Capability::Admin)?;
    let found = store.read(actor, "read_user", |tx| async move { tx.user(id).await });
    let found: Option<User> = found.await?;
    found.ok_or_else(|| AccountError::UserNotFound(id).into())
}

/// Adds a person. Who has a login and an address is invited by mail.
///
/// # Errors
/// `forbidden`, `invalid-user`, `already-exists` for a code or a login that is taken.
pub async fn add(store: &Store, actor: &Actor, new: &NewUser, now: Timestamp) -> Result<User, Error> {
    right::require(actor, Capability::Admin)?;
    let (person, login) = parse(new)?;
    let (person, login) = (&person, &login);
    store
        .run_tx(actor, "add_user", |tx| async move {
            tx.insert_person(person).await?;
            if let Some(login) = login {
                tx.set_credential(person.id, login, &new.hash_of_nobody).await?;
                if person.email.is_some() {
                    request_mail(&tx, actor, &AccountMail::Invite { person_id: person.id }).await?;
                }
            }
            let detail = json!({ "code": person.code.as_str(), "with_login": login.is_some() });
            note(&tx, actor, &change_of("user_added", person.id, detail), now).await?;
            found(&tx, person.id).await
        })
        .await
}

/// Reads what was typed for a person; every mistake is named.
fn parse(new: &NewUser) -> Result<(NewPerson, Option<LoginName>), Error> {
    let text = |given: &Option<String>| {
        given.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let (name, email) = (new.name.trim(), text(&new.email));
    let code = Code::parse(new.code.trim());
    let login = text(&new.login).map(|login| LoginName::parse(&login)).transpose();
    let mistakes = [
        code.as_ref().err().map(|unfit| FieldError::new("/code", unfit.to_string())),
        name_mistake(name),
        email.as_deref().and_then(email_mistake),
        login.as_ref().err().map(|unfit| FieldError::new("/login", unfit.to_string())),
    ];
    match (code, login) {
        (Ok(code), Ok(login)) => {
            refuse_mistakes(mistakes)?;
            let id = PersonId::generate();
            Ok((NewPerson { id, code, name: name.to_owned(), email, all_sites: false }, login))
        }
        (_, _) => Err(AccountError::InvalidUser(mistakes.into_iter().flatten().collect()).into()),
    }
}

/// Changes a person's name, address, or whether they may sign in. Sessions of who may not end; links to an old address are
/// void.
///
/// # Errors
/// `forbidden`, also for one's own account and for who reaches every client; `user-not-found`, `invalid-user`,
/// `last-administrator`.
pub async fn change(
    store: &Store,
    actor: &Actor,
    id: PersonId,
    change: &UserChange,
    now: Timestamp,
) -> Result<User, Error> {
    right::require(actor, Capability::Admin)?;
    let email = change.email.as_deref().filter(|email| !email.is_empty());
    refuse_mistakes([change.name.as_deref().and_then(name_mistake), email.and_then(email_mistake)])?;
    store
        .run_in_turn(actor, "change_user", |tx| async move {
            tx.take_turn_at_rights().await?;
            touchable(actor, &found(&tx, id).await?)?;
            tx.change_user(id, change).await?;
            if change.email.is_some() {
                tx.void_account_tokens(id, TokenPurpose::ALL, now).await?;
            }
            if change.enabled == Some(false) {
                tx.revoke_other_sessions(id, None).await?;
                tx.drop_sign_in_steps(id).await?;
                keep_an_administrator(&tx).await?;
            }
            let detail = json!({
                "name": change.name.is_some(), "email": change.email.is_some(), "enabled": change.enabled,
            });
            note(&tx, actor, &change_of("user_changed", id, detail), now).await?;
            found(&tx, id).await
        })
        .await
}

/// Mails somebody a link to set their first password.
///
/// # Errors
/// `forbidden`, `user-not-found`; `invalid-user` for who has no login or no address, or may not sign in.
pub async fn invite(store: &Store, actor: &Actor, id: PersonId, now: Timestamp) -> Result<(), Error> {
    right::require(actor, Capability::Admin)?;
    store
        .run_tx(actor, "invite_user", |tx| async move {
            let user = found(&tx, id).await?;
            touchable(actor, &user)?;
            refuse_mistakes([
                user.login.is_none().then(|| FieldError::new("/login", "give the person a login first")),
                user.email.is_none().then(|| FieldError::new("/email", "give the person an address first")),
                (!user.enabled).then(|| FieldError::new("/enabled", "let the person sign in first")),
            ])?;
            request_mail(&tx, actor, &AccountMail::Invite { person_id: id }).await?;
            note(&tx, actor, &change_of("user_invited", id, json!({})), now).await
        })
        .await
}

/// Takes every second factor from somebody who lost them; every session of theirs ends. The password stays.
///
/// # Errors
/// `forbidden`, also for one's own account and for who reaches every client; `user-not-found`.
pub async fn remove_factors(store: &Store, actor: &Actor, id: PersonId, now: Timestamp) -> Result<(), Error> {
    right::require(actor, Capability::Admin)?;
    store
        .run_tx(actor, "remove_factors", |tx| async move {
            touchable(actor, &found(&tx, id).await?)?;
            factor::remove_all(&tx, actor, id).await?;
            let change = change_of("factors_removed", id, json!({}));
            let change = Change { kind: SecurityEventKind::FactorRemoved, ..change };
            note(&tx, actor, &change, now).await
        })
        .await
}

/// Ends every session of somebody else; answers how many.
///
/// # Errors
/// `forbidden`, `user-not-found`.
pub async fn end_sessions(store: &Store, actor: &Actor, id: PersonId, now: Timestamp) -> Result<u64, Error> {
    right::require(actor, Capability::Admin)?;
    store
        .run_tx(actor, "end_sessions_of_user", |tx| async move {
            found(&tx, id).await?;
            let ended = tx.revoke_other_sessions(id, None).await?;
            tx.drop_sign_in_steps(id).await?;
            let change = change_of("sessions_revoked", id, json!({ "count": ended }));
            note(&tx, actor, &Change { kind: SecurityEventKind::SessionRevoked, ..change }, now).await?;
            Ok(ended)
        })
        .await
}

/// Releases the handset somebody is bound to and ends its sessions, so that they may sign in with another one; says whether
/// there was one.
///
/// # Errors
/// `forbidden`, `user-not-found`.
pub async fn release_handset(
    store: &Store,
    actor: &Actor,
    id: PersonId,
    now: Timestamp,
) -> Result<bool, Error> {
    right::require(actor, Capability::Admin)?;
    store
        .run_tx(actor, "release_handset_of_user", |tx| async move {
            refuse_reserved(actor, &found(&tx, id).await?)?;
            let Some(bound) = tx.bound_handset(id).await? else { return Ok(false) };
            let ended = tx.end_handset_sessions(id, bound.id).await?;
            tx.release_handset(bound.id, id).await?;
            let change = change_of("handset_released", id, json!({ "sessions": ended }));
            note(&tx, actor, &Change { kind: SecurityEventKind::SessionRevoked, ..change }, now).await?;
            Ok(true)
        })
        .await
}

/// Lets somebody try again who tried too often; answers how many counters were forgotten.
///
/// # Errors
/// `forbidden`, `user-not-found`.
pub async fn unlock(store: &Store, actor: &Actor, id: PersonId, now: Timestamp) -> Result<i32, Error> {
    right::require(actor, Capability::Admin)?;
    store
        .run_tx(actor, "unlock_user", |tx| async move {
            found(&tx, id).await?;
            let forgotten = tx.unlock_person(id).await?;
            note(&tx, actor, &change_of("user_unlocked", id, json!({ "counters": forgotten })), now).await?;
            Ok(forgotten)
        })
        .await
}

async fn found(tx: &Tx, id: PersonId) -> Result<User, Error> {
    tx.user(id).await?.ok_or_else(|| AccountError::UserNotFound(id).into())
}

/// Refuses what somebody may not do to themselves, and what would make the rights of who reaches every client the actor's.
fn touchable(actor: &Actor, user: &User) -> Result<(), Error> {
    if actor.person_id == Some(user.id) {
        let own = FieldError::new("", "this is your own account: ask another administrator");
        return Err(AccountError::InvalidUser(vec![own]).into());
    }
    refuse_reserved(actor, user)
}

/// Refuses to act on, or in the name of, somebody who reaches every client, unless the actor does too.
pub(crate) fn refuse_reserved(actor: &Actor, user: &User) -> Result<(), Error> {
    let beyond = user.capabilities.iter().find(|one| !one.is_granted_by_client() && !actor.may(**one));
    beyond.map_or(Ok(()), |capability| Err(Error::Forbidden(*capability)))
}

async fn keep_an_administrator(tx: &Tx) -> Result<(), Error> {
    if tx.count_administrators().await? > 0 { Ok(()) } else { Err(AccountError::LastAdministrator.into()) }
}

/// What was changed, for both trails.
struct Change {
    action: &'static str,
    kind: SecurityEventKind,
    subject: (&'static str, Uuid),
    detail: Value,
}

fn change_of(action: &'static str, person: PersonId, detail: Value) -> Change {
    Change { action, kind: SecurityEventKind::RightsChanged, subject: ("person", *person.as_uuid()), detail }
}

/// Writes a change into the audit trail and the log of security events.
async fn note(tx: &Tx, actor: &Actor, change: &Change, now: Timestamp) -> Result<(), Error> {
    let (subject_kind, subject_id) = change.subject;
    tx.audit(&AuditEntry {
        action: change.action,
        subject_kind,
        subject_id: Some(subject_id),
        detail: change.detail.clone(),
    })
    .await?;
    let mut event = NewSecurityEvent::new(change.kind, now, actor.correlation_id);
    event.person_id = actor.person_id;
    event.detail = json!({ "action": change.action, "subject_kind": subject_kind, "subject_id": subject_id });
    tx.record_security_events(&[event]).await?;
    Ok(())
}

fn refuse_mistakes<const N: usize>(found: [Option<FieldError>; N]) -> Result<(), Error> {
    let mistakes: Vec<FieldError> = found.into_iter().flatten().collect();
    if mistakes.is_empty() { Ok(()) } else { Err(AccountError::InvalidUser(mistakes).into()) }
}

fn name_mistake(name: &str) -> Option<FieldError> {
    let length = name.trim().chars().count();
    let fits = (1..=120).contains(&length) && !name.chars().any(char::is_control);
    (!fits).then(|| FieldError::new("/name", "use 1 to 120 characters on one line"))
}

fn email_mistake(email: &str) -> Option<FieldError> {
    let fits = email.len() <= 254
        && domain::mail::domain_of(email).is_some()
        && !email.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    (!fits).then(|| FieldError::new("/email", "use one address such as `asha@example.com`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_words_stand_for_themselves() {
        assert_eq!(pattern(" 100%_a\\ "), r"%100\%\_a\\%");
    }

    #[test]
    fn names_and_addresses_are_looked_at() {
        for name in ["", " ", "a\nb", &"x".repeat(121)] {
            assert!(name_mistake(name).is_some(), "{name:?}");
        }
        assert!(name_mistake("Asha O'Neil-Rao").is_none());
        for email in
            ["", "asha", "asha@", "@example.com", "a b@example.com", "a@example.com\r\nBcc: b@example.com"]
        {
            assert!(email_mistake(email).is_some(), "{email:?}");
        }
        assert!(email_mistake("asha.rao+1@example.com").is_none());
    }
}
