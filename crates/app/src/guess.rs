//! Guesses at what is no password: codes, links, proofs. Counted before anything is looked at, exact over replicas.

use domain::sign_in::GuessKind;
use jiff::SignedDuration;
use store::Store;

use crate::{AccountError, Error};

/// How many guesses one subject has, and in which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuessLimit {
    /// How many.
    pub max: i32,
    /// In which time, from the first.
    pub window: SignedDuration,
}

/// Counts a guess, if its window has room.
///
/// # Errors
/// `factor-limited`; a database that cannot be asked refuses as well.
pub async fn take(store: &Store, kind: GuessKind, subject: &str, limit: GuessLimit) -> Result<(), Error> {
    let guess = store
        .run_single("reserve_guess", |tx| async move {
            tx.reserve_guess(kind, subject, limit.window, limit.max).await
        })
        .await?;
    if guess.is_granted {
        Ok(())
    } else {
        let retry_after_seconds = u64::try_from(guess.retry_after_seconds).unwrap_or(1);
        Err(AccountError::FactorLimited { retry_after_seconds }.into())
    }
}

/// Forgets the guesses of somebody who was right.
///
/// # Errors
/// Those of the store.
pub async fn forget(store: &Store, kind: GuessKind, subject: &str) -> Result<(), Error> {
    store.run_single("forget_guesses", |tx| async move { tx.forget_guesses(kind, subject).await }).await?;
    Ok(())
}
