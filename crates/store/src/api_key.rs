//! Keys of other programs.

use domain::{ApiKeyId, Capability, PersonId};
use jiff::Timestamp;

use crate::session::LiveSession;
use crate::{Error, Tx, queries, row};

/// A key to be kept. Only its hash is stored.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// For whom it acts.
    pub person_id: PersonId,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the key.
    pub token_hash: [u8; 32],
    /// Its last four characters.
    pub hint: String,
    /// Networks (CIDR) from which alone it may be used; none means any.
    pub networks: Vec<String>,
    /// Who made it.
    pub created_by: PersonId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// One key of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What it is for.
    pub name: String,
    /// Its last four characters.
    pub hint: String,
    /// For whom it acts.
    pub person_id: PersonId,
    /// That person's name.
    pub person_name: String,
    /// What it may do of that which the person may.
    pub capabilities: Vec<Capability>,
    /// Networks from which alone it may be used.
    pub networks: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last used, to the minute.
    pub used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

row! {
    ApiKey {
        id, name, hint, person_id, person_name, capabilities, networks, created_at, expires_at, used_at, revoked_at
    }
}

queries! {
    /// The live key of a token, from a connection of no tenant.
    FIND: (Vec<u8>,) => LiveSession = "
        select session_id, client_id, client_name, time_zone, demo, person_id, person_name, capabilities, site_ids,
               expires_at, kind, factors, authenticated_at, owes_factor, elevation_id, networks, home_client_id
          from find_api_key($1)";
    /// Keeps a key.
    INSERT: (ApiKeyId, PersonId, String, Vec<u8>, String, Vec<String>, PersonId, Timestamp, Timestamp) => () = "
        insert into api_key (id, person_id, name, token_hash, hint, networks, created_by, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6::text[]::cidr[], $7, $8, $9)";
    /// Says what a key may do.
    ALLOW: (ApiKeyId, Vec<Capability>) => () = "
        insert into api_key_scope (key_id, capability)
        select $1, capability
          from unnest($2::text[]) as capability";
    /// The client's keys, the latest first.
    LIST: (i64,) => ApiKey = "
        select api_key.id, api_key.name, api_key.hint, api_key.person_id, person.name as person_name,
               array(select api_key_scope.capability
                       from api_key_scope
                      where api_key_scope.client_id = api_key.client_id and api_key_scope.key_id = api_key.id
                      order by api_key_scope.capability) as capabilities,
               coalesce(api_key.networks::text[], '{}') as networks, api_key.created_at, api_key.expires_at,
               api_key.used_at, api_key.revoked_at
          from api_key
          join person on person.client_id = api_key.client_id and person.id = api_key.person_id
         order by api_key.id desc
         limit $1";
    /// How many keys of the client are good.
    COUNT_LIVE: () => i64 = "
        select count(*)
          from api_key
         where revoked_at is null
           and expires_at > now()";
    /// Ends a key; one that ended stays as it is.
    REVOKE: (ApiKeyId,) => () = "
        update api_key
           set revoked_at = now()
         where id = $1
           and revoked_at is null";
    /// The name of a key.
    NAME: (ApiKeyId,) => String = "
        select name
          from api_key
         where id = $1";
}

impl Tx {
    /// Finds the live key of a token and everything its bearer may do.
    pub async fn find_api_key(&self, token_hash: &[u8]) -> Result<Option<LiveSession>, Error> {
        self.opt(&FIND, (token_hash,)).await
    }

    /// Keeps a key.
    pub async fn insert_api_key(&self, key: &NewApiKey) -> Result<(), Error> {
        let columns = (
            key.id,
            key.person_id,
            &key.name,
            key.token_hash.as_slice(),
            &key.hint,
            key.networks.as_slice(),
            key.created_by,
            key.created_at,
            key.expires_at,
        );
        self.execute_one(&INSERT, columns).await
    }

    /// Says what a key may do.
    pub async fn allow_api_key(&self, key: ApiKeyId, capabilities: &[Capability]) -> Result<u64, Error> {
        self.execute(&ALLOW, (key, capabilities.to_vec())).await
    }

    /// Reads the client's keys, the latest first.
    pub async fn api_keys(&self, limit: i64) -> Result<Vec<ApiKey>, Error> {
        self.all(&LIST, (limit,)).await
    }

    /// Counts the client's keys that are good.
    pub async fn count_live_api_keys(&self) -> Result<i64, Error> {
        self.one(&COUNT_LIVE, ()).await
    }

    /// Ends a key; answers how many ended.
    pub async fn revoke_api_key(&self, key: ApiKeyId) -> Result<u64, Error> {
        self.execute(&REVOKE, (key,)).await
    }

    /// Reads a key's name.
    pub async fn name_of_api_key(&self, key: ApiKeyId) -> Result<Option<String>, Error> {
        self.opt(&NAME, (key,)).await
    }
}
