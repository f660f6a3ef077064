//! Every kind of task and every schedule, on one screen.
//!
//! A task runs at least once: each handler bears its repetition.

mod partition_ensure;
mod session_cleanup;
mod ticket_escalate;
mod ticket_mail;

use std::sync::Arc;
use std::time::Duration;

use app::mail::{MAIL_KIND, MAIL_QUEUE};
use app::upkeep::Retention;
use domain::{Actor, ClientId, CorrelationId};
use queue::{Builder, Failure, Job, Kind, NewTask, Schedule};
use service::Clock;
use store::Store;

use crate::mailer::Mailer;
use crate::settings::{Settings, TaskSettings};

const ESCALATE: &str = "ticket.escalate";
const CLEAN_UP_SESSIONS: &str = "session.cleanup";
const KEEP_PARTITIONS: &str = "partition.ensure";

/// What tasks work with.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) mailer: Mailer,
    /// Links in mails begin with it.
    pub(crate) public_url: Arc<str>,
    pub(crate) escalation_batch: u16,
    pub(crate) retention: Retention,
    pub(crate) partition_days_ahead: u16,
    pub(crate) dead_letter_days: u16,
}

/// Teaches the engine every kind and every schedule.
pub(crate) fn register(engine: Builder, tools: &Tools, settings: &Settings) -> Builder {
    let limits = &settings.tasks;
    let mail_backoff = (millis(limits.mail_backoff_min_ms), millis(limits.mail_backoff_max_ms));
    engine
        .kind(
            kind(MAIL_KIND, MAIL_QUEUE, tools, ticket_mail::run)
                .timeout(millis(limits.mail_timeout_ms))
                .attempts_max(limits.mail_attempts_max)
                .backoff(mail_backoff.0, mail_backoff.1),
        )
        .kind(
            kind(ESCALATE, "default", tools, ticket_escalate::run)
                .timeout(millis(limits.escalation_timeout_ms)),
        )
        .kind(
            kind(CLEAN_UP_SESSIONS, "maintenance", tools, session_cleanup::run).timeout(maintenance(limits)),
        )
        .kind(kind(KEEP_PARTITIONS, "maintenance", tools, partition_ensure::run).timeout(maintenance(limits)))
        .schedule(schedule("ticket-escalate", &limits.escalation_cron, ESCALATE, "default"))
        .schedule(schedule("session-cleanup", &limits.session_cleanup_cron, CLEAN_UP_SESSIONS, "maintenance"))
        .schedule(schedule("partition-ensure", &limits.partition_cron, KEEP_PARTITIONS, "maintenance"))
}

fn kind<H, F>(name: &str, queue: &str, tools: &Tools, handler: H) -> Kind
where
    H: Fn(Tools, Job) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let tools = tools.clone();
    Kind::new(name, queue, move |job| handler(tools.clone(), job))
}

/// A tick is left out while the one before still waits or runs.
fn schedule(name: &str, cron: &str, kind: &str, queue: &str) -> Schedule {
    Schedule::cron(name, cron, "UTC", NewTask::new(kind, &()).queue(queue).unique_key(kind))
}

fn maintenance(limits: &TaskSettings) -> Duration {
    millis(limits.maintenance_timeout_ms)
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
        assert_eq!(settings.tasks.escalation_cron, "*/30 * * * *");
        assert_eq!(settings.tasks.session_cleanup_cron, "0 */6 * * *");
    }
}
