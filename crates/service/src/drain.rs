//! The end of a process, announced.

use tokio_util::sync::CancellationToken;

/// Says when the process begins to stop: on SIGTERM, SIGINT or [`Running::stop`](crate::Running::stop).
///
/// Endless loops and endless answers wait for [`Drain::begun`] beside their work; whoever does not is cut off
/// after `process.stop_timeout_ms`.
#[derive(Clone, Debug, Default)]
pub struct Drain(CancellationToken);

impl Drain {
    /// Resolves when the process begins to stop; at once when it already has.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }

    /// Whether the process is stopping.
    pub fn has_begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// The same as a token, for what takes one. Who cancels it ends the process, which then answers with a failure: for
    /// work that can never go on.
    pub fn token(&self) -> CancellationToken {
        self.0.clone()
    }

    /// Announces the end.
    pub(crate) fn begin(&self) {
        self.0.cancel();
    }
}
