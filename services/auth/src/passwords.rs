//! Comparing passwords: a few at a time, on threads of their own, and as long for a stranger as for a friend.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use app::password::{self, Parameters};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{FieldError, Secret};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use crate::refusal::Refusal;
use crate::settings::PasswordSettings;
use crate::telemetry::{PASSWORD_VERIFICATION_SECONDS, PASSWORD_VERIFICATIONS};

/// Compares passwords with hashes. Cheap to clone; all clones share the limits.
#[derive(Clone)]
pub(crate) struct Passwords {
    parameters: Parameters,
    /// Whom a password is compared with when the login name is nobody's.
    nobody: Arc<str>,
    /// Callers that compare or wait.
    places: Arc<Semaphore>,
    /// Callers that compare.
    turns: Arc<Semaphore>,
    wait_timeout: Duration,
}

/// What a comparison says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is not the password.
    Wrong,
    /// It is the password.
    Right {
        /// The hash to keep from here on, when the kept one was made at another cost.
        new_hash: Option<String>,
    },
}

impl Passwords {
    /// Prepares the limits and the hash for nobody.
    pub(crate) async fn new(settings: &PasswordSettings) -> anyhow::Result<Self> {
        let parameters = settings.parameters();
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random).ok().context("the random number generator failed")?;
        let nobody =
            spawn_blocking(move || password::hash(&parameters, &URL_SAFE_NO_PAD.encode(random))).await??;
        Ok(Self {
            parameters,
            nobody: nobody.into(),
            places: Arc::new(Semaphore::new(settings.in_flight_max + settings.waiting_max)),
            turns: Arc::new(Semaphore::new(settings.in_flight_max)),
            wait_timeout: settings.wait_timeout(),
        })
    }

    /// A hash that no password has: of who has not set one yet.
    pub(crate) fn hash_of_nobody(&self) -> String {
        self.nobody.as_ref().to_owned()
    }

    /// Compares a password with the hash of a credential, or of nobody when there is none.
    pub(crate) async fn verify(&self, hash: Option<String>, password: Secret) -> Result<Verdict, Refusal> {
        let of = if hash.is_some() { "credential" } else { "nobody" };
        self.compare(of, hash, password).await
    }

    /// Compares a password that somebody who is signed in gives again.
    pub(crate) async fn verify_again(&self, hash: Option<String>, password: Secret) -> Result<bool, Refusal> {
        Ok(self.compare("step-up", hash, password).await? != Verdict::Wrong)
    }

    /// Hashes a new password, unless it breaks rules.
    pub(crate) async fn make(
        &self,
        password: Secret,
        broken: impl FnOnce(&str) -> Vec<FieldError> + Send + 'static,
    ) -> Result<Result<String, Vec<FieldError>>, Refusal> {
        let turn = self.turn().await?;
        let parameters = self.parameters;
        let made = spawn_blocking(move || {
            let _turn = turn;
            let broken = broken(password.expose());
            if broken.is_empty() {
                password::hash(&parameters, password.expose()).map(Ok)
            } else {
                Ok(Err(broken))
            }
        });
        let made = made.await.map_err(|panicked| Refusal::Broken(panicked.into()))?;
        made.map_err(|failed| Refusal::Broken(failed.into()))
    }

    async fn compare(
        &self,
        of: &'static str,
        hash: Option<String>,
        password: Secret,
    ) -> Result<Verdict, Refusal> {
        let turn = self.turn().await?;
        metrics::counter!(PASSWORD_VERIFICATIONS, "of" => of).increment(1);
        let (parameters, nobody) = (self.parameters, Arc::clone(&self.nobody));
        let verdict = spawn_blocking(move || {
            // The turn ends with the hash, not with the caller: one that hangs up makes no room for another.
            let _turn = turn;
            let started = Instant::now();
            let verdict = compare(&parameters, hash.as_deref(), &nobody, password.expose());
            metrics::histogram!(PASSWORD_VERIFICATION_SECONDS).record(started.elapsed());
            verdict
        });
        let verdict = verdict.await.map_err(|panicked| Refusal::Broken(panicked.into()))?;
        verdict.map_err(|unreadable| Refusal::Broken(unreadable.into()))
    }

    /// A place in the queue, then a turn.
    async fn turn(&self) -> Result<Turn, Refusal> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_full| Refusal::Busy)?;
        let waiting = tokio::time::timeout(self.wait_timeout, Arc::clone(&self.turns).acquire_owned());
        let turn = waiting.await.map_err(|_elapsed| Refusal::Busy)?.map_err(|_closed| Refusal::Busy)?;
        Ok(Turn { _place: place, _turn: turn })
    }
}

/// The right to compute one hash.
struct Turn {
    _place: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
}

fn compare(
    parameters: &Parameters,
    hash: Option<&str>,
    nobody: &str,
    password: &str,
) -> Result<Verdict, password::Error> {
    let Some(hash) = hash else {
        password::verify(nobody, password)?;
        return Ok(Verdict::Wrong);
    };
    if !password::verify(hash, password)? {
        return Ok(Verdict::Wrong);
    }
    let new_hash = if password::needs_rehash(parameters, hash) {
        Some(password::hash(parameters, password)?)
    } else {
        None
    };
    Ok(Verdict::Right { new_hash })
}
