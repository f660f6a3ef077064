//! A database, a mail server, and a worker between them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use app::mail::{MAIL_KIND, MAIL_QUEUE, TicketMail};
use domain::{ClientId, CorrelationId, GroupId, SiteId, TicketEventId, TicketId};
use local::mail::{Answer, Mail, MailSink, Security};
use queue::NewTask;
use testkit::{ChaosProxy, Database, PATIENCE, wait_until, wait_until_ready};
use tokio_postgres::Client;
use uuid::Uuid;
use worker::Settings;

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

const SCHEDULES: [&str; 10] = [
    "ACCOUNT_CLEANUP",
    "TICKET_ESCALATE",
    "HEARTBEAT_SAMPLE",
    "SESSION_CLEANUP",
    "RATE_LIMIT_CLEANUP",
    "QUEUE_CLEANUP",
    "DEAD_LETTER_REVIEW",
    "PARTITION_ENSURE",
    "SELECT2_CLEANUP",
    "SELECT2_REFRESH",
];

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A mail server in a folder of its own.
pub(crate) struct TestSink {
    pub(crate) address: SocketAddr,
    pub(crate) sink: Option<MailSink>,
    folder: PathBuf,
}

impl TestSink {
    pub(crate) async fn start() -> Self {
        Self::start_secure(Security::None).await
    }

    pub(crate) async fn start_secure(security: Security) -> Self {
        let name =
            format!("youtility-worker-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        let sink = MailSink::start_secure(&folder, ANY_PORT, ANY_PORT, security).await.unwrap();
        Self { address: sink.smtp, sink: Some(sink), folder }
    }

    pub(crate) fn stop(&mut self) {
        drop(self.sink.take().unwrap());
    }

    pub(crate) async fn restart(&mut self) {
        self.sink = Some(MailSink::start(&self.folder, self.address, ANY_PORT).await.unwrap());
    }

    pub(crate) fn answer(&self, answer: Answer) {
        self.sink.as_ref().unwrap().answer(answer);
    }

    /// The bytes of a mail as they came, envelope included.
    pub(crate) fn raw(&self, mail: &Mail) -> Vec<u8> {
        std::fs::read(self.folder.join(&mail.file)).unwrap()
    }

    pub(crate) async fn mails(&self) -> Vec<Mail> {
        self.sink.as_ref().unwrap().mails().await.unwrap()
    }
}

impl Drop for TestSink {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// Everything around one worker.
pub(crate) struct World {
    pub(crate) db: Database,
    pub(crate) admin: Client,
    pub(crate) sink: TestSink,
    pub(crate) worker: service::Running,
    pub(crate) client: ClientId,
    pub(crate) site: SiteId,
    pub(crate) group: GroupId,
    /// Stands between the worker and the database.
    pub(crate) proxy: ChaosProxy,
}

impl World {
    /// Starts a worker for a client with one site and a group of two people.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same; `change` may change the worker's settings.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_beside(TestSink::start().await, change).await
    }

    /// The same beside a mail server.
    pub(crate) async fn start_beside(sink: TestSink, change: impl FnOnce(&mut Settings)) -> Self {
        let db = Database::create().await;
        let client = db.client("ACME").await;
        let site = db.site(client, "HQ").await;
        let group = db.group(client, "PLUMBERS").await;
        db.person(client, "asha").name("Asha Rao").email("asha@example.com").group(group).await;
        db.person(client, "ben").name("Ben Müller").email("ben@example.com").group(group).await;
        let proxy = ChaosProxy::start(db.address()).await;
        let mut settings = settings(&db, sink.address);
        settings.database.port = proxy.address().port();
        change(&mut settings);
        let worker = service::spawn(worker::about(), settings, worker::start).await.unwrap();
        wait_until_ready(worker.admin).await;
        let admin = db.admin().await;
        Self { db, admin, sink, worker, client, site, group, proxy }
    }

    /// A ticket of the group with the event that it was raised.
    pub(crate) async fn raised_ticket(&self) -> TicketMail {
        raise_ticket(&self.db, &self.admin, (self.client, self.site, self.group)).await
    }

    /// Enqueues the mail about an event; answers the task's id.
    pub(crate) async fn enqueue_mail(&self, mail: TicketMail, correlation: CorrelationId) -> Uuid {
        enqueue_mail(&self.admin, self.client, mail, correlation).await
    }

    /// Tries a task again that was given up.
    pub(crate) async fn retry_dead_letter(&self, task: Uuid) {
        queue::retry_dead_letter(&self.admin, task, "a test").await.unwrap();
    }

    /// The one message in the outbox: an expression over its columns, as text.
    pub(crate) async fn mail_row(&self, expression: &str) -> String {
        let sql = format!("select ({expression})::text from mail");
        self.admin.query_one(&sql, &[]).await.unwrap().get(0)
    }

    /// Waits until the mail server has kept so many mails.
    pub(crate) async fn wait_for_mails(&self, count: usize) -> Vec<Mail> {
        wait_until(&format!("{count} mails"), PATIENCE, async || {
            let mails = self.sink.mails().await;
            if mails.len() == count { Ok(mails) } else { Err(format!("{} mails", mails.len())) }
        })
        .await
    }
}

/// A ticket of a group at a site of a client, with the event that it was raised.
pub(crate) async fn raise_ticket(
    db: &Database,
    admin: &Client,
    (client, site, group): (ClientId, SiteId, GroupId),
) -> TicketMail {
    let ticket_id: TicketId = db.ticket(client, site).group(group).await;
    let event_id = TicketEventId::generate();
    let sql = "insert into ticket_event (client_id, id, ticket_id, kind, detail, group_id, correlation_id)
               values ($1, $2, $3, 'CREATED', 'Water on the floor.', $4, $5)";
    let correlation = CorrelationId::generate();
    admin.execute(sql, &[&client, &event_id, &ticket_id, &group, &correlation]).await.unwrap();
    TicketMail { ticket_id, event_id }
}

/// Enqueues the mail about an event of a client's ticket; answers the task's id.
pub(crate) async fn enqueue_mail(
    admin: &Client,
    client: ClientId,
    mail: TicketMail,
    correlation: CorrelationId,
) -> Uuid {
    let task = NewTask::new(MAIL_KIND, &mail)
        .queue(MAIL_QUEUE)
        .tenant(*client.as_uuid())
        .correlation(*correlation.as_uuid());
    queue::enqueue(admin, &[task]).await.unwrap()[0].new_id().unwrap()
}

/// Settings of a worker in development between a database and a mail server.
pub(crate) fn settings(db: &Database, smtp: SocketAddr) -> Settings {
    service::load_settings(&worker::about(), &[], environment(db, smtp)).unwrap()
}

/// The same as environment variables.
pub(crate) fn environment(db: &Database, smtp: SocketAddr) -> Vec<(String, String)> {
    let port = smtp.port().to_string();
    let env = [db.env("worker"), testkit::process_env()].concat();
    let more = [
        ("QUEUE__POLL_INTERVAL_MS", "100"),
        ("QUEUE__RETRY_MAX_MS", "200"),
        ("MAIL__PORT", port.as_str()),
        ("MAIL__TLS", "none"),
        ("MAIL__TIMEOUT_MS", "2000"),
        ("MAIL__FROM", "Youtility <robot@mail.example.com>"),
        ("MAIL__REPLY_TO", "help@example.com"),
        ("MAIL__PUBLIC_URL", "https://app.example.com"),
        ("MAIL__DOMAIN_RATE_MAX", "1000"),
        ("TASKS__MAIL_BACKOFF_MIN_MS", "50"),
        ("TASKS__MAIL_BACKOFF_MAX_MS", "200"),
    ];
    let mut env = testkit::env_with(env, &more);
    // What comes by the clock would come between.
    env.extend(SCHEDULES.map(|name| (format!("YOUTILITY_SCHEDULES__{name}"), "0 0 29 2 *".to_owned())));
    env
}
