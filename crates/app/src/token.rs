//! Tokens of handsets: a short one to work with, and one to get the next pair with, good once.
//!
//! The order matters: the password is compared as at a sign-in, then [`is_of_client`], then [`issue`]. A refresh token that
//! comes a second time was stolen, or its answer was lost. As long as nobody used what was given for it, and only for a
//! moment, it is answered once more and what was given before is worth nothing; after that its session ends, with every
//! token of it. So of one session there is never more than one pair that works.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use domain::account::{DeviceKey, SessionKind};
use domain::security::SecurityEventKind;
use domain::text::Code;
use domain::{Actor, Capability, CorrelationId, HandsetId, PersonId, RefreshTokenId, SessionId, SiteScope};
use jiff::Timestamp;
use serde_json::{Value, json};
use store::audit::AuditEntry;
pub use store::handset::PresentedHandset;
use store::refresh_token::{FoundRefreshToken, HeldSession};
use store::security_event::NewSecurityEvent;
use store::session::{self, LiveSession};
use store::sign_in::Credential;
use store::{Store, Tx};

use crate::{AccountError, Error};

/// Characters of the application's words about itself that are kept.
const USER_AGENT_CHARACTERS_MAX: usize = 500;

/// How long tokens and their sessions live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// An access token.
    pub access: Duration,
    /// A refresh token.
    pub refresh: Duration,
    /// A session in any case.
    pub session: Duration,
    /// In which a used refresh token may come again.
    pub reuse_grace: Duration,
}

/// Where a request comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The handset's address.
    pub address: IpAddr,
    /// The application's words about itself.
    pub user_agent: String,
    /// The request.
    pub correlation_id: CorrelationId,
}

/// SHA-256 of two new tokens.
#[derive(Clone, Copy, Debug)]
pub struct TokenPair {
    /// Of the access token.
    pub access_hash: [u8; 32],
    /// Of the refresh token.
    pub refresh_hash: [u8; 32],
}

/// A session to be opened for a handset of somebody whose password was right.
#[derive(Clone, Debug)]
pub struct NewTokens {
    /// The handset.
    pub handset: PresentedHandset,
    /// The tokens.
    pub pair: TokenPair,
    /// How many factors were proven.
    pub factors: i16,
    /// The hash of the password to keep from here on, when the kept one was made at another cost.
    pub new_password_hash: Option<String>,
    /// Where the request comes from.
    pub origin: Origin,
}

/// A refresh token as it is presented.
#[derive(Clone, Debug)]
pub struct PresentedToken {
    /// SHA-256 of it.
    pub hash: [u8; 32],
    /// What the handset calls itself.
    pub device_key: DeviceKey,
    /// Where the request comes from.
    pub origin: Origin,
}

/// Whether a credential is of the client with a code, which whoever signs in with a handset must know.
///
/// # Errors
/// Those of the store.
pub async fn is_of_client(
    store: &Store,
    credential: &Credential,
    code: &Code,
    correlation_id: CorrelationId,
) -> Result<bool, Error> {
    let actor = Actor::process(credential.client_id, correlation_id);
    let client = store.read(&actor, "find_client", |tx| async move { tx.client().await }).await?;
    Ok(client.is_some_and(|client: store::client::Client| client.code == *code))
}

/// Opens a session for a handset, and binds the handset to its person. Sessions the handset had before end.
///
/// Nothing when the password was changed, or the person or the client stopped, since the credential was read.
///
/// # Errors
/// `site-missing`, `handset-refused`, `handset-bound`, `forbidden` to who may not sign in with a handset, and those of the
/// store.
pub async fn issue(
    store: &Store,
    credential: &Credential,
    new: &NewTokens,
    lifetimes: &Lifetimes,
    now: Timestamp,
) -> Result<Option<LiveSession>, Error> {
    let actor = actor_of(credential.client_id, credential.person_id, new.origin.correlation_id);
    let issued = store.run_tx(&actor, "issue_tokens", |tx| async move {
        admit(&tx, credential.person_id, new).await?;
        tx.use_credential(credential, new.new_password_hash.as_deref(), now).await?;
        let handset = bind(&tx, credential.person_id, &new.handset).await?;
        let session = open(&tx, credential.person_id, handset, (new, lifetimes, now)).await?;
        let live = tx.find_session(&new.pair.access_hash, lifetimes.refresh).await?;
        let live = live.ok_or(store::Error::Stale { statement: "issue_tokens" })?;
        if !live.capabilities.contains(&Capability::Mob) {
            return Err(Error::Forbidden(Capability::Mob));
        }
        let detail = json!({ "kind": SessionKind::Mobile.as_str() });
        tx.audit(&entry("session_opened", session, detail)).await?;
        let mut event = event_of(SecurityEventKind::TokenIssued, &new.origin, now);
        event.person_id = Some(credential.person_id);
        event.session_id = Some(session);
        tx.record_security_events(&[event]).await?;
        Ok(live)
    });
    match issued.await {
        Ok(live) => Ok(Some(live)),
        Err(Error::Store(store::Error::Stale { .. })) => Ok(None),
        // Two handsets of one person at the same moment.
        Err(Error::Store(error)) if error.constraint() == Some("handset_bound_key") => {
            Err(AccountError::HandsetBound.into())
        }
        Err(error) => Err(error),
    }
}

/// Whether the client's lists let a handset in, and the person has somewhere to work.
async fn admit(tx: &Tx, person: PersonId, new: &NewTokens) -> Result<(), Error> {
    let terms = tx.handset_terms(person, new.origin.address, new.handset.imei.as_ref()).await?;
    if !terms.has_site {
        return Err(AccountError::SiteMissing.into());
    }
    if !(terms.is_network_allowed && terms.is_imei_allowed) {
        return Err(AccountError::HandsetRefused.into());
    }
    Ok(())
}

/// Binds a handset to its person, or finds it bound. What it was signed in with before ends.
async fn bind(tx: &Tx, person: PersonId, handset: &PresentedHandset) -> Result<HandsetId, Error> {
    match tx.bound_handset(person).await? {
        Some(bound) if bound.device_key == handset.device_key => {
            tx.end_handset_sessions(person, bound.id).await?;
            tx.use_handset(bound.id, handset).await?;
            Ok(bound.id)
        }
        Some(_other) => Err(AccountError::HandsetBound.into()),
        None => {
            let id = HandsetId::generate();
            tx.bind_handset(id, person, handset).await?;
            Ok(id)
        }
    }
}

/// Opens the session and gives it its first refresh token.
async fn open(
    tx: &Tx,
    person: PersonId,
    handset: HandsetId,
    (new, lifetimes, now): (&NewTokens, &Lifetimes, Timestamp),
) -> Result<SessionId, Error> {
    let id = SessionId::generate();
    let expires_at = after(now, lifetimes.session);
    let refresh_until = after(now, lifetimes.refresh).min(expires_at);
    let user_agent = new.origin.user_agent.chars().filter(|c| !c.is_control());
    tx.insert_session(&session::NewSession {
        id,
        person_id: person,
        token_hash: new.pair.access_hash,
        created_at: now,
        idle_expires_at: refresh_until,
        expires_at,
        user_agent: user_agent.take(USER_AGENT_CHARACTERS_MAX).collect(),
        address: new.origin.address,
        kind: SessionKind::Mobile,
        factors: new.factors,
        access_expires_at: Some(after(now, lifetimes.access).min(expires_at)),
        handset_id: Some(handset),
    })
    .await?;
    let token = RefreshTokenId::generate();
    tx.insert_refresh_token(token, id, &new.pair.refresh_hash, refresh_until).await?;
    Ok(id)
}

/// What a presented refresh token leads to.
enum Outcome {
    /// Another pair was given; the refresh token is good until then.
    Rotated(Timestamp),
    /// The session was ended: somebody else has the token.
    Ended,
    /// The token is not good.
    Refused,
}

/// Gives the next pair of tokens for a refresh token; answers until when the new refresh token is good.
///
/// # Errors
/// `refresh-refused`, `handset-refused`, and those of the store.
pub async fn refresh(
    store: &Store,
    presented: &PresentedToken,
    pair: &TokenPair,
    lifetimes: &Lifetimes,
    now: Timestamp,
) -> Result<Timestamp, Error> {
    let found = store
        .run_single("find_refresh_token", |tx| async move { tx.find_refresh_token(&presented.hash).await });
    let found: Option<FoundRefreshToken> = found.await?;
    let Some(found) = found.filter(|found| found.is_live) else {
        return Err(AccountError::RefreshRefused.into());
    };
    let (found, actor) =
        (&found, actor_of(found.client_id, found.person_id, presented.origin.correlation_id));
    // In turn: of those who come with one token each sees what the one before it left.
    let outcome = store.run_in_turn(&actor, "refresh_tokens", |tx| async move {
        let Some(session) = tx.hold_session(found.session_id).await?.filter(|held| held.is_open) else {
            return Ok(Outcome::Refused);
        };
        if found.device_key != presented.device_key {
            return end_stolen(&tx, found, &presented.origin, ("another device", now)).await;
        }
        let state = tx.refresh_state(found.id, lifetimes.reuse_grace.as_secs_f64()).await?;
        if !state.is_unused {
            match state.unused_successor.filter(|_| state.is_recent) {
                Some(successor) => tx.spend_refresh_token(successor, None).await?,
                None => return end_stolen(&tx, found, &presented.origin, ("used before", now)).await,
            }
        }
        rotate(&tx, (found, presented, &session), pair, lifetimes, now).await
    });
    match outcome.await? {
        Outcome::Rotated(until) => Ok(until),
        Outcome::Ended | Outcome::Refused => Err(AccountError::RefreshRefused.into()),
    }
}

/// Gives the session its next tokens, if the client's lists still let the handset in.
async fn rotate(
    tx: &Tx,
    (found, presented, session): (&FoundRefreshToken, &PresentedToken, &HeldSession),
    pair: &TokenPair,
    lifetimes: &Lifetimes,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let Some(handset) = session.handset_id else { return Ok(Outcome::Refused) };
    let imei = tx.handset_imei(handset).await?;
    let terms = tx.handset_terms(found.person_id, presented.origin.address, imei.as_ref()).await?;
    if !(terms.is_network_allowed && terms.is_imei_allowed) {
        return Err(AccountError::HandsetRefused.into());
    }
    let until = after(now, lifetimes.refresh).min(session.expires_at);
    let access_until = after(now, lifetimes.access).min(session.expires_at);
    let next = RefreshTokenId::generate();
    tx.insert_refresh_token(next, found.session_id, &pair.refresh_hash, until).await?;
    tx.spend_refresh_token(found.id, Some(next)).await?;
    tx.rotate_session(found.session_id, &pair.access_hash, access_until, until).await?;
    Ok(Outcome::Rotated(until))
}

/// Ends a session whose refresh token somebody else has, and with it every token it was given.
async fn end_stolen(
    tx: &Tx,
    found: &FoundRefreshToken,
    origin: &Origin,
    (reason, now): (&'static str, Timestamp),
) -> Result<Outcome, Error> {
    tx.revoke_session(found.session_id, found.person_id).await?;
    let detail = json!({ "reason": reason });
    tx.audit(&entry("session_revoked", found.session_id, detail.clone())).await?;
    let mut event = event_of(SecurityEventKind::RefreshReused, origin, now);
    event.person_id = Some(found.person_id);
    event.session_id = Some(found.session_id);
    event.detail = detail;
    tx.record_security_events(&[event]).await?;
    Ok(Outcome::Ended)
}

/// Ends the actor's session and releases its handset, so that the person may sign in with another one.
///
/// # Errors
/// Those of the store.
pub async fn release(
    store: &Store,
    actor: &Actor,
    session: SessionId,
    address: Option<IpAddr>,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(person) = actor.person_id else { return Ok(()) };
    store
        .run_tx(actor, "release_handset", |tx| async move {
            if let Some(handset) = tx.handset_of_session(session, person).await? {
                tx.end_handset_sessions(person, handset).await?;
                tx.release_handset(handset, person).await?;
            } else if tx.revoke_session(session, person).await? == 0 {
                return Ok(());
            }
            tx.audit(&entry("session_revoked", session, json!({}))).await?;
            let mut event = NewSecurityEvent::new(SecurityEventKind::SignedOut, now, actor.correlation_id);
            event.person_id = Some(person);
            event.session_id = Some(session);
            event.address = address;
            tx.record_security_events(&[event]).await?;
            Ok::<(), store::Error>(())
        })
        .await?;
    Ok(())
}

/// The person, with no right to anything else: what is done is done for whoever holds the token.
fn actor_of(client_id: domain::ClientId, person_id: PersonId, correlation_id: CorrelationId) -> Actor {
    Actor {
        client_id,
        person_id: Some(person_id),
        capabilities: BTreeSet::new(),
        sites: SiteScope::Only(BTreeSet::new()),
        correlation_id,
    }
}

fn after(now: Timestamp, time: Duration) -> Timestamp {
    now.saturating_add(time).unwrap_or(Timestamp::MAX)
}

fn event_of(kind: SecurityEventKind, origin: &Origin, now: Timestamp) -> NewSecurityEvent {
    let mut event = NewSecurityEvent::new(kind, now, origin.correlation_id);
    event.address = Some(origin.address);
    event
}

fn entry(action: &'static str, session: SessionId, detail: Value) -> AuditEntry {
    AuditEntry { action, subject_kind: "session", subject_id: Some(*session.as_uuid()), detail }
}
