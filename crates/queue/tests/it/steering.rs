//! Seeing and steering.

use std::time::Duration;

use queue::{
    Cancel, Count, DeadLetterFilter, EngineSettings, Error, HistoryFilter, Kind, Limits, NewTask, QueueStats,
    Schedule, Stats, TaskFilter,
};
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::support::{Queue, Running, settings, wait_until};

const ACTIONS: &str =
    "select actor || ' ' || action || ' ' || coalesce(queue, '-') from task_action order by at, id";

fn kind() -> Kind {
    Kind::new("a", "default", |_| async { Ok(()) })
}

fn of<'a>(stats: &'a Stats, name: &str) -> &'a QueueStats {
    stats.queues.iter().find(|queue| queue.name == name).unwrap()
}

#[tokio::test]
async fn a_paused_queue_waits_and_goes_on_when_resumed() {
    let queue = Queue::create().await;
    assert!(queue::pause(&queue.admin, "default", "person:ada").await.unwrap());
    assert!(!queue::pause(&queue.admin, "default", "person:ben").await.unwrap(), "it was paused already");
    queue.enqueue(&[NewTask::new("a", &()), NewTask::new("a", &()).queue("email")]).await;
    let running = Running::start(queue.engine(settings()).kind(kind()));
    queue.until_done(1).await;
    let stats = queue::stats(&queue.admin).await.unwrap();
    let default = of(&stats, "default");
    assert_eq!(
        (default.paused, default.ready, default.running),
        (true, Count::exactly(1), Count::exactly(0))
    );
    assert!(default.oldest_age_seconds > 0.0);
    assert!(queue::resume(&queue.admin, "default", "person:ada").await.unwrap());
    queue.until_done(2).await;
    running.stop().await;
    assert!(!queue::resume(&queue.admin, "default", "person:ada").await.unwrap());
    assert_eq!(queue.texts(ACTIONS).await, ["person:ada PAUSED default", "person:ada RESUMED default"]);
}

#[tokio::test]
async fn an_unknown_name_is_refused_and_leaves_no_trace() {
    let queue = Queue::create().await;
    let client = &queue.admin;
    let unknown_queues = [
        queue::pause(client, "nowhere", "person:ada").await,
        queue::resume(client, "nowhere", "person:ada").await,
        queue::limit(client, "nowhere", &Limits::default(), "person:ada").await,
    ];
    for refused in unknown_queues {
        assert!(matches!(refused, Err(Error::UnknownQueue { queue }) if queue == "nowhere"));
    }
    let worker = queue::drain_worker(client, Uuid::nil(), "person:ada").await;
    assert!(matches!(worker, Err(Error::UnknownWorker { id }) if id.is_nil()));
    let schedules = [
        queue::pause_schedule(client, "never", "person:ada").await,
        queue::resume_schedule(client, "never", "person:ada").await,
        queue::tick_schedule(client, "never", "person:ada").await.map(|_id| true),
    ];
    for refused in schedules {
        assert!(matches!(refused, Err(Error::UnknownSchedule { name }) if name == "never"));
    }
    assert!(!queue::retry_dead_letter(client, Uuid::nil(), "person:ada").await.unwrap());
    assert!(!queue::discard_dead_letter(client, Uuid::nil(), "person:ada").await.unwrap());
    assert_eq!(queue.number("select count(*) from task_action").await, 0);
}

#[tokio::test]
async fn limits_are_set_together_and_lifted_together() {
    let queue = Queue::create().await;
    let limits = Limits {
        running_max: Some(3),
        rate_max: Some(100),
        rate_period: Duration::from_secs(5),
        tenant_running_max: Some(1),
        tenant_rate_max: Some(10),
    };
    assert!(queue::limit(&queue.admin, "email", &limits, "person:ada").await.unwrap());
    assert!(!queue::limit(&queue.admin, "email", &limits, "person:ada").await.unwrap(), "they are the same");
    assert_eq!(of(&queue::stats(&queue.admin).await.unwrap(), "email").limits, limits);
    let nought = Limits { running_max: Some(0), ..Limits::default() };
    let refused = queue::limit(&queue.admin, "email", &nought, "person:ada").await;
    assert!(matches!(refused, Err(Error::Unusable { .. })));
    assert!(queue::limit(&queue.admin, "email", &Limits::default(), "person:ada").await.unwrap());
    assert_eq!(of(&queue::stats(&queue.admin).await.unwrap(), "email").limits, Limits::default());
    let noted = "select (detail ->> 'running_max') || '/' || (detail ->> 'rate_period_ms') from task_action
                  where action = 'LIMITED' and detail ->> 'running_max' is not null";
    assert_eq!(queue.texts(noted).await, ["3/5000"]);
    assert_eq!(queue.texts(ACTIONS).await.len(), 2);
}

#[tokio::test]
async fn a_worker_that_is_drained_leaves_the_rest_to_others() {
    let queue = Queue::create().await;
    let running = Running::start(queue.engine(settings()).kind(kind()));
    queue.until("select count(*) from task_worker", 1).await;
    assert!(queue::drain_worker(&queue.admin, running.id, "person:ada").await.unwrap());
    assert!(!queue::drain_worker(&queue.admin, running.id, "person:ada").await.unwrap());
    wait_until("the drain", async || {
        let workers = queue::workers(&queue.admin).await.unwrap();
        if workers.iter().all(|worker| worker.state == "DRAINING") {
            Ok(())
        } else {
            Err(format!("{workers:?}"))
        }
    })
    .await;
    assert_eq!(queue.texts(ACTIONS).await, ["person:ada DRAINED -"]);
    queue.enqueue_one(NewTask::new("a", &())).await;
    let other = Running::start(queue.engine(settings()).kind(kind()));
    queue.until_done(1).await;
    let by = queue.texts("select worker_id::text from task_history").await;
    assert_eq!(by, [other.id.to_string()]);
    other.stop().await;
    running.stop().await;
}

#[tokio::test]
async fn a_schedule_is_paused_resumed_and_ticked_by_hand() {
    let queue = Queue::create().await;
    let yearly = Schedule::cron("yearly", "0 0 1 1 *", "UTC", NewTask::new("a", &7));
    let running = Running::start(queue.engine(settings()).kind(kind()).schedule(yearly));
    queue.until("select count(*) from task_schedule", 1).await;
    assert!(queue::pause_schedule(&queue.admin, "yearly", "person:ada").await.unwrap());
    assert!(queue::schedules(&queue.admin).await.unwrap()[0].paused);
    assert!(queue::resume_schedule(&queue.admin, "yearly", "person:ada").await.unwrap());
    assert!(!queue::resume_schedule(&queue.admin, "yearly", "person:ada").await.unwrap());
    let id = queue::tick_schedule(&queue.admin, "yearly", "person:ada").await.unwrap();
    queue.until_done(1).await;
    let done = queue::task(&queue.admin, id).await.unwrap().unwrap();
    assert_eq!((done.args.as_i64(), done.created_by.as_deref()), (Some(7), Some("person:ada")));
    let wanted = ["SCHEDULE_PAUSED", "SCHEDULE_RESUMED", "SCHEDULE_TICKED"]
        .map(|action| format!("person:ada {action} default"));
    assert_eq!(queue.texts(ACTIONS).await, wanted);
    running.stop().await;
}

#[tokio::test]
async fn a_tick_by_hand_pressed_twice_runs_once() {
    let queue = Queue::create().await;
    let sql = "insert into task_schedule (name, cron, time_zone, kind, queue)
               values ('yearly', '0 0 1 1 *', 'UTC', 'a', 'default')";
    queue.admin.execute(sql, &[]).await.unwrap();
    queue::tick_schedule(&queue.admin, "yearly", "person:ada").await.unwrap();
    let again = queue::tick_schedule(&queue.admin, "yearly", "person:ada").await;
    assert!(matches!(again, Err(Error::KeyHeld)));
    assert_eq!(queue.number("select count(*) from task").await, 1);
    assert_eq!(queue.texts(ACTIONS).await.len(), 1);
}

#[tokio::test]
async fn what_is_rolled_back_was_never_noted() {
    let mut queue = Queue::create().await;
    let mut web = queue.connect_as("youtility_web").await;
    let transaction = web.transaction().await.unwrap();
    assert!(queue::pause(&transaction, "email", "person:ada").await.unwrap());
    transaction.rollback().await.unwrap();
    assert_eq!(queue.number("select count(*) from task_action").await, 0);
    assert!(!of(&queue::stats(&web).await.unwrap(), "email").paused);
}

/// More than is counted one by one, over some tenants; the oldest stands at the end of the queue's order.
const BACKLOG: &str = "
    insert into task (id, queue, kind, tenant, priority, run_at)
    select gen_random_uuid(), 'email', 'a', ('00000000-0000-0000-0000-00000000000' || number % 7)::uuid, number % 3,
           now() - case when number = 10020 then interval '1 hour' else interval '1 minute' end
      from generate_series(1, 10050) as number;
    insert into task (id, queue, kind) values (gen_random_uuid(), 'reports', 'b')";

#[tokio::test]
async fn a_long_queue_is_counted_up_to_a_limit_and_its_oldest_task_found() {
    let queue = Queue::create().await;
    queue.admin.batch_execute(BACKLOG).await.unwrap();
    let stats = queue::stats(&queue.admin).await.unwrap();
    let (email, reports) = (of(&stats, "email"), of(&stats, "reports"));
    assert_eq!((email.ready.number, email.ready.at_least), (queue::COUNTED_MAX, true));
    assert_eq!(email.ready.to_string(), "10000+");
    assert_eq!(reports.ready, Count::exactly(1));
    assert!((3_600.0..3_700.0).contains(&email.oldest_age_seconds), "{}", email.oldest_age_seconds);
    assert_eq!(email.delayed, Count::exactly(0));
}

#[tokio::test]
async fn what_a_count_reads_does_not_grow_with_the_queue() {
    let queue = Queue::create().await;
    let mut pages = Vec::new();
    for _ in 0..2 {
        // Never analysed: the planner knows nothing of it.
        queue
            .admin
            .batch_execute(&format!("alter table task set (autovacuum_enabled = off); {LONG}"))
            .await
            .unwrap();
        let explained = queue
            .admin
            .query_one("explain (analyze, buffers, format json) select * from task_counts(1000)", &[])
            .await
            .unwrap();
        let plan: serde_json::Value = explained.get(0);
        pages.push(
            plan[0]["Plan"]["Shared Hit Blocks"].as_i64().unwrap()
                + plan[0]["Plan"]["Shared Read Blocks"].as_i64().unwrap(),
        );
    }
    assert!(pages[1] < pages[0] * 2, "{pages:?} pages for 30,000 tasks and for 90,000");
}

/// A third each ready, delayed and waiting; the second time as much again and more.
const LONG: &str = "
    insert into task (id, queue, kind, state, pending, run_at)
    select gen_random_uuid(), 'email', 'a', (array['READY', 'DELAYED', 'WAITING'])[number % 3 + 1],
           case number % 3 when 2 then 1 else 0 end, now() + number * interval '1 second'
      from generate_series(1, 30000 * (1 + (select count(*) from (select from task limit 1) as any_task))) as number";

#[tokio::test]
async fn every_state_is_counted_by_queue() {
    let queue = Queue::create().await;
    let sql = "insert into task (id, queue, kind, state, pending, worker_id, lease_until, run_at)
               select gen_random_uuid(), 'email', 'a', state, case state when 'WAITING' then 2 else 0 end,
                      case state when 'RUNNING' then gen_random_uuid() end,
                      case state when 'RUNNING' then now() end, now() + interval '1 day'
                 from unnest(array['WAITING', 'DELAYED', 'DELAYED', 'RUNNING', 'READY']) as state;
               insert into task_dead_letter (id, created_at, buried_at, attempts, crashes, priority, queue, kind, reason, args)
               values (gen_random_uuid(), now(), now(), 1, 0, 0, 'email', 'a', 'EXHAUSTED', '{}');
               insert into task (id, queue, kind) values (gen_random_uuid(), 'default', 'forgotten')";
    queue.admin.batch_execute(sql).await.unwrap();
    let stats = queue::stats(&queue.admin).await.unwrap();
    let email = of(&stats, "email");
    let counts = [email.waiting, email.delayed, email.running, email.ready, email.dead_letters];
    assert_eq!(counts, [1, 2, 1, 1, 1].map(Count::exactly));
    assert_eq!(stats.dead_letters(), Count::exactly(1));
    let unknown: Vec<(&str, i64)> =
        stats.unknown_kinds.iter().map(|unknown| (unknown.kind.as_str(), unknown.tasks)).collect();
    assert_eq!(unknown, [("forgotten", 1)]);
    assert!(of(&stats, "default").oldest_age_seconds.abs() < f64::EPSILON, "nobody could do it");
}

#[tokio::test]
async fn workers_report_and_kinds_are_registered() {
    let queue = Queue::create().await;
    let running = Running::start(queue.engine(settings()).kind(kind().attempts_max(4)));
    queue.until("select count(*) from task_worker where heartbeat_at > started_at", 1).await;
    let stats = queue::stats(&queue.admin).await.unwrap();
    assert_eq!((stats.workers_alive, stats.dead_letters()), (1, Count::exactly(0)));
    assert!(stats.heartbeat_at.is_some());
    let workers = queue::workers(&queue.admin).await.unwrap();
    assert_eq!(
        (workers[0].id, workers[0].state.as_str(), workers[0].draining),
        (running.id, "WORKING", false)
    );
    let kinds = queue::kinds(&queue.admin).await.unwrap();
    let registered = kinds.iter().find(|kind| kind.name == "a").unwrap();
    assert_eq!((registered.queue.as_str(), registered.attempts_max), ("default", 4));
    running.stop().await;
}

#[tokio::test]
async fn partitions_are_made_ahead_of_their_days() {
    let queue = Queue::create().await;
    let tomorrow_on = queue::ensure_partitions(&queue.admin, 7).await.unwrap();
    assert_eq!(tomorrow_on, 8, "three of seven days were there, for two tables");
    assert_eq!(queue::ensure_partitions(&queue.admin, 7).await.unwrap(), 0);
    let running = Running::start(queue.engine(settings()).kind(kind()));
    queue.enqueue_one(NewTask::new("a", &())).await;
    queue.until_done(1).await;
    assert_eq!(queue.number("select count(*) from task_history_default").await, 0, "today has its partition");
    running.stop().await;
}

#[test]
fn settings_refuse_what_they_do_not_know_and_what_cannot_work() {
    let unknown = serde_json::from_str::<EngineSettings>(r#"{"poll_intervall_ms": 1}"#);
    assert!(unknown.unwrap_err().to_string().contains("poll_intervall_ms"));
    let partial: EngineSettings = serde_json::from_str(r#"{"batch": 3}"#).unwrap();
    assert_eq!(partial, EngineSettings { batch: 3, ..EngineSettings::default() });
    assert!(EngineSettings::default().mistakes().is_empty());
    let short = EngineSettings { lease_ms: 10, heartbeat_ms: 10, ..EngineSettings::default() };
    assert_eq!(short.mistakes(), [("lease_ms", "use at least five heartbeats")]);
}

#[tokio::test]
async fn the_role_of_the_web_may_do_by_hand_what_its_pages_do_and_nothing_beside() {
    let mut queue = Queue::create().await;
    let web = queue.connect_as("youtility_web").await;
    let sql = "insert into task_worker (id, name, state, queues, running, buffered)
               values (gen_random_uuid(), 'here', 'WORKING', '{email}', 0, 0);
               insert into task_schedule (name, cron, time_zone, kind, queue)
               values ('yearly', '0 0 1 1 *', 'UTC', 'a', 'default');
               insert into task_dead_letter (id, created_at, buried_at, attempts, crashes, priority, queue, kind, reason, args)
               select gen_random_uuid(), now(), now(), 1, 0, 0, 'email', 'a', 'EXHAUSTED', '{}' from generate_series(1, 2)";
    queue.admin.batch_execute(sql).await.unwrap();
    let letters = queue::dead_letters(&web, &DeadLetterFilter::default(), None, 2).await.unwrap().rows;
    let delayed = queue.enqueue_one(NewTask::new("a", &()).delay(Duration::from_hours(1))).await;
    let done = [
        queue::pause(&web, "email", "person:ada").await,
        queue::resume(&web, "email", "person:ada").await,
        queue::pause_schedule(&web, "yearly", "person:ada").await,
        queue::resume_schedule(&web, "yearly", "person:ada").await,
        queue::retry_now(&web, delayed, "person:ada").await,
        queue::retry_dead_letter(&web, letters[0].id, "person:ada").await,
        queue::discard_dead_letter(&web, letters[1].id, "person:ada").await,
    ];
    for (number, answer) in done.iter().enumerate() {
        assert!(matches!(answer, Ok(true)), "{number}: {answer:?}");
    }
    queue::tick_schedule(&web, "yearly", "person:ada").await.unwrap();
    let flow = queue::Workflow::new()
        .task("first", NewTask::new("a", &()))
        .task("then", NewTask::new("b", &()))
        .after("then", &["first"]);
    let ids = queue::enqueue_workflow(&web, &flow).await.unwrap();
    assert_eq!(queue::cancel(&web, ids["first"], "person:ada").await.unwrap(), Cancel::Removed);
    assert_eq!(queue.number("select count(*) from task where cancelled_at is not null").await, 1);
    assert_eq!(queue::cancel(&web, delayed, "person:ada").await.unwrap(), Cancel::Removed);
    assert_eq!(queue.number("select count(*) from task_action where actor = 'person:ada'").await, 10);
    let seen = queue::actions(&web, None, 20).await.unwrap();
    assert_eq!(seen.rows.len(), 10);
    queue::tasks(&web, &TaskFilter::default(), None, 10).await.unwrap();
    queue::history(&web, &HistoryFilter::default(), None, 10).await.unwrap();
    assert!(queue::task(&web, delayed).await.unwrap().is_some());
    for sql in FORBIDDEN_TO_THE_WEB {
        let refused = web.batch_execute(sql).await.err().and_then(|error| error.code().cloned());
        assert_eq!(refused, Some(SqlState::INSUFFICIENT_PRIVILEGE), "{sql}");
    }
}

/// What a page has no use for, and a mistake in one could do harm with.
const FORBIDDEN_TO_THE_WEB: &[&str] = &[
    "update task set args = '{}'",
    "update task set tenant = null",
    "update task set kind = 'b', queue = 'email'",
    "update task set worker_id = null, lease_until = null",
    "update task_queue set running_max = 1",
    "update task_schedule set cron = '* * * * *'",
    "update task_schedule set args = '{}', tenant = null",
    "insert into task_schedule (name, cron, time_zone, kind, queue) values ('mine', '* * * * *', 'UTC', 'a', 'default')",
    "update task_worker set draining = true",
    "update task_dead_letter set args = '{}'",
    "update task_history set outcome = 'SUCCEEDED'",
    "delete from task_history",
    "insert into task_history (id, created_at, run_at, finished_at, attempts, queue, kind, outcome, args, result)
     values (gen_random_uuid(), now(), now(), now(), 1, 'email', 'a', 'SUCCEEDED', '{}', '{}')",
    "insert into task_attempt (task_id, worker_id, finished_at, attempt, outcome)
     values (gen_random_uuid(), gen_random_uuid(), now(), 1, 'FAILED')",
    "insert into task_action (id, at, actor, action)
     values (gen_random_uuid(), now() - interval '1 day', 'person:ada', 'PAUSED')",
    "update task_action set actor = 'person:ben'",
    "delete from task_action",
    "delete from task_key",
];

#[tokio::test]
async fn partitions_made_beside_a_reader_keep_no_writer_waiting_and_are_made_when_it_is_gone() {
    let mut queue = Queue::create().await;
    let mut reader = queue.connect_as("youtility_worker").await;
    let writer = queue.connect_as("youtility_worker").await;
    let maker = queue.connect_as(local::postgres::SUPERUSER).await;
    maker.batch_execute("set statement_timeout = '10s'").await.unwrap();
    let reading = reader.transaction().await.unwrap();
    reading.execute("select count(*) from task_history", &[]).await.unwrap();
    let write = async {
        queue.until_blocked().await;
        let sql = "insert into task_history (id, created_at, run_at, finished_at, attempts, queue, kind, outcome, args)
                   values (gen_random_uuid(), now(), now(), now(), 1, 'default', 'a', 'SUCCEEDED', '{}')";
        writer.batch_execute("set lock_timeout = '50ms'").await.unwrap();
        writer.execute(sql, &[]).await
    };
    let (made, written) = tokio::join!(queue::ensure_partitions(&maker, 7), write);
    assert_eq!(written.unwrap(), 1);
    let Err(Error::Postgres(error)) = made else { panic!("{made:?}") };
    assert_eq!(error.code(), Some(&SqlState::LOCK_NOT_AVAILABLE));
    reading.rollback().await.unwrap();
    assert_eq!(queue::ensure_partitions(&maker, 7).await.unwrap(), 8);
    let complete = "select count(*) from pg_index join pg_inherits on inhrelid = indrelid
                     where inhparent = 'task_history'::regclass and indisvalid
                     group by indrelid order by 1 limit 1";
    assert_eq!(
        queue.number(complete).await,
        queue.number("select count(*) from pg_index where indrelid = 'task_history'::regclass").await
    );
}
