//! Background work that nobody forgets.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::panics;

/// Spawns background work on the process's runtime. The drain waits for it, and a panic is logged.
#[derive(Clone, Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    runtime: Handle,
    abort: CancellationToken,
}

impl Tasks {
    /// Tasks on a runtime.
    pub(crate) fn new(runtime: Handle) -> Self {
        Self { tracker: TaskTracker::new(), runtime, abort: CancellationToken::new() }
    }

    /// Starts a named piece of work; may be called from every thread, HTTP handlers included.
    pub fn spawn<F>(&self, name: &'static str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let abort = self.abort.clone();
        let watched = async move {
            tokio::select! {
                outcome = AssertUnwindSafe(work).catch_unwind() => {
                    if let Err(panic) = outcome {
                        let reason = panics::text(panic.as_ref());
                        tracing::error!(task.name = name, error.chain = reason, "a background task panicked");
                    }
                }
                () = abort.cancelled() => {
                    tracing::warn!(task.name = name, "a background task was cut off: it did not end with the drain");
                }
            }
        };
        self.tracker.spawn_on(watched, &self.runtime);
    }

    /// Waits until all work has ended; after the limit the rest is cut off and `false` returned.
    pub(crate) async fn finish(&self, limit: Duration) -> bool {
        self.tracker.close();
        let finished = tokio::time::timeout(limit, self.tracker.wait()).await.is_ok();
        self.abort();
        self.tracker.wait().await;
        finished
    }

    /// Cuts all work off.
    pub(crate) fn abort(&self) {
        self.abort.cancel();
    }
}
