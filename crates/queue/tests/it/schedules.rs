//! Schedules.

use queue::{CatchUp, EngineSettings, Error, Kind, NewTask, Schedule};

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
async fn a_schedule_is_known_with_its_next_tick_from_its_registration_on() {
    let queue = Queue::create().await;
    let kind = Kind::new("a", "maintenance", |_| async { Ok(()) });
    let task = NewTask::new("a", &[1, 2]).queue("maintenance").tenant(uuid::Uuid::from_u128(1));
    let yearly = Schedule::cron("yearly", YEARLY, "Asia/Kolkata", task).catch_up(CatchUp::All);
    let running = Running::start(queue.engine(settings()).kind(kind).schedule(yearly));
    queue.until("select count(*) from task_schedule", 1).await;
    let next = "select count(*) from task_schedule
                 where next_tick at time zone 'Asia/Kolkata'
                       = date_trunc('year', now() at time zone 'Asia/Kolkata') + interval '1 year'";
    assert_eq!(queue.number(next).await, 1);
    let row = "select concat_ws(' ', catch_up, args, right(tenant::text, 1), paused) from task_schedule";
    assert_eq!(queue.texts(row).await, ["ALL [1, 2] 1 f"]);
    running.stop().await;
}

#[tokio::test]
async fn a_task_of_a_schedule_is_due_at_its_tick() {
    let queue = Queue::create().await;
    missed_two_years(&queue, "LATEST").await;
    let seen = Seen::new();
    let noted = seen.clone();
    let kind = Kind::new("a", "maintenance", move |job| {
        noted.push(job.run_at);
        async { Ok(()) }
    });
    let running = Running::start(queue.engine(settings()).kind(kind).schedule(schedule(YEARLY, "UTC", "a")));
    queue.until_done(1).await;
    let tick = "select date_trunc('year', now() at time zone 'UTC') at time zone 'UTC'";
    let tick: jiff::Timestamp = queue.admin.query_one(tick, &[]).await.unwrap().get(0);
    assert_eq!(seen.all(), [tick]);
    running.stop().await;
}

/// Makes the schedule look as if no engine had run for two years.
async fn missed_two_years(queue: &Queue, catch_up: &str) {
    let missed = "insert into task_schedule (name, cron, time_zone, kind, queue, catch_up, last_tick)
                  values ('nightly', $1, 'UTC', 'a', 'maintenance', $2, now() - interval '2 years')";
    queue.admin.execute(missed, &[&YEARLY, &catch_up]).await.unwrap();
}

/// Runs an engine with the yearly schedule until it has made up its mind about what was missed.
async fn made_up(catch_up: CatchUp, limits: EngineSettings) -> Vec<String> {
    let queue = Queue::create().await;
    missed_two_years(&queue, "LATEST").await;
    let kind = Kind::new("a", "maintenance", |_| async { Ok(()) });
    let yearly = schedule(YEARLY, "UTC", "a").catch_up(catch_up);
    let running = Running::start(queue.engine(limits).kind(kind).schedule(yearly));
    let moved = "select count(*) from task_schedule where last_tick > now() - interval '1 year'";
    queue.until(moved, 1).await;
    queue.until("select count(*) from task", 0).await;
    running.stop().await;
    queue
        .texts(
            "select (extract(year from now() at time zone 'UTC') - extract(year from run_at at time zone 'UTC'))::text
               from task_history order by run_at",
        )
        .await
}

#[tokio::test]
async fn missed_ticks_are_made_up_as_the_schedule_says() {
    assert_eq!(made_up(CatchUp::All, settings()).await, ["1", "0"]);
    assert_eq!(made_up(CatchUp::Latest, settings()).await, ["0"]);
    assert!(made_up(CatchUp::None, settings()).await.is_empty());
    let few = EngineSettings { catch_up_max: 1, ..settings() };
    assert_eq!(made_up(CatchUp::All, few).await, ["0"], "the latest of more than may be made up");
}

#[tokio::test]
async fn a_paused_schedule_does_not_tick_and_goes_on_with_the_next_one_when_resumed() {
    let queue = Queue::create().await;
    missed_two_years(&queue, "LATEST").await;
    queue::pause_schedule(&queue.admin, "nightly", "a person").await.unwrap();
    let kind = Kind::new("a", "maintenance", |_| async { Ok(()) });
    let running = Running::start(
        queue.engine(settings()).kind(kind).schedule(schedule(YEARLY, "UTC", "a")).schedule(every_second()),
    );
    // The other schedule ticks: the paused one was looked at as well.
    queue.until("select least(count(*), 2) from task_history", 2).await;
    let paused =
        "select count(*) from task_schedule where name = 'nightly' and last_tick < now() - interval '1 year'";
    assert_eq!(queue.number(paused).await, 1);
    queue::resume_schedule(&queue.admin, "nightly", "a person").await.unwrap();
    let gone = queue.number("select count(*) from task_history").await;
    let more = format!("select least(count(*), {0}) from task_history", gone + 2);
    queue.until(&more, gone + 2).await;
    running.stop().await;
    let yearly = "select count(*) from task_history where run_at < now() - interval '1 minute'";
    assert_eq!(queue.number(yearly).await, 0, "what falls into a pause is not made up");
}

fn every_second() -> Schedule {
    Schedule::cron("often", "* * * * * *", "UTC", NewTask::new("a", &()).queue("maintenance"))
}

#[tokio::test]
async fn a_tick_is_left_out_while_a_task_is_alive_where_the_task_brings_a_key() {
    let kind = Kind::new("a", "maintenance", |_| async { Ok(()) });
    leaves_ticks_out(kind, every_second_with(|task| task.unique_key("only one"))).await;
}

#[tokio::test]
async fn a_tick_is_left_out_while_a_task_is_alive_where_arguments_are_the_key() {
    let kind = Kind::new("a", "maintenance", |_| async { Ok(()) }).unique_by_args();
    leaves_ticks_out(kind, every_second_with(|task| task)).await;
}

fn every_second_with(key: impl FnOnce(NewTask) -> NewTask) -> Schedule {
    Schedule::cron("keyed", "* * * * * *", "UTC", key(NewTask::new("a", &()).queue("maintenance")))
}

/// Lets ticks come by while the first task waits.
async fn leaves_ticks_out(kind: Kind, keyed: Schedule) {
    let queue = Queue::create().await;
    queue.admin.execute("update task_queue set paused = true where name = 'maintenance'", &[]).await.unwrap();
    let running = Running::start(queue.engine(settings()).kind(kind).schedule(keyed));
    queue.until("select count(*) from task", 1).await;
    let later = "select count(*) from task_schedule where last_tick > (select run_at + interval '1 second' from task)";
    queue.until(later, 1).await;
    assert_eq!(queue.number("select count(*) from task").await, 1);
    running.stop().await;
}

#[tokio::test]
async fn mistakes_in_schedules_and_kinds_are_found_before_the_start() {
    let queue = Queue::create().await;
    let kind = || Kind::new("a", "maintenance", |_| async { Ok(()) });
    let with = |schedule| queue.engine(settings()).kind(kind()).schedule(schedule).build().err().unwrap();
    assert!(matches!(with(schedule("every day", "UTC", "a")), Error::Cron { .. }));
    assert!(matches!(with(schedule(YEARLY, "Mars/Olympus", "a")), Error::TimeZone { .. }));
    assert!(
        matches!(with(schedule(YEARLY, "UTC", "b")), Error::UnregisteredKind { kind, .. } if kind == "b")
    );
    let named = |name: &str, task| Schedule::cron(name, YEARLY, "UTC", task);
    assert!(matches!(with(named("", NewTask::new("a", &()))), Error::Unusable { .. }));
    let never = NewTask::new("a", &()).attempts_max(0);
    assert!(matches!(with(named("nightly", never)), Error::Unusable { .. }));
    let not_json = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(matches!(with(named("nightly", NewTask::new("a", &not_json))), Error::Args { .. }));
    let typed = Kind::typed("t", "maintenance", |_, _: i64| async { Ok(()) });
    let other = named("nightly", NewTask::new("t", &"no number"));
    let refused = queue.engine(settings()).kind(typed).schedule(other).build().err().unwrap();
    assert!(matches!(refused, Error::ScheduledArgs { kind, .. } if kind == "t"));
    let twice = queue.engine(settings()).kind(kind()).kind(kind()).build().err().unwrap();
    assert!(matches!(twice, Error::Duplicate { name } if name == "a"));
    let never = queue.engine(settings()).kind(kind().attempts_max(0)).build().err().unwrap();
    assert!(matches!(never, Error::Unusable { .. }));
}

#[tokio::test]
async fn an_engine_does_not_tick_by_times_that_another_has_replaced() {
    let queue = Queue::create().await;
    let kind = |name: &str| Kind::new(name, "maintenance", |_| async { Ok(()) });
    let beside = Schedule::cron("beside", "* * * * * *", "UTC", NewTask::new("b", &()).queue("maintenance"));
    let running = Running::start(
        queue
            .engine(settings())
            .kind(kind("a"))
            .kind(kind("b"))
            .schedule(schedule("* * * * * *", "UTC", "a"))
            .schedule(beside),
    );
    let ticks = |kind: &str| {
        format!(
            "select count(*) from (select kind from task union all select kind from task_history) as ticked
                  where kind = '{kind}'"
        )
    };
    queue.until("select count(*) from task_schedule where last_tick > now() - interval '1 second'", 2).await;
    // As a newer engine registers it.
    let replace = "update task_schedule set cron = $1, next_tick = null where name = 'nightly'";
    queue.admin.execute(replace, &[&YEARLY]).await.unwrap();
    let (replaced, other) = (queue.number(&ticks("a")).await, queue.number(&ticks("b")).await);
    queue.until(&format!("select least({}, ({}))", other + 3, ticks("b")), other + 3).await;
    assert_eq!(queue.number(&ticks("a")).await, replaced);
    let foreseen = "select count(*) from task_schedule where name = 'nightly' and next_tick is not null";
    assert_eq!(queue.number(foreseen).await, 0, "nor does it foretell them");
    running.stop().await;
}

#[tokio::test]
async fn a_schedule_that_no_engine_has_any_more_is_shown_without_a_next_tick() {
    let queue = Queue::create().await;
    let kind = Kind::new("a", "maintenance", |_| async { Ok(()) });
    let long_ago = "insert into task_schedule (name, cron, time_zone, kind, queue, next_tick, seen_at)
                    select name, '0 0 1 1 *', 'UTC', 'a', 'maintenance', now() + interval '1 day', now() - interval '1 hour'
                      from unnest(array['nightly', 'removed']) as name";
    queue.admin.batch_execute(long_ago).await.unwrap();
    let quick = EngineSettings { schedule_interval_ms: 20, ..settings() };
    let running = Running::start(queue.engine(quick).kind(kind).schedule(schedule(YEARLY, "UTC", "a")));
    let fresh = "select count(*) from task_schedule where seen_at > now() - interval '10 seconds'";
    queue.until(fresh, 1).await;
    let foreseen = async || {
        let schedules = queue::schedules(&queue.admin).await.unwrap();
        schedules.into_iter().map(|entry| (entry.name, entry.next_tick.is_some())).collect::<Vec<_>>()
    };
    let expected = [("nightly".to_owned(), true), ("removed".to_owned(), false)];
    assert_eq!(foreseen().await, expected);
    // Whoever watches says so again, without being registered anew.
    queue.admin.execute("update task_schedule set seen_at = now() - interval '1 hour'", &[]).await.unwrap();
    queue.until(fresh, 1).await;
    assert_eq!(foreseen().await, expected);
    running.stop().await;
}
