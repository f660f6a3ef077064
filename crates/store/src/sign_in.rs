//! Credentials and how often somebody may try.

use std::net::IpAddr;

use domain::sign_in::{AttemptLimit, AttemptOutcome, LoginName};
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
    /// The attempt's row in the audit table; those who are blocked in one window share one.
    pub attempt_id: i64,
    /// Whether a password may be looked at.
    pub is_granted: bool,
    /// Which limit is full: `USERNAME` or `IP`.
    pub blocked_by: Option<String>,
    /// Seconds until the full window ends.
    pub retry_after_seconds: i32,
}

/// Attempts counted under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInCounter {
    /// The login name or network.
    pub key: String,
    /// How many in the window.
    pub attempts: i32,
    /// When the window began.
    pub window_started_at: Timestamp,
}

row! { SignInCounter { key, attempts, window_started_at } }
row! { Credential { client_id, person_id, password_hash } }
row! { Reservation { attempt_id, is_granted, blocked_by, retry_after_seconds } }

queries! {
    /// Counts one attempt, if both windows have room. Exact when it commits on its own.
    RESERVE: (IpAddr, String, f64, i32, i32) => Reservation = "
        select attempt_id, is_granted, blocked_by, retry_after_seconds
          from reserve_sign_in_attempt($1, $2, make_interval(secs => $3), $4, $5)";
    /// Says how a reserved attempt ended.
    SETTLE: (i64, AttemptOutcome) => bool = "
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
    /// Notes that a credential lets somebody in, and keeps its password under a hash. No row when the hash that was
    /// compared is not the one kept: the password was changed meanwhile. It is an update, not a lock, so that who changes
    /// the password at the same moment meets this row as changed, and runs again.
    USE_CREDENTIAL: (Timestamp, String, PersonId, String) => () = "
        update credential
           set used_at = $1, password_hash = $2
         where person_id = $3
           and password_hash = $4";
    /// What is counted, the latest first, as the owner.
    COUNTERS: (i64,) => SignInCounter = "
        select key, attempts, window_started_at
          from sign_in_counter
         order by window_started_at desc, key
         limit $1";
    /// Forgets what is counted for a network, a login name, or everybody, as the owner.
    RESET: (Option<IpAddr>, Option<String>) => i32 = "
        select reset_sign_in_limits($1, $2)";
    /// Removes attempts older than some days, some at a time.
    CLEAN_UP: (i32, i32) => i64 = "
        select clean_up_sign_in_attempts($1, $2)";
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

    /// Says how a reserved attempt ended; answers whether it was still open.
    pub async fn settle_sign_in(&self, attempt: i64, outcome: AttemptOutcome) -> Result<bool, Error> {
        self.one(&SETTLE, (attempt, outcome)).await
    }

    /// Finds the person behind a login name.
    pub async fn find_credential(&self, login: &LoginName) -> Result<Option<Credential>, Error> {
        self.opt(&FIND_CREDENTIAL, (login.key(),)).await
    }

    /// Gives a person a login, or changes it.
    pub async fn set_credential(&self, person: PersonId, login: &LoginName, hash: &str) -> Result<(), Error> {
        self.execute_one(&SET_CREDENTIAL, (person, login, hash)).await
    }

    /// Notes that a credential lets its person in, and keeps `new_hash` from here on; [`Error::Stale`] when the password
    /// was changed since the credential was read.
    pub async fn use_credential(
        &self,
        credential: &Credential,
        new_hash: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let verified = &credential.password_hash;
        let kept = new_hash.unwrap_or(verified);
        self.execute_one(&USE_CREDENTIAL, (now, kept, credential.person_id, verified)).await
    }

    /// Reads what is counted, the latest first.
    pub async fn sign_in_counters(&self, limit: i64) -> Result<Vec<SignInCounter>, Error> {
        self.all(&COUNTERS, (limit,)).await
    }

    /// Forgets what is counted for a network, a login name, or (neither given) everybody; answers how many counters went.
    pub async fn reset_sign_in_limits(
        &self,
        address: Option<IpAddr>,
        login: Option<&str>,
    ) -> Result<i32, Error> {
        self.one(&RESET, (address, login)).await
    }

    /// Removes at most `limit` attempts older than some days; fewer than `limit` means that none are left.
    pub async fn clean_up_sign_in_attempts(&self, days: i32, limit: i32) -> Result<i64, Error> {
        self.one(&CLEAN_UP, (days, limit)).await
    }
}
