//! What `start` hands back.

use std::fmt;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use actix_web::web::ServiceConfig;

use crate::listener::{Audience, Listener};
use crate::problem::Decorate;
use crate::server::Exposure;
use crate::{Context, Entrance, HttpSettings, Settings};

/// A built process: its listeners are bound and open once `start` returns it.
pub struct Process {
    stop_timeout: Duration,
    decorate: Option<Decorate>,
    entrance: Entrance,
    pub(crate) listeners: Vec<Listener>,
}

impl Process {
    /// A process without listeners, for one that only runs tasks.
    pub fn new<S: Settings>(ctx: &Context<S>) -> Self {
        Self {
            stop_timeout: ctx.settings.process().stop_timeout(),
            decorate: None,
            entrance: Entrance::default(),
            listeners: Vec::new(),
        }
    }

    /// Runs `decorate` over the headers of every answer of the listeners that follow, errors of the server included.
    ///
    /// The request is `None` where the answer was made in its place: over a limit, past the deadline, after a panic.
    #[must_use]
    pub fn decorate_answers(mut self, decorate: fn(Option<&HttpRequest>, &mut HeaderMap)) -> Self {
        self.decorate = Some(decorate);
        self
    }

    /// Says how the listeners that follow receive connections.
    #[must_use]
    pub fn receive(mut self, entrance: Entrance) -> Self {
        self.entrance = entrance;
        self
    }

    /// Serves our own processes: correlation id, trace and deadline of the caller are followed. Binds at once.
    pub fn serve<C>(self, settings: &HttpSettings, configure: C) -> anyhow::Result<Self>
    where
        C: Fn(&mut ServiceConfig) + Clone + Send + 'static,
    {
        self.listen(settings, Exposure::Internal, configure)
    }

    /// Serves everybody: correlation id, trace and deadline begin here, whatever the caller sends. Binds at once.
    pub fn serve_public<C>(self, settings: &HttpSettings, configure: C) -> anyhow::Result<Self>
    where
        C: Fn(&mut ServiceConfig) + Clone + Send + 'static,
    {
        self.listen(settings, Exposure::Public, configure)
    }

    fn listen<C>(mut self, settings: &HttpSettings, exposure: Exposure, configure: C) -> anyhow::Result<Self>
    where
        C: Fn(&mut ServiceConfig) + Clone + Send + 'static,
    {
        let audience = Audience { exposure, decorate: self.decorate, entrance: self.entrance.clone() };
        self.listeners.push(Listener::bind(settings, self.stop_timeout, audience, configure)?);
        Ok(self)
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Process").field("listeners", &self.listeners.len()).finish_non_exhaustive()
    }
}
