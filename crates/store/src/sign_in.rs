//! Credentials and how often somebody may try.

use std::net::IpAddr;

use domain::sign_in::{AttemptLimit, LoginName};
use domain::{ClientId, PersonId};
use jiff::Timestamp;

use crate::{Error, Tx, queries, row};

/// What a login name stands for.
#[derive(Clone)]
pub struct Credential {
    /// The tenant.
    pub client_id: ClientId,
    /// The person.
    pub person_id: PersonId,
    /// The password's hash in PHC form.
    pub password_hash: String,
}

/// The answer to a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The attempt in the audit table.
    pub attempt_id: i64,
    /// Whether a password may be looked at.
    pub is_granted: bool,
    /// Which limit is full: `USERNAME` or `IP`.
    pub blocked_by: Option<String>,
    /// Seconds until the full window ends.
    pub retry_after_seconds: i32,
}

row! { Credential { client_id, person_id, password_hash } }
row! { Reservation { attempt_id, is_granted, blocked_by, retry_after_seconds } }

queries! {
    /// Counts one attempt, if both windows have room. Exact when it commits on its own.
    RESERVE: (IpAddr, String, f64, i32, i32) => Reservation = "
        select attempt_id, is_granted, blocked_by, retry_after_seconds
          from reserve_sign_in_attempt($1, $2, make_interval(secs => $3), $4, $5)";
    /// Says how a reserved attempt ended.
    SETTLE: (i64, bool) => bool = "
        select settle_sign_in_attempt($1, $2)";
    /// The person behind a login name, of any client.
    FIND_CREDENTIAL: (String,) => Credential = "
        select client_id, person_id, password_hash
          from find_credential($1)";
    /// Gives a person a login; a person who has one gets the new name and password.
    SET_CREDENTIAL: (PersonId, LoginName, String) => () = "
        insert into credential (person_id, login, password_hash)
        values ($1, $2, $3)
        on conflict (client_id, person_id) do update
           set login = excluded.login, password_hash = excluded.password_hash, changed_at = now()";
    /// Stores a password under another hash.
    SET_PASSWORD_HASH: (String, Timestamp, PersonId) => () = "
        update credential
           set password_hash = $1, changed_at = $2
         where person_id = $3";
    /// Forgets attempts of a network, of a login name, or of everybody.
    RESET: (Option<IpAddr>, Option<String>) => i32 = "
        select reset_sign_in_limits($1, $2)";
    /// What a reservation would answer, as operators know it.
    CHECK: (IpAddr, String, f64, i32) => serde_json::Value = "
        select check_rate_limit($1, $2, make_interval(secs => $3), $4)";
    /// Removes attempts older than some days.
    CLEAN_UP: (i32,) => i64 = "
        select clean_up_sign_in_attempts($1)";
}

impl Tx {
    /// Counts one attempt, if the windows of login name and network have room.
    pub async fn reserve_sign_in(
        &self,
        login: &LoginName,
        address: IpAddr,
        limit: &AttemptLimit,
    ) -> Result<Reservation, Error> {
        let window = limit.window.as_secs_f64();
        self.one(&RESERVE, (address, login.key(), window, limit.per_login, limit.per_address)).await
    }

    /// Says that a reserved attempt succeeded: the login name's failures are forgotten.
    pub async fn settle_succeeded_sign_in(&self, attempt: i64) -> Result<bool, Error> {
        self.one(&SETTLE, (attempt, true)).await
    }

    /// Says that a reserved attempt failed: it stays counted.
    pub async fn settle_failed_sign_in(&self, attempt: i64) -> Result<bool, Error> {
        self.one(&SETTLE, (attempt, false)).await
    }

    /// Finds the person behind a login name.
    pub async fn find_credential(&self, login: &LoginName) -> Result<Option<Credential>, Error> {
        self.opt(&FIND_CREDENTIAL, (login.key(),)).await
    }

    /// Gives a person a login, or changes it.
    pub async fn set_credential(&self, person: PersonId, login: &LoginName, hash: &str) -> Result<(), Error> {
        self.execute_one(&SET_CREDENTIAL, (person, login, hash)).await
    }

    /// Stores a person's password under another hash.
    pub async fn set_password_hash(&self, person: PersonId, hash: &str, now: Timestamp) -> Result<(), Error> {
        self.execute_one(&SET_PASSWORD_HASH, (hash, now, person)).await
    }

    /// Forgets attempts of a network or of a login name; of everybody when neither is given.
    pub async fn reset_sign_in_limits(
        &self,
        address: Option<IpAddr>,
        login: Option<&str>,
    ) -> Result<i32, Error> {
        self.one(&RESET, (address, login)).await
    }

    /// Tells how a login name and a network stand, as operators know it.
    pub async fn check_rate_limit(
        &self,
        address: IpAddr,
        login: &str,
        limit: &AttemptLimit,
    ) -> Result<serde_json::Value, Error> {
        self.one(&CHECK, (address, login, limit.window.as_secs_f64(), limit.per_login)).await
    }

    /// Removes attempts older than some days.
    pub async fn clean_up_sign_in_attempts(&self, days: i32) -> Result<i64, Error> {
        self.one(&CLEAN_UP, (days,)).await
    }
}
