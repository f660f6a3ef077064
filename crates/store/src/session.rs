//! Sessions: opening, finding by token, ending.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use domain::account::SessionKind;
use domain::{Capability, ClientId, ElevationId, HandsetId, PersonId, SessionId, SiteId};
use jiff::Timestamp;

use crate::{Column, Error, FromRow, Tx, queries, row};

/// A live session and everything an identity says about its person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSession {
    /// The session.
    pub session_id: SessionId,
    /// The tenant.
    pub client_id: ClientId,
    /// The tenant's name.
    pub client_name: String,
    /// The tenant's IANA time zone.
    pub time_zone: String,
    /// Whether the tenant's rows are demo data.
    pub demo: bool,
    /// The person.
    pub person_id: PersonId,
    /// The person's name.
    pub person_name: String,
    /// What the person may do: granted to them and bought by the client.
    pub capabilities: BTreeSet<Capability>,
    /// The sites the person sees; `None` means every site.
    pub sites: Option<BTreeSet<SiteId>>,
    /// When the session ends unless it is used.
    pub expires_at: Timestamp,
    /// What the person is signed in with.
    pub kind: SessionKind,
    /// How many factors were proven.
    pub factors: i16,
    /// When that was last proven.
    pub authenticated_at: Timestamp,
    /// Whether the person must set a second factor up before anything else.
    pub owes_factor: bool,
    /// The look into another client under way; `client_id` is that client's then.
    pub elevation_id: Option<ElevationId>,
    /// Networks from which alone it may be used; none means any.
    pub networks: Vec<String>,
    /// The client the person belongs to.
    pub home_client_id: ClientId,
}

/// A session to be opened. Only the token's hash is stored.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub person_id: PersonId,
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// When it is opened.
    pub created_at: Timestamp,
    /// When it ends unless it is used.
    pub idle_expires_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// The browser's words about itself, shortened.
    pub user_agent: String,
    /// Where the person is.
    pub address: IpAddr,
    /// What somebody signed in with.
    pub kind: SessionKind,
    /// How many factors were proven.
    pub factors: i16,
    /// When the token ends although the session does not; of a handset's session only.
    pub access_expires_at: Option<Timestamp>,
    /// The handset, of a handset's session only.
    pub handset_id: Option<HandsetId>,
}

/// A token that takes the place of a session's token.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// How many factors are proven from here on.
    pub factors: i16,
    /// When that was proven.
    pub authenticated_at: Timestamp,
    /// When the token ends although the session does not; of a handset's session only.
    pub access_expires_at: Option<Timestamp>,
}

/// One session of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// What it was opened with.
    pub kind: SessionKind,
    /// How many factors were proven.
    pub factors: i16,
    /// The browser's or handset's words about itself.
    pub user_agent: String,
    /// Where it was opened.
    pub address: Option<IpAddr>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_seen_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
}

row! { SessionRow { id, kind, factors, user_agent, address, created_at, last_seen_at, expires_at } }

impl FromRow for LiveSession {
    fn columns() -> Vec<Column> {
        vec![
            Column::of::<SessionId>(Some("session_id")),
            Column::of::<ClientId>(Some("client_id")),
            Column::of::<String>(Some("client_name")),
            Column::of::<String>(Some("time_zone")),
            Column::of::<bool>(Some("demo")),
            Column::of::<PersonId>(Some("person_id")),
            Column::of::<String>(Some("person_name")),
            Column::of::<Vec<Capability>>(Some("capabilities")),
            Column::of::<Option<Vec<SiteId>>>(Some("site_ids")),
            Column::of::<Timestamp>(Some("expires_at")),
            Column::of::<SessionKind>(Some("kind")),
            Column::of::<i16>(Some("factors")),
            Column::of::<Timestamp>(Some("authenticated_at")),
            Column::of::<bool>(Some("owes_factor")),
            Column::of::<Option<ElevationId>>(Some("elevation_id")),
            Column::of::<Vec<String>>(Some("networks")),
            Column::of::<ClientId>(Some("home_client_id")),
        ]
    }

    fn from_row(row: &tokio_postgres::Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            session_id: row.try_get("session_id")?,
            client_id: row.try_get("client_id")?,
            client_name: row.try_get("client_name")?,
            time_zone: row.try_get("time_zone")?,
            demo: row.try_get("demo")?,
            person_id: row.try_get("person_id")?,
            person_name: row.try_get("person_name")?,
            capabilities: row.try_get::<_, Vec<Capability>>("capabilities")?.into_iter().collect(),
            sites: row.try_get::<_, Option<Vec<SiteId>>>("site_ids")?.map(BTreeSet::from_iter),
            expires_at: row.try_get("expires_at")?,
            kind: row.try_get("kind")?,
            factors: row.try_get("factors")?,
            authenticated_at: row.try_get("authenticated_at")?,
            owes_factor: row.try_get("owes_factor")?,
            elevation_id: row.try_get("elevation_id")?,
            networks: row.try_get("networks")?,
            home_client_id: row.try_get("home_client_id")?,
        })
    }
}

queries! {
    /// The live session of a token, from a connection of no tenant; its idle limit moves at most once a minute.
    FIND: (Vec<u8>, f64) => LiveSession = "
        select session_id, client_id, client_name, time_zone, demo, person_id, person_name, capabilities, site_ids,
               expires_at, kind, factors, authenticated_at, owes_factor, elevation_id, networks, home_client_id
          from find_session($1, make_interval(secs => $2))";
    /// Opens a session.
    INSERT: (SessionId, PersonId, Vec<u8>, Timestamp, Timestamp, Timestamp, String, IpAddr, SessionKind, i16,
             Option<Timestamp>, Option<HandsetId>) => () = "
        insert into session (id, person_id, token_hash, created_at, last_seen_at, authenticated_at, idle_expires_at,
                             expires_at, user_agent, address, kind, factors, access_expires_at, handset_id)
        values ($1, $2, $3, $4, $4, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    /// Gives a live session another token; the one before it is nobody's.
    REPLACE_TOKEN: (SessionId, PersonId, Vec<u8>, i16, Timestamp, Option<Timestamp>) => () = "
        update session
           set token_hash = $3, factors = $4, authenticated_at = $5, access_expires_at = $6
         where id = $1
           and person_id = $2
           and revoked_at is null";
    /// The live sessions of a person, the latest first.
    LIST: (PersonId, i64) => SessionRow = "
        select id, kind, factors, user_agent, address, created_at, last_seen_at, expires_at
          from session
         where person_id = $1
           and revoked_at is null
           and idle_expires_at > now()
           and expires_at > now()
         order by last_seen_at desc, id
         limit $2";
    /// Ends a person's session; one that ended stays as it is.
    REVOKE: (SessionId, PersonId) => () = "
        update session
           set revoked_at = now()
         where id = $1
           and person_id = $2
           and revoked_at is null";
    /// Ends every session of a person but one.
    REVOKE_OTHERS: (PersonId, Option<SessionId>) => () = "
        update session
           set revoked_at = now()
         where person_id = $1
           and id is distinct from $2
           and revoked_at is null";
    /// How many sessions of every tenant a clean-up would remove, as the owner.
    COUNT_ENDED: () => i64 = "
        select count(*)
          from session
         where expires_at < now() or idle_expires_at < now() or revoked_at < now() - interval '1 day'";
    /// Removes sessions of every tenant that ended; answers with counts.
    CLEAN_UP: () => serde_json::Value = "
        select cleanup_expired_sessions()";
}

impl Tx {
    /// Finds the live session of a token.
    pub async fn find_session(
        &self,
        token_hash: &[u8],
        idle: Duration,
    ) -> Result<Option<LiveSession>, Error> {
        self.opt(&FIND, (token_hash, idle.as_secs_f64())).await
    }

    /// Opens a session.
    pub async fn insert_session(&self, session: &NewSession) -> Result<(), Error> {
        let columns = (
            session.id,
            session.person_id,
            session.token_hash.as_slice(),
            session.created_at,
            session.idle_expires_at,
            session.expires_at,
            &session.user_agent,
            session.address,
            session.kind,
            session.factors,
            session.access_expires_at,
            session.handset_id,
        );
        self.execute_one(&INSERT, columns).await
    }

    /// Gives a person's live session another token; [`Error::Stale`] when it ended.
    pub async fn replace_session_token(
        &self,
        id: SessionId,
        person: PersonId,
        new: &NewToken,
    ) -> Result<(), Error> {
        let hash = new.token_hash.as_slice();
        let columns = (id, person, hash, new.factors, new.authenticated_at, new.access_expires_at);
        self.execute_one(&REPLACE_TOKEN, columns).await
    }

    /// Lists the live sessions of a person, the latest first.
    pub async fn list_sessions(&self, person: PersonId, limit: i64) -> Result<Vec<SessionRow>, Error> {
        self.all(&LIST, (person, limit)).await
    }

    /// Ends a person's session; answers how many ended.
    pub async fn revoke_session(&self, id: SessionId, person: PersonId) -> Result<u64, Error> {
        self.execute(&REVOKE, (id, person)).await
    }

    /// Ends every session of a person but one; answers how many ended.
    pub async fn revoke_other_sessions(
        &self,
        person: PersonId,
        kept: Option<SessionId>,
    ) -> Result<u64, Error> {
        self.execute(&REVOKE_OTHERS, (person, kept)).await
    }

    /// Counts the sessions a clean-up would remove.
    pub async fn count_ended_sessions(&self) -> Result<i64, Error> {
        self.one(&COUNT_ENDED, ()).await
    }

    /// Removes sessions that ended; answers how many went and how many are left.
    pub async fn clean_up_sessions(&self) -> Result<serde_json::Value, Error> {
        self.one(&CLEAN_UP, ()).await
    }
}
