//! What somebody proves besides the password, how an account stands, and when a session was last proven.

use domain::account::{SecondFactorRule, SessionKind};
use domain::{PersonId, SessionId};
use jiff::Timestamp;

use crate::{Error, Tx, queries, row};

/// An authenticator's secret, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totp {
    /// The sealed secret.
    pub sealed: Vec<u8>,
    /// Which key opens it.
    pub key_name: String,
    /// The time step of the last code that was taken.
    pub last_step: i64,
    /// Whether its owner proved that the authenticator has the secret.
    pub is_confirmed: bool,
}

/// How an account stands: whose it is, and what its client demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountOwner {
    /// The person's name.
    pub name: String,
    /// Where mail goes.
    pub email: Option<String>,
    /// Whether that address was proven.
    pub email_verified: bool,
    /// The login name, of somebody who may sign in.
    pub login: Option<String>,
    /// The client's name.
    pub client_name: String,
    /// Whether the client demands a second factor.
    pub second_factor: SecondFactorRule,
}

/// What was proven for a live session, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What it was opened with.
    pub kind: SessionKind,
    /// How many factors were proven.
    pub factors: i16,
    /// When that was last proven.
    pub authenticated_at: Timestamp,
}

row! { Totp { sealed, key_name, last_step, is_confirmed } }
row! { AccountOwner { name, email, email_verified, login, client_name, second_factor } }
row! { Proof { kind, factors, authenticated_at } }

queries! {
    /// A person's authenticator.
    TOTP: (PersonId,) => Totp = "
        select sealed, key_name, last_step, confirmed_at is not null as is_confirmed
          from totp
         where person_id = $1";
    /// Begins an authenticator; one that works stays as it is.
    BEGIN_TOTP: (PersonId, Vec<u8>, String, Timestamp) => () = "
        insert into totp (person_id, sealed, key_name, created_at)
        values ($1, $2, $3, $4)
        on conflict (client_id, person_id) do update
           set sealed = excluded.sealed, key_name = excluded.key_name, last_step = 0, created_at = excluded.created_at
         where totp.confirmed_at is null";
    /// Makes an authenticator count, with the code that proved it.
    CONFIRM_TOTP: (PersonId, i64, Timestamp) => () = "
        update totp
           set confirmed_at = $3, last_step = $2
         where person_id = $1
           and confirmed_at is null
           and last_step < $2";
    /// Takes the code of a time step, and with it every earlier one.
    TAKE_STEP: (PersonId, i64) => () = "
        update totp
           set last_step = $2
         where person_id = $1
           and confirmed_at is not null
           and last_step < $2";
    /// Removes a person's authenticator.
    DROP_TOTP: (PersonId,) => () = "
        delete from totp
         where person_id = $1";
    /// Keeps hashes of recovery codes.
    INSERT_CODES: (PersonId, Vec<Vec<u8>>) => () = "
        insert into recovery_code (person_id, code_hash)
        select $1, code_hash
          from unnest($2::bytea[]) as code_hash";
    /// Uses a recovery code up.
    USE_CODE: (PersonId, Vec<u8>, Timestamp) => () = "
        update recovery_code
           set used_at = $3
         where person_id = $1
           and code_hash = $2
           and used_at is null";
    /// Removes a person's recovery codes.
    DROP_CODES: (PersonId,) => () = "
        delete from recovery_code
         where person_id = $1";
    /// How many recovery codes are left.
    COUNT_CODES: (PersonId,) => i64 = "
        select count(*)
          from recovery_code
         where person_id = $1
           and used_at is null";
    /// Whose account it is.
    OWNER: (PersonId,) => AccountOwner = "
        select person.name, person.email, person.email_verified_at is not null as email_verified, credential.login,
               client.name as client_name, client.second_factor
          from person
          join client on client.client_id = person.client_id
          left join credential on credential.client_id = person.client_id and credential.person_id = person.id
         where person.id = $1";
    /// What was proven for a person's live session.
    PROOF: (SessionId, PersonId) => Proof = "
        select kind, factors, authenticated_at
          from session
         where id = $1
           and person_id = $2
           and revoked_at is null
           and idle_expires_at > now()
           and expires_at > now()";
}

impl Tx {
    /// Reads a person's authenticator.
    pub async fn totp(&self, person: PersonId) -> Result<Option<Totp>, Error> {
        self.opt(&TOTP, (person,)).await
    }

    /// Begins an authenticator in place of one that was never confirmed; [`Error::Stale`] when one works.
    pub async fn begin_totp(
        &self,
        person: PersonId,
        sealed: &[u8],
        key_name: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.execute_one(&BEGIN_TOTP, (person, sealed, key_name, now)).await
    }

    /// Makes an authenticator count; [`Error::Stale`] when there is none to be confirmed.
    pub async fn confirm_totp(&self, person: PersonId, step: i64, now: Timestamp) -> Result<(), Error> {
        self.execute_one(&CONFIRM_TOTP, (person, step, now)).await
    }

    /// Takes the code of a time step; answers whether it was still to be had.
    pub async fn take_totp_step(&self, person: PersonId, step: i64) -> Result<bool, Error> {
        Ok(self.execute(&TAKE_STEP, (person, step)).await? > 0)
    }

    /// Removes a person's authenticator; answers how many went.
    pub async fn drop_totp(&self, person: PersonId) -> Result<u64, Error> {
        self.execute(&DROP_TOTP, (person,)).await
    }

    /// Keeps hashes of recovery codes beside those there are.
    pub async fn insert_recovery_codes(&self, person: PersonId, hashes: Vec<Vec<u8>>) -> Result<u64, Error> {
        self.execute(&INSERT_CODES, (person, hashes)).await
    }

    /// Uses a recovery code up; answers whether it was good.
    pub async fn use_recovery_code(
        &self,
        person: PersonId,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<bool, Error> {
        Ok(self.execute(&USE_CODE, (person, hash.as_slice(), now)).await? > 0)
    }

    /// Removes a person's recovery codes; answers how many went.
    pub async fn drop_recovery_codes(&self, person: PersonId) -> Result<u64, Error> {
        self.execute(&DROP_CODES, (person,)).await
    }

    /// Counts the recovery codes that are left.
    pub async fn count_recovery_codes(&self, person: PersonId) -> Result<i64, Error> {
        self.one(&COUNT_CODES, (person,)).await
    }

    /// Reads whose account it is.
    pub async fn account_owner(&self, person: PersonId) -> Result<Option<AccountOwner>, Error> {
        self.opt(&OWNER, (person,)).await
    }

    /// Reads what was proven for a person's live session.
    pub async fn session_proof(&self, session: SessionId, person: PersonId) -> Result<Option<Proof>, Error> {
        self.opt(&PROOF, (session, person)).await
    }
}
