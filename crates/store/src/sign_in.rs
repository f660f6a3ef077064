//! Credentials and how often somebody may try.

use std::net::IpAddr;

use domain::sign_in::{AttemptLimit, AttemptOutcome, GuessKind, LoginName};
use domain::{ClientId, PersonId, SignInStepId};
use jiff::{SignedDuration, Timestamp};

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
    /// Whether the person has an authenticator.
    pub has_totp: bool,
    /// How many passkeys the person has.
    pub passkeys: i32,
    /// Whether the client demands a second factor.
    pub second_factor_required: bool,
}

impl Credential {
    /// Whether the password alone lets nobody in.
    pub fn owes_factor(&self) -> bool {
        self.has_totp || self.passkeys > 0
    }
}

/// A sign-in whose password was right and that owes a second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInStep {
    /// The tenant.
    pub client_id: ClientId,
    /// The person.
    pub person_id: PersonId,
    /// Its id.
    pub id: SignInStepId,
    /// Whether the browser is to be known the next time.
    pub remember: bool,
}

/// A step to be begun. Only the token's hash is stored.
#[derive(Clone, Debug)]
pub struct NewSignInStep {
    /// Its id.
    pub id: SignInStepId,
    /// Whose it is.
    pub person_id: PersonId,
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// Whether the browser is to be known the next time.
    pub remember: bool,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The answer to a guess at something that is no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    /// Whether it may be looked at.
    pub is_granted: bool,
    /// Seconds until the full window ends.
    pub retry_after_seconds: i32,
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
row! { Credential { client_id, person_id, password_hash, has_totp, passkeys, second_factor_required } }
row! { SignInStep { client_id, person_id, id, remember } }
row! { Guess { is_granted, retry_after_seconds } }
row! { Reservation { attempt_id, is_granted, blocked_by, retry_after_seconds } }

queries! {
    /// Counts one attempt, if both windows have room. Exact when it commits on its own.
    RESERVE: (IpAddr, String, f64, i32, i32, Option<Vec<u8>>) => Reservation = "
        select attempt_id, is_granted, blocked_by, retry_after_seconds
          from reserve_sign_in_attempt($1, $2, make_interval(secs => $3), $4, $5, $6)";
    /// Says how a reserved attempt ended.
    SETTLE: (i64, AttemptOutcome) => bool = "
        select settle_sign_in_attempt($1, $2)";
    /// The person behind a login name, of any client.
    FIND_CREDENTIAL: (String,) => Credential = "
        select client_id, person_id, password_hash, has_totp, passkeys, second_factor_required
          from find_credential($1)";
    /// The hash of a person's password.
    PASSWORD: (PersonId,) => String = "
        select password_hash
          from credential
         where person_id = $1";
    /// Gives a person another password, unless it was changed since its hash was compared.
    CHANGE_PASSWORD: (PersonId, String, String, Timestamp) => () = "
        update credential
           set password_hash = $3, changed_at = $4
         where person_id = $1
           and password_hash = $2";
    /// Gives a person another password, whatever it was.
    RESET_PASSWORD: (PersonId, String, Timestamp) => () = "
        update credential
           set password_hash = $2, changed_at = $3
         where person_id = $1";
    /// Begins a step.
    INSERT_STEP: (SignInStepId, PersonId, Vec<u8>, bool, Timestamp) => () = "
        insert into sign_in_step (id, person_id, token_hash, remember, expires_at)
        values ($1, $2, $3, $4, $5)";
    /// Whose unfinished sign-in a token is, of any client.
    FIND_STEP: (Vec<u8>,) => SignInStep = "
        select client_id, person_id, id, remember
          from find_sign_in_step($1)";
    /// Ends a step, once.
    TAKE_STEP: (SignInStepId,) => () = "
        delete from sign_in_step
         where id = $1
           and expires_at > now()";
    /// Ends every step of a person.
    DROP_STEPS: (PersonId,) => () = "
        delete from sign_in_step
         where person_id = $1";
    /// Counts one guess, if its window has room. Exact when it commits on its own.
    RESERVE_GUESS: (GuessKind, String, f64, i32) => Guess = "
        select is_granted, retry_after_seconds
          from reserve_guess($1, $2, make_interval(secs => $3), $4)";
    /// Forgets the guesses of somebody who was right.
    FORGET_GUESSES: (GuessKind, String) => bool = "
        select forget_guesses($1, $2)";
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
    /// Counts one attempt, if the windows of login name and network have room. A device the person signed in with before
    /// has a window of its own in place of the login name's.
    pub async fn reserve_sign_in(
        &self,
        login: &LoginName,
        address: IpAddr,
        limit: &AttemptLimit,
        device_hash: Option<&[u8; 32]>,
    ) -> Result<Reservation, Error> {
        let window = limit.window.as_secs_f64();
        let device = device_hash.map(|hash| hash.to_vec());
        self.one(&RESERVE, (address, login.key(), window, limit.per_login, limit.per_address, device)).await
    }

    /// Says how a reserved attempt ended; answers whether it was still open.
    pub async fn settle_sign_in(&self, attempt: i64, outcome: AttemptOutcome) -> Result<bool, Error> {
        self.one(&SETTLE, (attempt, outcome)).await
    }

    /// Finds the person behind a login name.
    pub async fn find_credential(&self, login: &LoginName) -> Result<Option<Credential>, Error> {
        self.opt(&FIND_CREDENTIAL, (login.key(),)).await
    }

    /// Reads the hash of a person's password, if they have one.
    pub async fn password_hash(&self, person: PersonId) -> Result<Option<String>, Error> {
        self.opt(&PASSWORD, (person,)).await
    }

    /// Gives a person another password; [`Error::Stale`] when it was changed since `compared` was read.
    pub async fn change_password(
        &self,
        person: PersonId,
        compared: &str,
        new_hash: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.execute_one(&CHANGE_PASSWORD, (person, compared, new_hash, now)).await
    }

    /// Gives a person another password, whatever it was; [`Error::Stale`] when they have no login.
    pub async fn reset_password(
        &self,
        person: PersonId,
        new_hash: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.execute_one(&RESET_PASSWORD, (person, new_hash, now)).await
    }

    /// Begins a sign-in that owes a second factor.
    pub async fn insert_sign_in_step(&self, step: &NewSignInStep) -> Result<(), Error> {
        let hash = step.token_hash.as_slice();
        self.execute_one(&INSERT_STEP, (step.id, step.person_id, hash, step.remember, step.expires_at)).await
    }

    /// Finds the unfinished sign-in of a token.
    pub async fn find_sign_in_step(&self, token_hash: &[u8; 32]) -> Result<Option<SignInStep>, Error> {
        self.opt(&FIND_STEP, (token_hash.as_slice(),)).await
    }

    /// Ends an unfinished sign-in; [`Error::Stale`] for all but the first who does.
    pub async fn take_sign_in_step(&self, id: SignInStepId) -> Result<(), Error> {
        self.execute_one(&TAKE_STEP, (id,)).await
    }

    /// Ends every unfinished sign-in of a person.
    pub async fn drop_sign_in_steps(&self, person: PersonId) -> Result<u64, Error> {
        self.execute(&DROP_STEPS, (person,)).await
    }

    /// Counts one guess at what is no password, if its window has room.
    pub async fn reserve_guess(
        &self,
        kind: GuessKind,
        subject: &str,
        window: SignedDuration,
        max: i32,
    ) -> Result<Guess, Error> {
        self.one(&RESERVE_GUESS, (kind, subject, window.as_secs_f64(), max)).await
    }

    /// Forgets the guesses of somebody who was right; answers whether any were counted.
    pub async fn forget_guesses(&self, kind: GuessKind, subject: &str) -> Result<bool, Error> {
        self.one(&FORGET_GUESSES, (kind, subject)).await
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
