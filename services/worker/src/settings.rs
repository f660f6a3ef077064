//! The settings of the worker.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use app::outbox::{DomainRate, MailSender, Suppression, Terms};
use app::upkeep::Retention;
use domain::Secret;
use lettre::message::Mailbox;
use queue::EngineSettings;
use serde::{Deserialize, Serialize};
use service::{Environment, Mistakes, ProcessSettings};
use store::DatabaseSettings;

/// Everything the worker can be told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What every process has.
    pub process: ProcessSettings,
    /// PostgreSQL.
    pub database: DatabaseSettings,
    /// The engine that runs tasks.
    pub queue: EngineSettings,
    /// The mail relay and what mails say.
    pub mail: MailSettings,
    /// Links in mails about accounts.
    pub accounts: LinkSettings,
    /// Limits and times of the tasks.
    pub tasks: TaskSettings,
    /// When tasks come by the clock.
    pub schedules: ScheduleSettings,
    /// How long rows are kept.
    pub retention: RetentionSettings,
}

/// How long links in mails about accounts are good.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSettings {
    /// Seconds a link to set a new password is good.
    pub reset_seconds: u64,
    /// Seconds a link that proves an address is good.
    pub verification_seconds: u64,
    /// Seconds a link to set the first password is good.
    pub invitation_seconds: u64,
}

impl LinkSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        let day = 86_400;
        mistakes.range("accounts.reset_seconds", self.reset_seconds, 60..=day);
        mistakes.range("accounts.verification_seconds", self.verification_seconds, 60..=7 * day);
        mistakes.range("accounts.invitation_seconds", self.invitation_seconds, 60..=14 * day);
    }
}

/// How the connection to the relay is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// Not at all.
    None,
    /// By an upgrade at the start of the conversation, or no conversation.
    Starttls,
    /// From the first byte.
    Tls,
}

/// The mail relay and what mails say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Protection of the connection.
    pub tls: MailTls,
    /// The authorities to trust; empty trusts those of the operating system.
    pub ca_file: String,
    /// Our account; empty signs in nowhere.
    pub username: String,
    /// Its password.
    pub password: Secret,
    /// Whom mails come from.
    pub from: String,
    /// Where answers go; empty means the sender.
    pub reply_to: String,
    /// Where people reach the web pages.
    pub public_url: String,
    /// How long one step may take.
    pub timeout_ms: u64,
    /// Connections at most.
    pub connections_max: u32,
    /// How long an idle connection is kept.
    pub idle_timeout_ms: u64,
    /// Messages to one domain in each period, over all workers.
    pub domain_rate_max: u32,
    /// That period.
    pub domain_rate_period_ms: u64,
    /// How long an address that is gone is not mailed.
    pub suppress_days: u16,
    /// Days in a row with a refusal that does not say why, after which an address counts as gone.
    pub suppress_after_days: u16,
}

impl MailSettings {
    /// Where answers go, if not to the sender.
    pub(crate) fn reply_to(&self) -> Result<Option<Mailbox>> {
        let parse = || self.reply_to.parse().context("reading mail.reply_to");
        if self.reply_to.is_empty() { Ok(None) } else { parse().map(Some) }
    }

    /// What holds for every mail.
    pub(crate) fn terms(&self) -> Terms {
        let period = Duration::from_millis(self.domain_rate_period_ms);
        let interval = period / self.domain_rate_max.max(1);
        let reply_to = (!self.reply_to.is_empty()).then(|| self.reply_to.clone());
        Terms {
            from: MailSender { sender: self.from.clone(), reply_to },
            rate: DomainRate { interval, burst: period.saturating_sub(interval) },
            suppression: Suppression {
                lasts: Duration::from_hours(24) * u32::from(self.suppress_days),
                after_days: self.suppress_after_days,
            },
        }
    }

    /// Whether the relay is on this machine, so that nobody hears what is said to it.
    fn is_relay_local(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    fn check(&self, environment: Environment, mistakes: &mut Mistakes) {
        self.check_secrecy(environment, mistakes);
        if self.from.parse::<Mailbox>().is_err() {
            mistakes.add("mail.from", "use an address such as `Youtility <mail@example.com>`");
        }
        if self.reply_to().is_err() {
            mistakes.add(
                "mail.reply_to",
                "use an address such as `Helpdesk <help@example.com>`, or leave it empty",
            );
        }
        if !self.public_url.starts_with("http") || self.public_url.ends_with('/') {
            mistakes.add(
                "mail.public_url",
                "use an address such as `https://app.example.com`, without a slash at the end",
            );
        }
        mistakes.range("mail.timeout_ms", self.timeout_ms, 1..=600_000);
        mistakes.range("mail.connections_max", self.connections_max, 1..=100);
        mistakes.range("mail.domain_rate_max", self.domain_rate_max, 1..=1_000_000);
        mistakes.range("mail.domain_rate_period_ms", self.domain_rate_period_ms, 1..=86_400_000);
        mistakes.range("mail.suppress_days", self.suppress_days, 1..=3650);
        mistakes.range("mail.suppress_after_days", self.suppress_after_days, 1..=365);
    }

    /// What others could hear: our password at the relay, and the links that people follow.
    fn check_secrecy(&self, environment: Environment, mistakes: &mut Mistakes) {
        if !self.username.is_empty() {
            mistakes.given_secret("mail.password", &self.password);
        }
        let has_account = !self.username.is_empty() || !self.password.is_empty();
        if has_account && self.tls == MailTls::None && !self.is_relay_local() {
            mistakes.add(
                "mail.tls",
                "is \"none\" with a password for another machine: use \"starttls\" or \"tls\"",
            );
        }
        if environment == Environment::Production && self.public_url.starts_with("http://") {
            mistakes.add("mail.public_url", "begins with http://: use https:// in production");
        }
    }
}

/// Limits and times of the tasks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSettings {
    /// Connections of the engine itself, beside those of the tasks.
    pub engine_pool_size: usize,
    /// How often one mail is tried.
    pub mail_attempts_max: i32,
    /// The first pause before a mail is tried again.
    pub mail_backoff_min_ms: u64,
    /// The longest pause before a mail is tried again.
    pub mail_backoff_max_ms: u64,
    /// How long one mail may take.
    pub mail_timeout_ms: u64,
    /// How long one round of escalation may take.
    pub escalation_timeout_ms: u64,
    /// Tickets escalated in one transaction.
    pub escalation_batch: u16,
    /// Batches of one client before the others have their turn.
    pub escalation_turn: u16,
    /// How long one round of cleaning may take.
    pub maintenance_timeout_ms: u64,
    /// How long what a task that comes by the clock found and did may be asked for.
    pub result_days: u16,
}

impl TaskSettings {
    /// How long the relay may take over one mail; the rest of the task's time is for noting what became of it.
    pub(crate) fn mail_patience(&self) -> Duration {
        Duration::from_millis(self.mail_timeout_ms) * 3 / 4
    }

    fn check(&self, mistakes: &mut Mistakes) {
        mistakes.range("tasks.engine_pool_size", self.engine_pool_size, 2..=100);
        mistakes.range("tasks.mail_attempts_max", self.mail_attempts_max, 1..=1000);
        mistakes.range(
            "tasks.mail_backoff_max_ms",
            self.mail_backoff_max_ms,
            self.mail_backoff_min_ms..=86_400_000,
        );
        mistakes.range("tasks.mail_timeout_ms", self.mail_timeout_ms, 1..=86_400_000);
        mistakes.range("tasks.escalation_timeout_ms", self.escalation_timeout_ms, 1..=86_400_000);
        mistakes.range("tasks.escalation_batch", self.escalation_batch, 1..=1000);
        mistakes.range("tasks.escalation_turn", self.escalation_turn, 1..=1000);
        mistakes.range("tasks.maintenance_timeout_ms", self.maintenance_timeout_ms, 1..=86_400_000);
        mistakes.range("tasks.result_days", self.result_days, 1..=3650);
    }
}

/// When tasks come by the clock: a cron expression for each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSettings {
    /// The IANA zone in which the expressions are read.
    pub time_zone: String,
    /// Overdue tickets are handed on.
    pub ticket_escalate: String,
    /// The queue shows that it moves.
    pub heartbeat_sample: String,
    /// New lines of the trails are sealed.
    pub audit_seal: String,
    /// Sessions that have ended are removed.
    pub session_cleanup: String,
    /// Links, unfinished sign-ins and known browsers that ran out are removed.
    pub account_cleanup: String,
    /// Old attempts to sign in are removed.
    pub rate_limit_cleanup: String,
    /// What the queue keeps for a time only is removed.
    pub queue_cleanup: String,
    /// Tasks that were given up are reported.
    pub dead_letter_review: String,
    /// Partitions are made and dropped.
    pub partition_ensure: String,
    /// Cached answers that ran out are removed.
    pub select2_cleanup: String,
    /// Lists that changed are refreshed.
    pub select2_refresh: String,
}

impl ScheduleSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if queue::check_cron("* * * * *", &self.time_zone).is_err() {
            mistakes.add("schedules.time_zone", "use the name of an IANA time zone such as `UTC`");
        }
        let crons = [
            ("ticket_escalate", &self.ticket_escalate),
            ("heartbeat_sample", &self.heartbeat_sample),
            ("audit_seal", &self.audit_seal),
            ("session_cleanup", &self.session_cleanup),
            ("account_cleanup", &self.account_cleanup),
            ("rate_limit_cleanup", &self.rate_limit_cleanup),
            ("queue_cleanup", &self.queue_cleanup),
            ("dead_letter_review", &self.dead_letter_review),
            ("partition_ensure", &self.partition_ensure),
            ("select2_cleanup", &self.select2_cleanup),
            ("select2_refresh", &self.select2_refresh),
        ];
        for (key, cron) in crons {
            if queue::check_cron(cron, "UTC").is_err() {
                mistakes.add(format!("schedules.{key}"), "use a cron expression such as `*/30 * * * *`");
            }
        }
    }
}

/// How long rows are kept, and how far ahead partitions are made.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    /// The audit trail.
    pub audit_days: u16,
    /// Security events, which hold login names and addresses.
    pub security_days: u16,
    /// Readings of devices.
    pub telemetry_days: u16,
    /// Finished tasks and their attempts.
    pub task_days: u16,
    /// Mailed links that ran out.
    pub account_days: u16,
    /// Attempts to sign in.
    pub rate_limit_days: u16,
    /// Unreadable messages of devices and the keys of misdated ones.
    pub message_days: u16,
    /// Cached answers.
    pub select2_days: u16,
    /// Mail that was sent, and what became of it.
    pub mail_days: u16,
    /// Addresses that were not mailed, after they may be again.
    pub bounce_days: u16,
    /// Tasks that were given up and that nobody looked at.
    pub dead_letter_days: u16,
    /// Days for which partitions exist beforehand.
    pub partition_days_ahead: u16,
}

impl RetentionSettings {
    /// The same in the words of the use case.
    pub(crate) fn retention(&self) -> Retention {
        Retention {
            audit_days: self.audit_days,
            security_days: self.security_days,
            telemetry_days: self.telemetry_days,
            task_days: self.task_days,
            mail_days: self.mail_days,
            message_days: self.message_days,
        }
    }

    fn check(&self, mistakes: &mut Mistakes) {
        // The database drops nothing younger.
        mistakes.range("retention.audit_days", self.audit_days, 90..=36_500);
        mistakes.range("retention.security_days", self.security_days, 90..=36_500);
        // Devices may repeat a message for 30 days; a shorter retention would store it twice.
        mistakes.range("retention.telemetry_days", self.telemetry_days, 31..=36_500);
        mistakes.range("retention.task_days", self.task_days, 1..=36_500);
        // A dead letter can be repeated only while its mail is kept.
        mistakes.range("retention.mail_days", self.mail_days, self.dead_letter_days.max(8)..=36_500);
        mistakes.range("retention.bounce_days", self.bounce_days, 1..=36_500);
        mistakes.range("retention.account_days", self.account_days, 1..=36_500);
        mistakes.range("retention.rate_limit_days", self.rate_limit_days, 1..=36_500);
        mistakes.range("retention.message_days", self.message_days, 31..=36_500);
        mistakes.range("retention.select2_days", self.select2_days, 1..=36_500);
        mistakes.range("retention.dead_letter_days", self.dead_letter_days, 1..=36_500);
        mistakes.range("retention.partition_days_ahead", self.partition_days_ahead, 2..=60);
    }
}

impl service::Settings for Settings {
    fn process(&self) -> &ProcessSettings {
        &self.process
    }

    fn check(&self, mistakes: &mut Mistakes) {
        mistakes.secret("database.password", &self.database.password);
        self.database.check(|key, advice| mistakes.add(format!("database.{key}"), advice));
        for (key, advice) in self.queue.mistakes() {
            mistakes.add(format!("queue.{key}"), advice);
        }
        if self.queue.drain_timeout_ms >= self.process.stop_timeout_ms {
            mistakes.add("queue.drain_timeout_ms", "stay below process.stop_timeout_ms");
        }
        self.mail.check(self.process.environment, mistakes);
        self.tasks.check(mistakes);
        self.schedules.check(mistakes);
        if self.tasks.result_days > self.retention.task_days {
            mistakes.add(
                "tasks.result_days",
                "stay at or below retention.task_days: a result goes with its task",
            );
        }
        self.retention.check(mistakes);
        self.accounts.check(mistakes);
    }
}
