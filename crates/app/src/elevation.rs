//! Help across clients: somebody of one looks into another, for a while, reading only, and both see it.

use domain::account::SessionKind;
use domain::text::Code;
use domain::{Actor, Capability, ElevationId, FieldError, SessionId};
use jiff::{SignedDuration, Timestamp};
use store::elevation::NewElevation;
use store::factor::Proof;
use store::session::NewToken;
use store::{Store, Tx};

use crate::account::person_of;
use crate::{AccountError, Error, right};

/// Minutes a look may last at most.
pub const MINUTES_MAX: u8 = 60;

/// A look to be begun.
#[derive(Clone, Debug)]
pub struct Begin {
    /// The session it belongs to.
    pub session_id: SessionId,
    /// The code of the client to look into.
    pub client_code: String,
    /// Why; that client reads it.
    pub reason: String,
    /// For how long.
    pub minutes: u8,
    /// SHA-256 of the token the session goes on with.
    pub token_hash: [u8; 32],
}

/// A look under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elevation {
    /// Its id.
    pub id: ElevationId,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// Begins a look into another client. Both clients' trails get a line with the reason. The session goes on with another token,
/// because its bearer may do something else from here on.
///
/// # Errors
/// `forbidden`; `invalid-account` for a reason or a time that does not fit; `elevation-refused` for a client that is not there,
/// and for who has not proven two factors.
pub async fn begin(store: &Store, actor: &Actor, begin: &Begin, now: Timestamp) -> Result<Elevation, Error> {
    right::require(actor, Capability::Support)?;
    let reason = begin.reason.trim();
    let mistakes: Vec<FieldError> =
        [reason_mistake(reason), minutes_mistake(begin.minutes)].into_iter().flatten().collect();
    if !mistakes.is_empty() {
        return Err(AccountError::InvalidAccount(mistakes).into());
    }
    let code = Code::parse(begin.client_code.trim()).map_err(|_unfit| AccountError::ElevationRefused)?;
    let new = &NewElevation {
        id: ElevationId::generate(),
        session_id: begin.session_id,
        client_code: code,
        reason: reason.to_owned(),
        minutes: i32::from(begin.minutes),
    };
    store
        .run_tx(actor, "begin_elevation", |tx| async move {
            tx.begin_elevation(new).await?.ok_or(AccountError::ElevationRefused)?;
            if !replace_token(&tx, actor, new.session_id, begin.token_hash).await? {
                return Err(AccountError::ElevationRefused.into());
            }
            let lasts = SignedDuration::from_mins(i64::from(begin.minutes));
            Ok(Elevation { id: new.id, expires_at: now.saturating_add(lasts).unwrap_or(Timestamp::MAX) })
        })
        .await
}

/// Ends the look of a session into another client; the actor acts in their own. Answers whether the session goes on with the
/// token given: not when there was no look.
///
/// # Errors
/// Those of the store.
pub async fn end(
    store: &Store,
    actor: &Actor,
    session: SessionId,
    token_hash: [u8; 32],
) -> Result<bool, Error> {
    store
        .run_tx(actor, "end_elevation", |tx| async move {
            Ok(tx.end_elevation(session).await? && replace_token(&tx, actor, session, token_hash).await?)
        })
        .await
}

/// Gives a browser's live session another token; what was proven stays as it is. Answers whether it is one.
async fn replace_token(
    tx: &Tx,
    actor: &Actor,
    session: SessionId,
    token_hash: [u8; 32],
) -> Result<bool, Error> {
    let person = person_of(actor)?;
    let proof = tx.session_proof(session, person).await?.filter(|proof| proof.kind == SessionKind::Web);
    let Some(Proof { factors, authenticated_at, .. }) = proof else { return Ok(false) };
    let new = NewToken { token_hash, factors, authenticated_at, access_expires_at: None };
    tx.replace_session_token(session, person, &new).await?;
    Ok(true)
}

fn reason_mistake(reason: &str) -> Option<FieldError> {
    let fits = (10..=500).contains(&reason.chars().count());
    (!fits).then(|| FieldError::new("/reason", "say why in 10 to 500 characters: the client reads it"))
}

fn minutes_mistake(minutes: u8) -> Option<FieldError> {
    let fits = (1..=MINUTES_MAX).contains(&minutes);
    (!fits).then(|| FieldError::new("/minutes", "use 1 to 60"))
}
