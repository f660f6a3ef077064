//! What a process is given to build itself from.

use tokio::runtime::Handle;

use crate::{About, Clock, Drain, Readiness, Settings, Tasks};

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
}

impl<S: Settings> Context<S> {
    /// A context on the current runtime.
    pub(crate) fn new(about: About, settings: S) -> Self {
        let drain = Drain::default();
        let tasks = Tasks::new(Handle::current());
        let readiness = Readiness::new(tasks.clone(), drain.clone());
        Self { about, settings, clock: Clock::system(), tasks, readiness, drain }
    }
}
