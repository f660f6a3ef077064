//! Every kind of task and every schedule, on one screen.
//!
//! A task runs at least once: each handler bears its repetition.

mod account_cleanup;
mod account_mail;
mod audit_seal;
mod dead_letter_review;
mod heartbeat_sample;
mod mail_send;
mod partition_ensure;
mod queue_cleanup;
mod rate_limit_cleanup;
mod select2_cleanup;
mod select2_refresh;
mod session_cleanup;
mod ticket_escalate;
mod ticket_mail;

use std::sync::Arc;
use std::time::Duration;

use app::mail::{MAIL_KIND, MAIL_QUEUE};
use app::outbox::{SEND_KIND, SEND_QUEUE, Terms};
use app::recovery;
use app::upkeep::Retention;
use domain::{Actor, ClientId, CorrelationId};
use queue::{Builder, CatchUp, Failure, Job, Kind, NewTask, Schedule};
use serde::Serialize;
use service::Clock;
use store::Store;

use crate::mailer::Mailer;
use crate::settings::{LinkSettings, ScheduleSettings, Settings};

/// How long a heartbeat may take: a late one tells as much as none.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(30);

/// What tasks work with.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) mailer: Mailer,
    /// What holds for every mail.
    pub(crate) mail_terms: Terms,
    /// How often one mail is tried.
    pub(crate) mail_attempts_max: i32,
    /// Links in mails begin with it.
    pub(crate) public_url: Arc<str>,
    /// How long links in mails about accounts are good.
    pub(crate) links: LinkSettings,
    pub(crate) escalation_batch: u16,
    /// Batches of one client before the others have their turn.
    pub(crate) escalation_turn: u16,
    /// Days an address is remembered that may be mailed again.
    pub(crate) bounce_days: u16,
    pub(crate) retention: Retention,
    pub(crate) partition_days_ahead: u16,
    pub(crate) dead_letter_days: u16,
    pub(crate) account_days: u16,
    pub(crate) rate_limit_days: u16,
    pub(crate) select2_days: u16,
}

/// Teaches the engine every kind and every schedule.
pub(crate) fn register(engine: Builder, tools: &Tools, settings: &Settings) -> Builder {
    let limits = &settings.tasks;
    let mail_backoff = (millis(limits.mail_backoff_min_ms), millis(limits.mail_backoff_max_ms));
    let mail = |kind: Kind| {
        kind.timeout(millis(limits.mail_timeout_ms))
            .attempts_max(limits.mail_attempts_max)
            .backoff(mail_backoff.0, mail_backoff.1)
    };
    let tell = mail(kind(MAIL_KIND, MAIL_QUEUE, tools, ticket_mail::run));
    let send = mail(kind(SEND_KIND, SEND_QUEUE, tools, mail_send::run));
    let account = mail(kind(recovery::MAIL_KIND, recovery::MAIL_QUEUE, tools, account_mail::run));
    let engine = engine.kind(tell).kind(send).kind(account);
    let by_clock = ByClock { tools, settings, when: &settings.schedules };
    by_clock.register(engine)
}

/// What comes by the clock, on a schedule under the name of its kind.
struct ByClock<'a> {
    tools: &'a Tools,
    settings: &'a Settings,
    when: &'a ScheduleSettings,
}

impl ByClock<'_> {
    fn register(&self, engine: Builder) -> Builder {
        let when = self.when;
        let engine = self.beat(self.escalate(engine));
        let engine = self.clean(engine, "audit.seal", &when.audit_seal, audit_seal::run);
        let engine = self.clean(engine, "session.cleanup", &when.session_cleanup, session_cleanup::run);
        let engine = self.clean(engine, "account.cleanup", &when.account_cleanup, account_cleanup::run);
        let engine =
            self.clean(engine, "rate_limit.cleanup", &when.rate_limit_cleanup, rate_limit_cleanup::run);
        let engine = self.clean(engine, "queue.cleanup", &when.queue_cleanup, queue_cleanup::run);
        let engine =
            self.clean(engine, "dead_letter.review", &when.dead_letter_review, dead_letter_review::run);
        let engine = self.clean(engine, "partition.ensure", &when.partition_ensure, partition_ensure::run);
        let engine = self.clean(engine, "select2.cleanup", &when.select2_cleanup, select2_cleanup::run);
        self.clean(engine, "select2.refresh", &when.select2_refresh, select2_refresh::run)
    }

    fn escalate(&self, engine: Builder) -> Builder {
        let (name, queue) = ("ticket.escalate", "default");
        let escalate = kind(name, queue, self.tools, ticket_escalate::run)
            .timeout(millis(self.settings.tasks.escalation_timeout_ms))
            .keep_result(self.result_kept());
        engine.kind(escalate).schedule(self.tick(name, queue, &self.when.ticket_escalate))
    }

    /// A heartbeat that was missed tells nothing by being made up for.
    fn beat(&self, engine: Builder) -> Builder {
        let (name, queue) = ("heartbeat.sample", "default");
        let sample = kind(name, queue, self.tools, heartbeat_sample::run)
            .timeout(HEARTBEAT_TIMEOUT)
            .attempts_max(1)
            .keep_result(self.result_kept());
        let tick = self.tick(name, queue, &self.when.heartbeat_sample).catch_up(CatchUp::None);
        engine.kind(sample).schedule(tick)
    }

    /// Adds one of those that clean up.
    fn clean<H, F, T>(&self, engine: Builder, name: &str, cron: &str, handler: H) -> Builder
    where
        H: Fn(Tools, Job) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
        T: Serialize + 'static,
    {
        let queue = "maintenance";
        let clean = kind(name, queue, self.tools, handler)
            .timeout(millis(self.settings.tasks.maintenance_timeout_ms))
            .keep_result(self.result_kept());
        engine.kind(clean).schedule(self.tick(name, queue, cron))
    }

    /// A tick is left out while the one before still waits or runs.
    fn tick(&self, name: &str, queue: &str, cron: &str) -> Schedule {
        let task = NewTask::new(name, &()).queue(queue).unique_key(name);
        Schedule::cron(name.replace(['.', '_'], "-"), cron, self.when.time_zone.as_str(), task)
    }

    fn result_kept(&self) -> Duration {
        Duration::from_hours(24 * u64::from(self.settings.tasks.result_days))
    }
}

/// A kind whose handler goes on with the trace of what enqueued the task.
fn kind<H, F, T>(name: &str, queue: &str, tools: &Tools, handler: H) -> Kind
where
    H: Fn(Tools, Job) -> F + Send + Sync + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
    T: Serialize + 'static,
{
    let tools = tools.clone();
    Kind::new(name, queue, move |job: Job| {
        service::continue_trace(job.traceparent.clone(), handler(tools.clone(), job))
    })
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The process acting for a client, under the correlation id of what enqueued the task.
fn actor(job: &Job, client: ClientId) -> Actor {
    Actor::process(client, correlation_id(job))
}

/// What enqueued the task, or the task itself when a clock did.
fn correlation_id(job: &Job) -> CorrelationId {
    CorrelationId::from_uuid(job.correlation.unwrap_or(job.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use service::load_settings;

    #[test]
    fn overdue_tickets_are_escalated_each_half_hour_and_sessions_cleaned_up_each_six_hours() {
        let pairs = [
            ("DATABASE__PASSWORD", "q8Zt4nXw1Lr7Vb2Ky9Hs3Md6Pf0Gj5Tc8Ra4We1Uo7Ix2NzQvEyB"),
            ("MAIL__FROM", "no-reply@example.com"),
            ("MAIL__PUBLIC_URL", "https://app.example.com"),
        ];
        let pairs = pairs.map(|(key, value)| (format!("YOUTILITY_{key}"), value.to_owned()));
        let settings: Settings = load_settings(&crate::about(), &[], pairs).unwrap();
        assert_eq!(settings.schedules.ticket_escalate, "*/30 * * * *");
        assert_eq!(settings.schedules.session_cleanup, "0 */6 * * *");
    }
}
