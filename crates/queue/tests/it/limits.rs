//! What a queue may do over all workers, and for each tenant.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use queue::{EngineSettings, Failure, Kind, Limits, NewTask};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::support::{Queue, Running, settings, wait_until};

const DONE: &str = "select count(*) from task_history";

fn of(tenant: u128, number: usize) -> NewTask {
    NewTask::new("a", &number).tenant(Uuid::from_u128(tenant))
}

async fn limit(queue: &Queue, limits: Limits) {
    assert!(queue::limit(&queue.admin, "default", &limits, "a test").await.unwrap());
}

fn quick() -> Kind {
    Kind::new("a", "default", |_| async { Ok::<(), Failure>(()) })
}

/// Notes how many ran at once at most, of each tenant.
#[derive(Default)]
struct Peaks(Mutex<HashMap<Option<Uuid>, (usize, usize)>>);

impl Peaks {
    fn enter(&self, tenant: Option<Uuid>) {
        let mut peaks = self.0.lock().unwrap();
        let (now, most) = peaks.entry(tenant).or_default();
        *now += 1;
        *most = (*most).max(*now);
    }

    fn leave(&self, tenant: Option<Uuid>) {
        self.0.lock().unwrap().entry(tenant).or_default().0 -= 1;
    }

    fn most(&self) -> Vec<usize> {
        let peaks = self.0.lock().unwrap();
        let mut most: Vec<usize> = peaks.values().map(|(_, most)| *most).collect();
        most.sort_unstable();
        most
    }
}

#[tokio::test]
async fn several_workers_together_run_no_more_than_the_queue_may() {
    let queue = Queue::create().await;
    limit(&queue, Limits { running_max: Some(3), ..Limits::default() }).await;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let engines: Vec<Running> = (0..3)
        .map(|_| {
            let (now, most) = (now.clone(), most.clone());
            let kind = Kind::new("a", "default", move |_| {
                let (now, most) = (now.clone(), most.clone());
                async move {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok::<(), Failure>(())
                }
            });
            Running::start(queue.engine(settings()).kind(kind))
        })
        .collect();
    let tasks: Vec<NewTask> = (0..60).map(|number| NewTask::new("a", &number)).collect();
    queue.enqueue(&tasks).await;
    queue.until_done(60).await;
    assert!((1..=3).contains(&most.load(Ordering::SeqCst)), "{most:?}");
    for engine in engines {
        engine.stop().await;
    }
}

#[tokio::test]
async fn each_tenant_runs_no_more_than_it_may_while_others_run() {
    let queue = Queue::create().await;
    limit(&queue, Limits { tenant_running_max: Some(2), ..Limits::default() }).await;
    let (peaks, gate) = (Arc::new(Peaks::default()), Arc::new(Semaphore::new(0)));
    let (noted, inside) = (peaks.clone(), gate.clone());
    let kind = Kind::new("a", "default", move |job| {
        let (peaks, gate) = (noted.clone(), inside.clone());
        async move {
            peaks.enter(job.tenant);
            gate.acquire().await?.forget();
            peaks.leave(job.tenant);
            Ok(())
        }
    });
    let running = Running::start(queue.engine(settings()).kind(kind));
    let tasks: Vec<NewTask> = (0..30).map(|number| of(if number < 20 { 1 } else { 2 }, number)).collect();
    queue.enqueue(&tasks).await;
    queue.until("select count(*) from task where state = 'RUNNING'", 4).await;
    gate.add_permits(30);
    queue.until_done(30).await;
    assert_eq!(peaks.most(), [2, 2]);
    running.stop().await;
}

#[tokio::test]
async fn a_rate_lets_so_many_start_in_a_period_and_then_more() {
    let queue = Queue::create().await;
    let hour = Duration::from_hours(1);
    limit(&queue, Limits { rate_max: Some(5), rate_period: hour, ..Limits::default() }).await;
    let engines = [0, 1].map(|_| Running::start(queue.engine(settings()).kind(quick())));
    let tasks: Vec<NewTask> = (0..20).map(|number| NewTask::new("a", &number)).collect();
    queue.enqueue(&tasks).await;
    queue.until(DONE, 5).await;
    let waiting = "select count(*) from task where state = 'READY'";
    assert_eq!(queue.number(waiting).await, 15);
    // An hour later, as the bucket sees it.
    queue
        .admin
        .batch_execute(
            "update task_tenant set refilled_at = refilled_at - interval '1 hour'; notify queue_limits",
        )
        .await
        .unwrap();
    queue.enqueue_one(NewTask::new("a", &"wakes")).await;
    queue.until(DONE, 10).await;
    assert_eq!(queue.number(waiting).await, 11);
    for engine in engines {
        engine.stop().await;
    }
}

#[tokio::test]
async fn each_tenant_has_a_rate_of_its_own() {
    let queue = Queue::create().await;
    let hour = Duration::from_hours(1);
    limit(&queue, Limits { tenant_rate_max: Some(2), rate_period: hour, ..Limits::default() }).await;
    let running = Running::start(queue.engine(settings()).kind(quick()));
    let tasks: Vec<NewTask> =
        (0..15).map(|number| of(1 + u128::try_from(number % 3).unwrap(), number)).collect();
    queue.enqueue(&tasks).await;
    queue.until(DONE, 6).await;
    let each =
        "select count(*) from (select tenant from task_history group by tenant having count(*) = 2) as even";
    assert_eq!(queue.number(each).await, 3);
    running.stop().await;
}

#[tokio::test]
async fn a_limit_that_is_lifted_lets_everything_run() {
    let queue = Queue::create().await;
    let hour = Duration::from_hours(1);
    limit(&queue, Limits { rate_max: Some(1), rate_period: hour, ..Limits::default() }).await;
    let running = Running::start(queue.engine(settings()).kind(quick()));
    let tasks: Vec<NewTask> = (0..20).map(|number| NewTask::new("a", &number)).collect();
    queue.enqueue(&tasks).await;
    queue.until(DONE, 1).await;
    limit(&queue, Limits::default()).await;
    queue.until(DONE, 20).await;
    running.stop().await;
}

#[tokio::test]
async fn one_task_of_a_tenant_is_not_behind_the_thousands_of_another() {
    let queue = Queue::create().await;
    let place = Arc::new(Mutex::new((0_usize, None)));
    let (noted, gate) = (place.clone(), Arc::new(Semaphore::new(0)));
    let inside = gate.clone();
    let kind = Kind::new("a", "default", move |job| {
        let (place, gate) = (noted.clone(), inside.clone());
        async move {
            gate.acquire().await?.forget();
            let mut place = place.lock().unwrap();
            place.0 += 1;
            if job.tenant == Some(Uuid::from_u128(2)) {
                place.1 = Some(place.0);
            }
            Ok(())
        }
    });
    let one = EngineSettings {
        queues: [("default".to_owned(), 4)].into(),
        batch: 20,
        buffer: 20,
        head_interval_ms: 1,
        ..settings()
    };
    let many: Vec<NewTask> = (0..3_000).map(|number| of(1, number)).collect();
    queue.enqueue(&many).await;
    let running = Running::start(queue.engine(one).kind(kind));
    gate.add_permits(100);
    queue.until("select least(count(*), 100) from task_history", 100).await;
    queue.enqueue(&[of(2, 0)]).await;
    // A few at a time, so that its place does not depend on how busy the machine is.
    wait_until("the one task", async || {
        gate.add_permits(5);
        let (done, place) = *place.lock().unwrap();
        place.map(|_| ()).ok_or_else(|| format!("{done} of the others"))
    })
    .await;
    let (_, place) = *place.lock().unwrap();
    assert!(place.is_some_and(|place| place < 600), "it was number {place:?} of 3001");
    running.stop().await;
}

/// Handlers of this kind wait for permits.
fn held_by(gate: &Arc<Semaphore>) -> Kind {
    let gate = gate.clone();
    Kind::new("a", "default", move |_| {
        let gate = gate.clone();
        async move {
            gate.acquire().await?.forget();
            Ok::<(), Failure>(())
        }
    })
}

/// Claims more at once than there are tenants.
fn wide() -> EngineSettings {
    EngineSettings { queues: [("default".to_owned(), 200)].into(), batch: 200, ..settings() }
}

#[tokio::test]
async fn tenants_behind_a_hundred_that_may_start_nothing_have_their_turn() {
    let queue = Queue::create().await;
    limit(&queue, Limits { tenant_running_max: Some(1), ..Limits::default() }).await;
    let tasks: Vec<NewTask> =
        (0..300).map(|number| of(1 + u128::try_from(number % 150).unwrap(), number)).collect();
    queue.enqueue(&tasks).await;
    let gate = Arc::new(Semaphore::new(0));
    let running = Running::start(queue.engine(wide()).kind(held_by(&gate)));
    queue.until("select count(distinct tenant) from task where state = 'RUNNING'", 150).await;
    gate.add_permits(300);
    queue.until_done(300).await;
    running.stop().await;
}

#[tokio::test]
async fn tenants_take_turns_where_fewer_may_run_than_there_are() {
    let queue = Queue::create().await;
    limit(&queue, Limits { running_max: Some(2), ..Limits::default() }).await;
    let tasks: Vec<NewTask> =
        (0..90).map(|number| of(1 + u128::try_from(number % 3).unwrap(), number)).collect();
    queue.enqueue(&tasks).await;
    let gate = Arc::new(Semaphore::new(10));
    let running = Running::start(queue.engine(wide()).kind(held_by(&gate)));
    queue.until(DONE, 10).await;
    let served = "select count(distinct tenant) from task_history";
    assert_eq!(queue.number(served).await, 3);
    gate.add_permits(80);
    queue.until_done(90).await;
    running.stop().await;
}

#[tokio::test]
async fn a_queue_with_nothing_to_start_is_not_written_to() {
    let queue = Queue::create().await;
    let limits = Limits {
        running_max: Some(3),
        tenant_rate_max: Some(6_000),
        rate_max: Some(60_000),
        ..Limits::default()
    };
    limit(&queue, limits).await;
    let running = Running::start(queue.engine(settings()).kind(quick()));
    let tasks: Vec<NewTask> = (0..20).map(|number| of(1, number)).collect();
    queue.enqueue(&tasks).await;
    queue.until_done(20).await;
    let versions = "select string_agg(version, ' ' order by version)
                      from (select 'queue ' || xmin::text as version from task_queue where name = 'default'
                            union all select 'bucket ' || xmin::text from task_tenant) as versions";
    let before = queue.texts(versions).await;
    let beats =
        "select count(*) from task_worker where heartbeat_at > (select max(finished_at) from task_history)
                                                                      + interval '1 second'";
    queue.until(beats, 1).await;
    assert_eq!(queue.texts(versions).await, before);
    running.stop().await;
}

#[tokio::test]
async fn the_row_of_a_queue_that_somebody_holds_does_not_stop_claims() {
    let mut queue = Queue::create().await;
    limit(&queue, Limits { running_max: Some(2), rate_max: Some(1_000), ..Limits::default() }).await;
    let other = queue.connect_as(local::postgres::SUPERUSER).await;
    other
        .batch_execute("begin; select from task_queue where name = 'default' for no key update")
        .await
        .unwrap();
    let running = Running::start(queue.engine(settings()).kind(quick()));
    queue.enqueue(&[of(1, 1), of(2, 2)]).await;
    queue.until_done(2).await;
    other.batch_execute("rollback").await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn while_another_claims_from_a_queue_with_limits_other_queues_go_on() {
    let mut queue = Queue::create().await;
    limit(&queue, Limits { running_max: Some(2), ..Limits::default() }).await;
    let other = queue.connect_as(local::postgres::SUPERUSER).await;
    let lock = "begin; select pg_advisory_xact_lock(hashtext('queue::limit'), hashtext('default'))";
    other.batch_execute(lock).await.unwrap();
    queue.admin.batch_execute("insert into task_queue (name) values ('free')").await.unwrap();
    let both = [("default".to_owned(), 2), ("free".to_owned(), 2)];
    let free = Kind::new("free", "free", |_| async { Ok::<(), Failure>(()) });
    let running = Running::start(
        queue.engine(EngineSettings { queues: both.into(), ..settings() }).kind(quick()).kind(free.clone()),
    );
    queue::declare(&queue.admin, &[free]).await.unwrap();
    queue.enqueue(&[of(1, 1), NewTask::new("free", &1).queue("free")]).await;
    queue.until("select count(*) from task_history where queue = 'free'", 1).await;
    assert_eq!(queue.number("select count(*) from task where state = 'READY'").await, 1);
    other.batch_execute("rollback").await.unwrap();
    queue.until_done(2).await;
    running.stop().await;
}

#[tokio::test]
async fn a_task_that_does_not_run_takes_no_place_whatever_its_mark_says() {
    let queue = Queue::create().await;
    limit(&queue, Limits { running_max: Some(1), ..Limits::default() }).await;
    queue.enqueue_one(of(1, 1)).await;
    queue.admin.batch_execute("update task set counted = true").await.unwrap();
    let running = Running::start(queue.engine(settings()).kind(quick()));
    queue.until_done(1).await;
    running.stop().await;
}

#[tokio::test]
async fn workers_hear_at_once_that_a_queue_has_limits() {
    let queue = Queue::create().await;
    let slow_beat = EngineSettings { heartbeat_ms: 60_000, lease_ms: 600_000, ..settings() };
    let running = Running::start(queue.engine(slow_beat).kind(quick()));
    queue.enqueue_one(of(1, 1)).await;
    queue.until_done(1).await;
    limit(&queue, Limits { running_max: Some(1), ..Limits::default() }).await;
    queue.enqueue_one(of(1, 2)).await;
    queue.until_done(2).await;
    running.stop().await;
}
