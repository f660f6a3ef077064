//! Refresh tokens: each good once, one after the other in a session.

use domain::account::DeviceKey;
use domain::{ClientId, HandsetId, PersonId, RefreshTokenId, SessionId};
use jiff::Timestamp;

use crate::{Error, Tx, queries, row};

/// Whose a refresh token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRefreshToken {
    /// The tenant.
    pub client_id: ClientId,
    /// The person.
    pub person_id: PersonId,
    /// The session.
    pub session_id: SessionId,
    /// The token.
    pub id: RefreshTokenId,
    /// What the handset calls itself.
    pub device_key: DeviceKey,
    /// Whether token, session, handset, person and client are all good.
    pub is_live: bool,
}

/// The session of a refresh token, held until the transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldSession {
    /// Whether it was not ended.
    pub is_open: bool,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// Its handset.
    pub handset_id: Option<HandsetId>,
}

/// What became of a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshState {
    /// Whether it was not used.
    pub is_unused: bool,
    /// Whether it was used a moment ago.
    pub is_recent: bool,
    /// The token that was given for it, as long as that one was not used either.
    pub unused_successor: Option<RefreshTokenId>,
}

row! { FoundRefreshToken { client_id, person_id, session_id, id, device_key, is_live } }
row! { HeldSession { is_open, expires_at, handset_id } }
row! { RefreshState { is_unused, is_recent, unused_successor } }

queries! {
    /// Whose a refresh token is, of any client, used or not.
    FIND: (Vec<u8>,) => FoundRefreshToken = "
        select client_id, person_id, session_id, id, device_key, is_live
          from find_refresh_token($1)";
    /// Holds a session, so that its tokens are changed by one at a time.
    HOLD: (SessionId,) => HeldSession = "
        select revoked_at is null as is_open, expires_at, handset_id
          from session
         where id = $1
           for update";
    /// What became of a token. It is used recently when that was within some seconds.
    STATE: (RefreshTokenId, f64) => RefreshState = "
        select token.used_at is null as is_unused,
               coalesce(token.used_at > clock_timestamp() - make_interval(secs => $2), false) as is_recent,
               successor.id as unused_successor
          from refresh_token as token
          left join refresh_token as successor on successor.client_id = token.client_id
                                              and successor.id = token.replaced_by
                                              and successor.used_at is null
         where token.id = $1";
    /// Adds a token to a session.
    INSERT: (RefreshTokenId, SessionId, Vec<u8>, Timestamp) => () = "
        insert into refresh_token (id, session_id, token_hash, expires_at)
        values ($1, $2, $3, $4)";
    /// Uses a token up; when it was first used stays.
    SPEND: (RefreshTokenId, Option<RefreshTokenId>) => () = "
        update refresh_token
           set used_at = coalesce(used_at, clock_timestamp()), replaced_by = $2
         where id = $1";
    /// Gives a session its next access token.
    ROTATE: (SessionId, Vec<u8>, Timestamp, Timestamp) => () = "
        update session
           set token_hash = $2, access_expires_at = $3, idle_expires_at = $4, last_seen_at = now()
         where id = $1
           and revoked_at is null";
}

impl Tx {
    /// Finds whose a refresh token is.
    pub async fn find_refresh_token(&self, token_hash: &[u8]) -> Result<Option<FoundRefreshToken>, Error> {
        self.opt(&FIND, (token_hash,)).await
    }

    /// Holds a session until the transaction ends; nothing when it is gone.
    pub async fn hold_session(&self, session: SessionId) -> Result<Option<HeldSession>, Error> {
        self.opt(&HOLD, (session,)).await
    }

    /// Reads what became of a token.
    pub async fn refresh_state(
        &self,
        token: RefreshTokenId,
        grace_seconds: f64,
    ) -> Result<RefreshState, Error> {
        self.one(&STATE, (token, grace_seconds)).await
    }

    /// Adds a token to a session.
    pub async fn insert_refresh_token(
        &self,
        token: RefreshTokenId,
        session: SessionId,
        token_hash: &[u8],
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        self.execute_one(&INSERT, (token, session, token_hash, expires_at)).await
    }

    /// Uses a token up for another one, or for nothing.
    pub async fn spend_refresh_token(
        &self,
        token: RefreshTokenId,
        successor: Option<RefreshTokenId>,
    ) -> Result<(), Error> {
        self.execute_one(&SPEND, (token, successor)).await
    }

    /// Gives a session its next access token; its last one is nobody's from here on.
    pub async fn rotate_session(
        &self,
        session: SessionId,
        token_hash: &[u8],
        access_expires_at: Timestamp,
        idle_expires_at: Timestamp,
    ) -> Result<(), Error> {
        self.execute_one(&ROTATE, (session, token_hash, access_expires_at, idle_expires_at)).await
    }
}
