//! Signing in and out, and knowing who is signed in.
//!
//! The order matters: [`reserve`] before any password is looked at, then [`find_credential`], then [`open_session`],
//! [`record_failure`], or [`abandon`] when no password was compared. A process that dies in between leaves the attempt
//! counted.
//!
//! Whoever has a second factor gets a step in place of a session ([`begin_step`]): good for a few minutes, for one factor,
//! and for nothing else. [`finish_step`] makes a session of it, once.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use domain::account::{SecondFactor, SessionKind};
use domain::sign_in::{AttemptLimit, AttemptOutcome, LoginName};
use domain::{Actor, ClientId, CorrelationId, KnownDeviceId, PersonId, SessionId, SignInStepId, SiteScope};
use jiff::Timestamp;
use serde_json::json;
use store::audit::AuditEntry;
use store::known_device::NewKnownDevice;
pub use store::session::LiveSession;
use store::sign_in::NewSignInStep;
pub use store::sign_in::{Credential, SignInStep};
use store::{Store, Tx, session};

use crate::{Error, factor};

/// Characters of the browser's words about itself that are kept.
const USER_AGENT_CHARACTERS_MAX: usize = 500;

/// Most browsers one person is known by; the one longest unused goes.
const KNOWN_DEVICES_MAX: i64 = 20;

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
    /// How the browser is known.
    pub device: DeviceMark,
    /// The request.
    pub correlation_id: CorrelationId,
}

/// How a browser is known, before and after a sign-in.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeviceMark {
    /// SHA-256 of the token it came with.
    pub known: Option<[u8; 32]>,
    /// SHA-256 of the token it is to be known by; none when it is not to be known anew.
    pub next: Option<[u8; 32]>,
    /// How long it is known without a sign-in.
    pub lifetime: Duration,
}

/// A sign-in to be begun whose password was right and that owes a second factor.
#[derive(Clone, Debug)]
pub struct NewStep {
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// Whether the browser is to be known the next time.
    pub remember: bool,
    /// How long there is time for the factor.
    pub lifetime: Duration,
    /// The hash to keep from here on, when the kept one was made at another cost.
    pub new_hash: Option<String>,
    /// The request.
    pub correlation_id: CorrelationId,
}

/// What a begun sign-in owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// What the person can prove.
    pub factors: Vec<SecondFactor>,
    /// Until when.
    pub expires_at: Timestamp,
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
    reserve_from(store, login, address, None, limit).await
}

/// The same for a browser that may be known: if it is known to be the person's, its attempts are counted apart, so that
/// strangers cannot lock the person out of it.
///
/// # Errors
/// `sign-in-limited`; a database that cannot be asked refuses as well.
pub async fn reserve_from(
    store: &Store,
    login: &LoginName,
    address: IpAddr,
    device: Option<&[u8; 32]>,
    limit: &AttemptLimit,
) -> Result<Attempt, Error> {
    let answer = store
        .run_single(
            "reserve_sign_in",
            |tx| async move { tx.reserve_sign_in(login, address, limit, device).await },
        )
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

/// Records that the password of an attempt was right: the login name's failures are forgotten.
///
/// # Errors
/// Those of the store.
pub async fn record_success(store: &Store, attempt: Attempt) -> Result<(), Error> {
    settle(store, attempt, AttemptOutcome::Succeeded).await
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
    let person = (credential.client_id, credential.person_id);
    let actor = bearer(person, new.correlation_id);
    let row = &row_of(credential.person_id, new, 1, now);
    let opened = store.run_tx(&actor, "open_session", |tx| async move {
        tx.use_credential(credential, new.new_hash.as_deref(), now).await?;
        tx.settle_sign_in(attempt.id, AttemptOutcome::Succeeded).await?;
        insert(&tx, row, new, now).await
    });
    unless_stale(opened.await)
}

/// Begins a sign-in whose password was right and that owes a second factor. The login name's failures are forgotten:
/// from here on, guesses at the factor are counted.
///
/// Nothing when the password was changed, or the person or the client stopped, since the credential was read: the
/// attempt is still open.
///
/// # Errors
/// Those of the store.
pub async fn begin_step(
    store: &Store,
    attempt: Attempt,
    credential: &Credential,
    new: &NewStep,
    now: Timestamp,
) -> Result<Option<Owed>, Error> {
    let actor = bearer((credential.client_id, credential.person_id), new.correlation_id);
    let row = &NewSignInStep {
        id: SignInStepId::generate(),
        person_id: credential.person_id,
        token_hash: new.token_hash,
        remember: new.remember,
        expires_at: now.saturating_add(new.lifetime).unwrap_or(Timestamp::MAX),
    };
    let begun = store.run_tx(&actor, "begin_sign_in_step", |tx| async move {
        tx.use_credential(credential, new.new_hash.as_deref(), now).await?;
        tx.insert_sign_in_step(row).await?;
        let factors = factor::of_person(&tx, credential.person_id).await?;
        tx.settle_sign_in(attempt.id, AttemptOutcome::Succeeded).await?;
        let all = [
            (SecondFactor::Totp, factors.totp),
            (SecondFactor::Passkey, !factors.passkeys.is_empty()),
            (SecondFactor::Recovery, factors.recovery_codes_left > 0),
        ];
        let factors = all.into_iter().filter_map(|(one, has)| has.then_some(one)).collect();
        Ok(Owed { factors, expires_at: row.expires_at })
    });
    unless_stale(begun.await)
}

/// Finds the unfinished sign-in of a token.
///
/// # Errors
/// Those of the store.
pub async fn find_step(store: &Store, token_hash: &[u8; 32]) -> Result<Option<SignInStep>, Error> {
    let found =
        store.run_single("find_sign_in_step", |tx| async move { tx.find_sign_in_step(token_hash).await });
    Ok(found.await?)
}

/// The person of an unfinished sign-in, who may do nothing but prove a factor.
pub fn actor_of(step: &SignInStep, correlation_id: CorrelationId) -> Actor {
    bearer((step.client_id, step.person_id), correlation_id)
}

/// Opens a session for an unfinished sign-in whose factor was right. Nothing when somebody was first, or the person or the
/// client was stopped.
///
/// # Errors
/// Those of the store.
pub async fn finish_step(
    store: &Store,
    step: &SignInStep,
    new: &NewSession,
    now: Timestamp,
) -> Result<Option<LiveSession>, Error> {
    let actor = actor_of(step, new.correlation_id);
    let row = &row_of(step.person_id, new, 2, now);
    let opened = store.run_tx(&actor, "finish_sign_in_step", |tx| async move {
        tx.take_sign_in_step(step.id).await?;
        insert(&tx, row, new, now).await
    });
    unless_stale(opened.await)
}

/// Somebody whose password was right, before anything is known of their rights.
fn bearer((client_id, person_id): (ClientId, PersonId), correlation_id: CorrelationId) -> Actor {
    Actor {
        client_id,
        person_id: Some(person_id),
        capabilities: BTreeSet::new(),
        sites: SiteScope::Only(BTreeSet::new()),
        correlation_id,
    }
}

/// Opens the session and knows the browser.
async fn insert(
    tx: &Tx,
    row: &session::NewSession,
    new: &NewSession,
    now: Timestamp,
) -> Result<LiveSession, store::Error> {
    tx.insert_session(row).await?;
    tx.audit(&entry("session_opened", row.id)).await?;
    know_device(tx, row, &new.device, now).await?;
    let live = tx.find_session(&new.token_hash, new.idle).await?;
    live.ok_or(store::Error::Stale { statement: "open_session" })
}

async fn know_device(
    tx: &Tx,
    row: &session::NewSession,
    mark: &DeviceMark,
    now: Timestamp,
) -> Result<(), store::Error> {
    let Some(token_hash) = mark.next.or(mark.known) else { return Ok(()) };
    let device = NewKnownDevice {
        id: KnownDeviceId::generate(),
        person_id: row.person_id,
        token_hash,
        user_agent: row.user_agent.clone(),
        created_at: now,
        expires_at: now.saturating_add(mark.lifetime).unwrap_or(Timestamp::MAX),
    };
    if let Some(known) = &mark.known
        && tx.touch_known_device(known, &device).await?
    {
        return Ok(());
    }
    if mark.next.is_some() {
        tx.insert_known_device(&device).await?;
        tx.drop_surplus_devices(row.person_id, KNOWN_DEVICES_MAX).await?;
    }
    Ok(())
}

/// Nothing when a row that was there is gone by now.
fn unless_stale<T>(outcome: Result<T, store::Error>) -> Result<Option<T>, Error> {
    match outcome {
        Ok(done) => Ok(Some(done)),
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

fn row_of(person_id: PersonId, new: &NewSession, factors: i16, now: Timestamp) -> session::NewSession {
    let expires_at = now.saturating_add(new.absolute).unwrap_or(Timestamp::MAX);
    let idle_expires_at = now.saturating_add(new.idle).unwrap_or(Timestamp::MAX).min(expires_at);
    session::NewSession {
        id: SessionId::generate(),
        person_id,
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
        kind: SessionKind::Web,
        factors,
        access_expires_at: None,
        handset_id: None,
    }
}

fn entry(action: &'static str, session: SessionId) -> AuditEntry {
    AuditEntry { action, subject_kind: "session", subject_id: Some(*session.as_uuid()), detail: json!({}) }
}
