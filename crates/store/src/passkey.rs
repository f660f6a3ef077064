//! Passkeys, and the server's half of their ceremonies between two requests.

use domain::account::CeremonyPurpose;
use domain::{CeremonyId, PasskeyId, PersonId};
use jiff::Timestamp;
use serde_json::Value;

use crate::{Error, Tx, queries, row};

/// A passkey as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyRow {
    /// Its id.
    pub id: PasskeyId,
    /// What its owner calls it.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
}

/// A passkey as its signatures are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPasskey {
    /// Its id.
    pub id: PasskeyId,
    /// What the authenticator calls it.
    pub credential_id: Vec<u8>,
    /// Its public key and counter.
    pub public_part: Value,
}

/// A passkey to be added.
#[derive(Clone, Debug)]
pub struct NewPasskey {
    /// Its id.
    pub id: PasskeyId,
    /// Whose it is.
    pub person_id: PersonId,
    /// What the authenticator calls it.
    pub credential_id: Vec<u8>,
    /// What its owner calls it.
    pub name: String,
    /// Its public key and counter.
    pub public_part: Value,
    /// When it is added.
    pub created_at: Timestamp,
}

/// A ceremony to be kept until its answer.
#[derive(Clone, Debug)]
pub struct NewCeremony {
    /// Its id.
    pub id: CeremonyId,
    /// Whose it is.
    pub person_id: PersonId,
    /// What it is for.
    pub purpose: CeremonyPurpose,
    /// The server's half.
    pub state: Value,
    /// When it ends.
    pub expires_at: Timestamp,
}

row! { PasskeyRow { id, name, created_at, used_at } }
row! { StoredPasskey { id, credential_id, public_part } }

queries! {
    /// A person's passkeys, the oldest first.
    LIST: (PersonId,) => PasskeyRow = "
        select id, name, created_at, used_at
          from passkey
         where person_id = $1
         order by created_at, id";
    /// What a person's passkeys are checked with.
    STORED: (PersonId,) => StoredPasskey = "
        select id, credential_id, public_part
          from passkey
         where person_id = $1
         order by created_at, id";
    /// Adds a passkey; one that is at any account stays as it is.
    INSERT: (PasskeyId, PersonId, Vec<u8>, String, Value, Timestamp) => () = "
        insert into passkey (id, person_id, credential_id, name, public_part, created_at)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (credential_id) do nothing";
    /// Keeps what a use changed.
    TOUCH: (PasskeyId, Value, Timestamp) => () = "
        update passkey
           set public_part = $2, used_at = $3
         where id = $1";
    /// Removes a person's passkey.
    DELETE: (PasskeyId, PersonId) => () = "
        delete from passkey
         where id = $1
           and person_id = $2";
    /// Removes a person's passkeys.
    DROP_ALL: (PersonId,) => () = "
        delete from passkey
         where person_id = $1";
    /// Keeps a ceremony.
    INSERT_CEREMONY: (CeremonyId, PersonId, CeremonyPurpose, Value, Timestamp) => () = "
        insert into passkey_ceremony (id, person_id, purpose, state, expires_at)
        values ($1, $2, $3, $4, $5)";
    /// Forgets ceremonies that wait for an answer.
    DROP_CEREMONIES: (PersonId, CeremonyPurpose) => () = "
        delete from passkey_ceremony
         where person_id = $1
           and purpose = $2";
    /// Takes the ceremony that waits for an answer, once.
    TAKE_CEREMONY: (PersonId, CeremonyPurpose) => Value = "
        delete from passkey_ceremony
         where person_id = $1
           and purpose = $2
           and expires_at > now()
        returning state";
}

impl Tx {
    /// Lists a person's passkeys.
    pub async fn list_passkeys(&self, person: PersonId) -> Result<Vec<PasskeyRow>, Error> {
        self.all(&LIST, (person,)).await
    }

    /// Reads what a person's passkeys are checked with.
    pub async fn stored_passkeys(&self, person: PersonId) -> Result<Vec<StoredPasskey>, Error> {
        self.all(&STORED, (person,)).await
    }

    /// Adds a passkey; answers whether it is new to every account.
    pub async fn insert_passkey(&self, passkey: &NewPasskey) -> Result<bool, Error> {
        let columns = (
            passkey.id,
            passkey.person_id,
            passkey.credential_id.as_slice(),
            &passkey.name,
            &passkey.public_part,
            passkey.created_at,
        );
        Ok(self.execute(&INSERT, columns).await? > 0)
    }

    /// Keeps what a use of a passkey changed; [`Error::Stale`] when it is gone.
    pub async fn touch_passkey(
        &self,
        id: PasskeyId,
        public_part: &Value,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.execute_one(&TOUCH, (id, public_part, now)).await
    }

    /// Removes a person's passkey; answers whether there was one.
    pub async fn delete_passkey(&self, id: PasskeyId, person: PersonId) -> Result<bool, Error> {
        Ok(self.execute(&DELETE, (id, person)).await? > 0)
    }

    /// Removes a person's passkeys; answers how many went.
    pub async fn drop_passkeys(&self, person: PersonId) -> Result<u64, Error> {
        self.execute(&DROP_ALL, (person,)).await
    }

    /// Keeps a ceremony in place of those of the same purpose that wait.
    pub async fn keep_ceremony(&self, ceremony: &NewCeremony) -> Result<(), Error> {
        self.execute(&DROP_CEREMONIES, (ceremony.person_id, ceremony.purpose)).await?;
        let columns =
            (ceremony.id, ceremony.person_id, ceremony.purpose, &ceremony.state, ceremony.expires_at);
        self.execute_one(&INSERT_CEREMONY, columns).await
    }

    /// Takes the ceremony that waits for an answer: whoever asks again finds none.
    pub async fn take_ceremony(
        &self,
        person: PersonId,
        purpose: CeremonyPurpose,
    ) -> Result<Option<Value>, Error> {
        self.opt(&TAKE_CEREMONY, (person, purpose)).await
    }
}
