//! Schedules.

use queue::{Error, Kind, NewTask, Schedule};

use crate::support::{Queue, Running, Seen, settings};

/// Ticks at New Year only, so that no tick comes by while a test runs.
const YEARLY: &str = "0 0 1 1 *";

fn schedule(cron: &str, zone: &str, kind: &str) -> Schedule {
    Schedule::cron("nightly", cron, zone, NewTask::new(kind, &()).queue("maintenance"))
}

#[tokio::test]
async fn three_engines_run_a_missed_tick_once() {
    let queue = Queue::create().await;
    let missed = "insert into task_schedule (name, cron, time_zone, kind, queue, last_tick)
                  values ('nightly', $1, 'UTC', 'a', 'maintenance', now() - interval '2 years')";
    queue.admin.execute(missed, &[&YEARLY]).await.unwrap();
    let seen = Seen::new();
    let engines: Vec<Running> = (0..3)
        .map(|_| {
            let noted = seen.clone();
            let kind = Kind::new("a", "maintenance", move |job| {
                noted.push(job.id);
                async { Ok(()) }
            });
            Running::start(queue.engine(settings()).kind(kind).schedule(schedule(YEARLY, "UTC", "a")))
        })
        .collect();
    queue.until_done(1).await;
    queue.until("select count(*) from task_worker", 3).await;
    for engine in engines {
        engine.stop().await;
    }
    assert_eq!(seen.count(), 1, "two ticks were missed, the latest was made up, once");
    let moved = "select count(*) from task_schedule
                  where last_tick = date_trunc('year', now() at time zone 'UTC') at time zone 'UTC'
                    and next_tick = (date_trunc('year', now() at time zone 'UTC') + interval '1 year') at time zone 'UTC'";
    assert_eq!(queue.number(moved).await, 1);
}

#[tokio::test]
async fn a_schedule_keeps_ticking() {
    let queue = Queue::create().await;
    let kind = Kind::new("a", "maintenance", |_| async { Ok(()) });
    let running =
        Running::start(queue.engine(settings()).kind(kind).schedule(schedule("* * * * * *", "UTC", "a")));
    queue.until("select least(count(*), 3) from task_history", 3).await;
    running.stop().await;
    let ticks =
        queue.number("select count(distinct date_trunc('second', created_at)) from task_history").await;
    assert_eq!(ticks, queue.number("select count(*) from task_history").await, "one per second");
}

#[tokio::test]
async fn a_schedule_that_cannot_tick_does_not_keep_the_others_waiting() {
    let queue = Queue::create().await;
    let lost = Schedule::cron("a-lost", "* * * * * *", "UTC", NewTask::new("a", &()).queue("reports"));
    let kind = Kind::new("a", "maintenance", |_| async { Ok(()) });
    let well = schedule("* * * * * *", "UTC", "a");
    let running = Running::start(queue.engine(settings()).kind(kind).schedule(lost).schedule(well));
    queue.until("select count(*) from task_worker", 1).await;
    queue
        .admin
        .batch_execute(
            "alter table task_schedule drop constraint task_schedule_queue_fkey;
             delete from task_queue where name = 'reports'",
        )
        .await
        .unwrap();
    let begun = queue.number("select count(*) from task_history where queue = 'maintenance'").await;
    let more =
        format!("select least(count(*), {0}) from task_history where queue = 'maintenance'", begun + 2);
    queue.until(&more, begun + 2).await;
    running.stop().await;
}

#[tokio::test]
async fn a_new_schedule_waits_for_its_next_tick_and_a_changed_one_too() {
    let queue = Queue::create().await;
    let kind = || Kind::new("a", "maintenance", |_| async { Ok(()) });
    let first = Running::start(queue.engine(settings()).kind(kind()).schedule(schedule(YEARLY, "UTC", "a")));
    queue.until("select count(*) from task_worker", 1).await;
    first.stop().await;
    let ago = "update task_schedule set last_tick = now() - interval '2 years'";
    queue.admin.execute(ago, &[]).await.unwrap();
    let changed = schedule("0 1 1 1 *", "UTC", "a");
    let second = Running::start(queue.engine(settings()).kind(kind()).schedule(changed));
    queue.until("select count(*) from task_schedule where cron = '0 1 1 1 *'", 1).await;
    second.stop().await;
    assert_eq!(queue.number("select count(*) from task").await, 0);
    assert_eq!(queue.number("select count(*) from task_history").await, 0);
}

#[tokio::test]
async fn mistakes_in_schedules_and_kinds_are_found_before_the_start() {
    let queue = Queue::create().await;
    let kind = || Kind::new("a", "maintenance", |_| async { Ok(()) });
    let with = |schedule| queue.engine(settings()).kind(kind()).schedule(schedule).build().err().unwrap();
    assert!(matches!(with(schedule("every day", "UTC", "a")), Error::Cron { .. }));
    assert!(matches!(with(schedule(YEARLY, "Mars/Olympus", "a")), Error::TimeZone { .. }));
    assert!(matches!(with(schedule(YEARLY, "UTC", "b")), Error::UnknownKind { kind, .. } if kind == "b"));
    let twice = queue.engine(settings()).kind(kind()).kind(kind()).build().err().unwrap();
    assert!(matches!(twice, Error::Duplicate { name } if name == "a"));
    let never = queue.engine(settings()).kind(kind().attempts_max(0)).build().err().unwrap();
    assert!(matches!(never, Error::Unusable { .. }));
}
