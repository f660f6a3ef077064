//! Signing in and out, and knowing who is signed in.
//!
//! The order matters: [`reserve`] before any password is looked at, then [`find_credential`], then [`open_session`],
//! [`record_failure`], or [`abandon`] when no password was compared. A process that dies in between leaves the attempt
//! counted.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use domain::sign_in::{AttemptLimit, AttemptOutcome, LoginName};
use domain::{Actor, CorrelationId, SessionId, SiteScope};
use jiff::Timestamp;
use serde_json::json;
use store::audit::AuditEntry;
pub use store::session::LiveSession;
pub use store::sign_in::Credential;
use store::{Store, session};

use crate::Error;

/// Characters of the browser's words about itself that are kept.
const USER_AGENT_CHARACTERS_MAX: usize = 500;

/// An attempt that was counted and not yet settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    id: i64,
}

/// A session to be opened for somebody whose password was right.
#[derive(Clone)]
pub struct NewSession {
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// After which it ends unless it is used.
    pub idle: Duration,
    /// After which it ends in any case.
    pub absolute: Duration,
    /// The browser's words about itself.
    pub user_agent: String,
    /// Where the person is.
    pub address: IpAddr,
    /// The hash to keep from here on, when the kept one was made at another cost.
    pub new_hash: Option<String>,
    /// The request.
    pub correlation_id: CorrelationId,
}

/// Counts an attempt before any password is looked at: by login name first, then by address. Exact over replicas.
///
/// # Errors
/// `sign-in-limited`; a database that cannot be asked refuses as well.
pub async fn reserve(
    store: &Store,
    login: &LoginName,
    address: IpAddr,
    limit: &AttemptLimit,
) -> Result<Attempt, Error> {
    let answer = store
        .run_single("reserve_sign_in", |tx| async move { tx.reserve_sign_in(login, address, limit).await })
        .await?;
    if answer.is_granted {
        Ok(Attempt { id: answer.attempt_id })
    } else {
        let retry_after_seconds = u64::try_from(answer.retry_after_seconds).unwrap_or(1);
        Err(Error::SignInLimited { retry_after_seconds })
    }
}

/// Finds what a login name stands for; nothing when the person or the client may not sign in.
///
/// # Errors
/// Those of the store.
pub async fn find_credential(store: &Store, login: &LoginName) -> Result<Option<Credential>, Error> {
    let found = store.run_single("find_credential", |tx| async move { tx.find_credential(login).await });
    Ok(found.await?)
}

/// Records that an attempt failed: it stays counted.
///
/// # Errors
/// Those of the store.
pub async fn record_failure(store: &Store, attempt: Attempt) -> Result<(), Error> {
    settle(store, attempt, AttemptOutcome::Failed).await
}

/// Gives a counted attempt back: no password was compared.
///
/// # Errors
/// Those of the store.
pub async fn abandon(store: &Store, attempt: Attempt) -> Result<(), Error> {
    settle(store, attempt, AttemptOutcome::Abandoned).await
}

async fn settle(store: &Store, attempt: Attempt, outcome: AttemptOutcome) -> Result<(), Error> {
    store
        .run_single("settle_sign_in", |tx| async move { tx.settle_sign_in(attempt.id, outcome).await })
        .await?;
    Ok(())
}

/// Opens a session for a credential whose password was right, and forgets the login name's failures.
///
/// Nothing when the password was changed, or the person or the client stopped, since the credential was read: the
/// attempt is still open.
///
/// # Errors
/// Those of the store.
pub async fn open_session(
    store: &Store,
    attempt: Attempt,
    credential: &Credential,
    new: &NewSession,
    now: Timestamp,
) -> Result<Option<LiveSession>, Error> {
    let actor = Actor {
        client_id: credential.client_id,
        person_id: Some(credential.person_id),
        capabilities: BTreeSet::new(),
        sites: SiteScope::Only(BTreeSet::new()),
        correlation_id: new.correlation_id,
    };
    let row = &row_of(credential, new, now);
    let opened = store.run_tx(&actor, "open_session", |tx| async move {
        tx.use_credential(credential, new.new_hash.as_deref(), now).await?;
        tx.insert_session(row).await?;
        tx.audit(&entry("session_opened", row.id)).await?;
        tx.settle_sign_in(attempt.id, AttemptOutcome::Succeeded).await?;
        let live = tx.find_session(&new.token_hash, new.idle).await?;
        live.ok_or(store::Error::Stale { statement: "open_session" })
    });
    match opened.await {
        Ok(live) => Ok(Some(live)),
        Err(store::Error::Stale { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Finds the live session of a token and everything its person may do.
///
/// # Errors
/// Those of the store.
pub async fn find_session(
    store: &Store,
    token_hash: &[u8; 32],
    idle: Duration,
) -> Result<Option<LiveSession>, Error> {
    let found = store.run_single("find_session", |tx| async move { tx.find_session(token_hash, idle).await });
    Ok(found.await?)
}

/// Ends a session of the actor; one that ended already stays as it is.
///
/// # Errors
/// Those of the store.
pub async fn sign_out(store: &Store, actor: &Actor, session: SessionId) -> Result<(), Error> {
    let Some(person) = actor.person_id else { return Ok(()) };
    store
        .run_tx(actor, "sign_out", |tx| async move {
            if tx.revoke_session(session, person).await? > 0 {
                tx.audit(&entry("session_revoked", session)).await?;
            }
            Ok::<(), store::Error>(())
        })
        .await?;
    Ok(())
}

fn row_of(credential: &Credential, new: &NewSession, now: Timestamp) -> session::NewSession {
    let expires_at = now.saturating_add(new.absolute).unwrap_or(Timestamp::MAX);
    let idle_expires_at = now.saturating_add(new.idle).unwrap_or(Timestamp::MAX).min(expires_at);
    session::NewSession {
        id: SessionId::generate(),
        person_id: credential.person_id,
        token_hash: new.token_hash,
        created_at: now,
        idle_expires_at,
        expires_at,
        user_agent: new
            .user_agent
            .chars()
            .filter(|c| !c.is_control())
            .take(USER_AGENT_CHARACTERS_MAX)
            .collect(),
        address: new.address,
    }
}

fn entry(action: &'static str, session: SessionId) -> AuditEntry {
    AuditEntry { action, subject_kind: "session", subject_id: Some(*session.as_uuid()), detail: json!({}) }
}
