//! What a process is given to build itself from.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::fault::chain;
use tokio::runtime::Handle;

use crate::{About, Clock, Drain, Mistakes, Readiness, Settings, Tasks, load_settings};

/// Everything `start` may use: settings, time, tasks, readiness and the announcement of the end.
///
/// It belongs to a multi-thread runtime and may be cloned into HTTP handlers, which run on threads of their own.
#[derive(Clone, Debug)]
pub struct Context<S> {
    /// Which binary this is.
    pub about: About,
    /// Its effective settings.
    pub settings: S,
    /// The time.
    pub clock: Clock,
    /// Background work that the drain waits for.
    pub tasks: Tasks,
    /// What must answer before the process takes work.
    pub readiness: Readiness,
    /// When to stop.
    pub drain: Drain,
    /// The files its settings came from, in their order.
    pub settings_files: Arc<[PathBuf]>,
}

impl<S: Settings> Context<S> {
    /// A context on the current runtime.
    pub(crate) fn new(about: About, settings: S) -> Self {
        let drain = Drain::default();
        let tasks = Tasks::new(Handle::current());
        let readiness = Readiness::new(tasks.clone(), drain.clone());
        Self {
            about,
            settings,
            clock: Clock::system(),
            tasks,
            readiness,
            drain,
            settings_files: Arc::from([]),
        }
    }

    /// A context that knows where its settings came from.
    pub(crate) fn with_files(mut self, files: Vec<PathBuf>) -> Self {
        self.settings_files = files.into();
        self
    }

    /// Reads the settings again, as they stand in the files and the environment the process was started with.
    ///
    /// # Errors
    /// Every mistake in them; what the process works with stays as it is.
    pub fn read_settings(&self) -> Result<S, Mistakes> {
        load_settings(&self.about, &self.settings_files, std::env::vars())
    }
}

impl<S> Context<S> {
    /// Runs a part without which the process is of no use: the process is ready only once the part has begun and while
    /// it works, and ends with it, so that whatever supervises the process starts another.
    pub fn run_part<E: Error + 'static>(
        &self,
        name: &'static str,
        has_begun: impl Fn() -> bool + Send + 'static,
        work: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let alive = Arc::new(AtomicBool::new(true));
        let mark = Alive(Arc::clone(&alive), self.drain.clone());
        self.tasks.spawn(name, async move {
            let _mark = mark;
            if let Err(error) = work.await {
                tracing::error!(
                    part = name,
                    error.chain = chain(&error),
                    "a part of the process cannot work"
                );
            }
        });
        self.readiness.add(name, move || {
            let state = match (alive.load(Ordering::Acquire), has_begun()) {
                (false, _) => Err("it has ended".to_owned()),
                (true, false) => Err("it has not begun".to_owned()),
                (true, true) => Ok(()),
            };
            std::future::ready(state)
        });
    }
}

/// Says that a part has ended, however it ended, and ends a process that is of no use without it.
struct Alive(Arc<AtomicBool>, Drain);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
        self.1.token().cancel();
    }
}
