//! Somebody's own account: password, sessions, known browsers, and proving again who sits there.

use domain::account::SessionKind;
use domain::{Actor, Capability, KnownDeviceId, PersonId, SessionId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::Store;
use store::Tx;
use store::audit::AuditEntry;
pub use store::factor::{AccountOwner, Proof};
pub use store::known_device::{KnownDevice, OwnHandset};
use store::session::NewToken;
pub use store::session::SessionRow;

use crate::recovery::{AccountMail, Notice, request_mail};
use crate::{AccountError, Error, right};

/// Most sessions or browsers that are listed.
pub const LISTED_MAX: i64 = 100;

/// A password that takes the place of another.
#[derive(Clone)]
pub struct PasswordChange {
    /// The hash the old password was compared with.
    pub compared: String,
    /// The hash to keep.
    pub new_hash: String,
    /// The session that stays.
    pub session_id: SessionId,
    /// SHA-256 of the token it goes on with.
    pub token_hash: [u8; 32],
}

/// What was proven in a session, and the token it goes on with.
#[derive(Clone, Copy, Debug)]
pub struct Proven {
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// How many factors were proven.
    pub factors: i16,
}

/// The person an actor is; a process has no account.
pub(crate) fn person_of(actor: &Actor) -> Result<PersonId, Error> {
    actor.person_id.ok_or(Error::Forbidden(Capability::Web))
}

/// One's own account, or anybody's for an administrator.
fn require_own(actor: &Actor, person: PersonId) -> Result<(), Error> {
    if actor.person_id == Some(person) { Ok(()) } else { right::require(actor, Capability::Admin) }
}

/// Reads whose account it is and what the client demands.
///
/// # Errors
/// `forbidden` for a process; `user-not-found`.
pub async fn owner(store: &Store, actor: &Actor) -> Result<AccountOwner, Error> {
    let person = person_of(actor)?;
    let found =
        store.read(actor, "read_account_owner", |tx| async move { tx.account_owner(person).await }).await?;
    found.ok_or_else(|| AccountError::UserNotFound(person).into())
}

/// Reads what was proven for a live session of the actor.
///
/// # Errors
/// `forbidden` for a process.
pub async fn proof(store: &Store, actor: &Actor, session: SessionId) -> Result<Option<Proof>, Error> {
    let person = person_of(actor)?;
    let read =
        store.read(actor, "read_session_proof", |tx| async move { tx.session_proof(session, person).await });
    Ok(read.await?)
}

/// Reads the hash of the actor's password.
///
/// # Errors
/// `forbidden` for a process.
pub async fn password_hash(store: &Store, actor: &Actor) -> Result<Option<String>, Error> {
    let person = person_of(actor)?;
    let read = store.read(actor, "read_password_hash", |tx| async move { tx.password_hash(person).await });
    Ok(read.await?)
}

/// Changes the actor's password: every other session, known browser, unfinished sign-in and mailed link ends, and the
/// person is told by mail.
///
/// # Errors
/// `factor-refused` when the password was changed since it was compared, `session-not-found` when the session ended.
pub async fn change_password(
    store: &Store,
    actor: &Actor,
    change: &PasswordChange,
    now: Timestamp,
) -> Result<(), Error> {
    let person = person_of(actor)?;
    store
        .run_tx(actor, "change_password", |tx| async move {
            if let Err(error) = tx.change_password(person, &change.compared, &change.new_hash, now).await {
                return Err(stale_as(error, AccountError::FactorRefused));
            }
            end_openings(&tx, person, Some(change.session_id), now).await?;
            let proof = tx.session_proof(change.session_id, person).await?;
            let proof = proof.ok_or(AccountError::SessionNotFound(change.session_id))?;
            // A handset's token is short and replaced by its refresh token.
            if proof.kind == SessionKind::Web {
                let proven = Proven { token_hash: change.token_hash, factors: proof.factors };
                // Knowing the old password proves no more than it did: the time of the last proof stays.
                rotate(&tx, change.session_id, person, proven, proof.authenticated_at).await?;
            }
            tx.audit(&about_person("password_changed", person, json!({}))).await?;
            request_mail(
                &tx,
                actor,
                &AccountMail::Notice { person_id: person, notice: Notice::PasswordChanged },
            )
            .await?;
            Ok(())
        })
        .await
}

/// Ends whatever an old password opened.
pub(crate) async fn end_openings(
    tx: &Tx,
    person: PersonId,
    kept: Option<SessionId>,
    now: Timestamp,
) -> Result<(), store::Error> {
    use domain::account::TokenPurpose;
    tx.revoke_other_sessions(person, kept).await?;
    tx.drop_known_devices(person).await?;
    tx.drop_sign_in_steps(person).await?;
    tx.void_account_tokens(person, &[TokenPurpose::Reset, TokenPurpose::Invite], now).await?;
    Ok(())
}

/// Gives a browser's session another token, because what its bearer may do has grown.
pub(crate) async fn rotate(
    tx: &Tx,
    session: SessionId,
    person: PersonId,
    proven: Proven,
    proven_at: Timestamp,
) -> Result<(), Error> {
    let new = NewToken {
        token_hash: proven.token_hash,
        factors: proven.factors,
        authenticated_at: proven_at,
        access_expires_at: None,
    };
    match tx.replace_session_token(session, person, &new).await {
        Err(error) => Err(stale_as(error, AccountError::SessionNotFound(session))),
        Ok(()) => Ok(()),
    }
}

/// Notes that the actor proved again who they are; the session goes on with another token.
///
/// # Errors
/// `session-not-found` when the session ended, `step-up-required` when it is no browser's: a handset signs in again.
pub async fn step_up(
    store: &Store,
    actor: &Actor,
    session: SessionId,
    proven: Proven,
    now: Timestamp,
) -> Result<(), Error> {
    let person = person_of(actor)?;
    store
        .run_tx(actor, "step_up", |tx| async move {
            let proof = tx.session_proof(session, person).await?;
            let proof = proof.ok_or(AccountError::SessionNotFound(session))?;
            if proof.kind != SessionKind::Web {
                return Err(AccountError::StepUpRequired.into());
            }
            let factors = proof.factors.max(proven.factors);
            rotate(&tx, session, person, Proven { factors, ..proven }, now).await?;
            tx.audit(&about_session("step_up_done", session)).await?;
            Ok(())
        })
        .await
}

/// Lists the live sessions of a person: one's own, or anybody's for an administrator.
///
/// # Errors
/// `forbidden`.
pub async fn sessions(store: &Store, actor: &Actor, person: PersonId) -> Result<Vec<SessionRow>, Error> {
    require_own(actor, person)?;
    let listed =
        store.read(actor, "list_sessions", |tx| async move { tx.list_sessions(person, LISTED_MAX).await });
    Ok(listed.await?)
}

/// Ends a session of a person.
///
/// # Errors
/// `forbidden`; `session-not-found` for one that ended or is somebody else's.
pub async fn end_session(
    store: &Store,
    actor: &Actor,
    person: PersonId,
    session: SessionId,
) -> Result<(), Error> {
    require_own(actor, person)?;
    store
        .run_tx(actor, "end_session", |tx| async move {
            if tx.revoke_session(session, person).await? == 0 {
                return Err(AccountError::SessionNotFound(session).into());
            }
            tx.audit(&about_session("session_revoked", session)).await?;
            Ok(())
        })
        .await
}

/// Ends every session of a person but one; answers how many.
///
/// # Errors
/// `forbidden`.
pub async fn end_other_sessions(
    store: &Store,
    actor: &Actor,
    person: PersonId,
    kept: Option<SessionId>,
) -> Result<u64, Error> {
    require_own(actor, person)?;
    let ended = store.run_tx(actor, "end_other_sessions", |tx| async move {
        let ended = tx.revoke_other_sessions(person, kept).await?;
        tx.drop_sign_in_steps(person).await?;
        if ended > 0 {
            tx.audit(&about_person("sessions_revoked", person, json!({ "count": ended }))).await?;
        }
        Ok::<u64, store::Error>(ended)
    });
    Ok(ended.await?)
}

/// Lists the browsers the actor signed in with before.
///
/// # Errors
/// `forbidden` for a process.
pub async fn devices(store: &Store, actor: &Actor) -> Result<Vec<KnownDevice>, Error> {
    let person = person_of(actor)?;
    let listed = store.read(actor, "list_known_devices", |tx| async move {
        tx.list_known_devices(person, LISTED_MAX).await
    });
    Ok(listed.await?)
}

/// Reads the handset the actor works with.
///
/// # Errors
/// `forbidden` for a process.
pub async fn handset(store: &Store, actor: &Actor) -> Result<Option<OwnHandset>, Error> {
    let person = person_of(actor)?;
    Ok(store.read(actor, "read_own_handset", |tx| async move { tx.own_handset(person).await }).await?)
}

/// Forgets a browser of the actor; answers whether it was known.
///
/// # Errors
/// `forbidden` for a process.
pub async fn forget_device(store: &Store, actor: &Actor, device: KnownDeviceId) -> Result<bool, Error> {
    let person = person_of(actor)?;
    let forgotten = store.run_tx(actor, "forget_known_device", |tx| async move {
        let was_known = tx.delete_known_device(device, person).await?;
        if was_known {
            tx.audit(&AuditEntry {
                action: "known_device_forgotten",
                subject_kind: "known_device",
                subject_id: Some(*device.as_uuid()),
                detail: json!({}),
            })
            .await?;
        }
        Ok::<bool, store::Error>(was_known)
    });
    Ok(forgotten.await?)
}

/// Whether a proof is no older than asked for.
pub fn is_fresh(proof: &Proof, now: Timestamp, lifetime: SignedDuration) -> bool {
    now.duration_since(proof.authenticated_at) <= lifetime
}

pub(crate) fn about_person(action: &'static str, person: PersonId, detail: Value) -> AuditEntry {
    AuditEntry { action, subject_kind: "person", subject_id: Some(*person.as_uuid()), detail }
}

fn about_session(action: &'static str, session: SessionId) -> AuditEntry {
    AuditEntry { action, subject_kind: "session", subject_id: Some(*session.as_uuid()), detail: json!({}) }
}

/// A row that was not there any more, in the words of the use case.
pub(crate) fn stale_as(error: store::Error, meaning: AccountError) -> Error {
    if matches!(error, store::Error::Stale { .. }) { meaning.into() } else { error.into() }
}
