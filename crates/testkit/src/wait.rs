//! Waiting for a condition.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long a test waits for something that comes by itself, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// What one look saw: an `Option`, or a `Result` whose `Err` says what was there instead.
pub trait Sight {
    /// What was looked for.
    type Found;

    /// The thing itself, or the state that was seen in its place.
    fn found(self) -> Result<Self::Found, String>;
}

impl<T> Sight for Option<T> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".to_owned())
    }
}

impl<T, S: Display> Sight for Result<T, S> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.map_err(|state| state.to_string())
    }
}

/// Looks until something is there and returns it.
///
/// # Panics
/// When it is not there after `limit`; the panic tells the last state.
pub async fn wait_until<S: Sight>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> S) -> S::Found {
    let started = Instant::now();
    loop {
        match look().await.found() {
            Ok(found) => return found,
            Err(last) => assert!(started.elapsed() < limit, "waited {limit:?} for {what}; last seen: {last}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
