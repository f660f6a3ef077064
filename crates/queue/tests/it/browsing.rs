//! Reading what there is, page by page.

use std::collections::HashSet;

use queue::{Cursor, DeadLetterFilter, Failure, HistoryFilter, Kind, NewTask, Page, TaskFilter, TaskState};
use uuid::Uuid;

use crate::support::{Queue, Running, settings};

/// Follows a list to its end and answers the ids it showed, in order.
async fn ids_of<T>(
    mut page: impl AsyncFnMut(Option<Cursor>) -> Result<Page<T>, queue::Error>,
    id: impl Fn(&T) -> Uuid,
) -> Vec<Uuid> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let read = page(after).await.unwrap();
        assert!(read.rows.len() <= 2, "two rows were asked for");
        ids.extend(read.rows.iter().map(&id));
        match read.next {
            Some(next) => after = Some(next),
            None => return ids,
        }
    }
}

fn assert_all(ids: &[Uuid], wanted: usize) {
    let distinct: HashSet<&Uuid> = ids.iter().collect();
    assert_eq!((ids.len(), distinct.len()), (wanted, wanted));
}

#[tokio::test]
async fn live_tasks_are_read_page_by_page_the_latest_first() {
    let queue = Queue::create().await;
    let tasks: Vec<NewTask> = (0..5).map(|number| NewTask::new("a", &number)).collect();
    let mut enqueued: Vec<Uuid> =
        queue.enqueue(&tasks).await.into_iter().map(|task| task.new_id().unwrap()).collect();
    let filter = TaskFilter::default();
    let ids = ids_of(async |after| queue::tasks(&queue.admin, &filter, after, 2).await, |task| task.id).await;
    enqueued.sort_unstable_by(|left, right| right.cmp(left));
    assert_eq!(ids, enqueued);
}

#[tokio::test]
async fn delayed_tasks_are_read_by_the_time_they_are_due() {
    let queue = Queue::create().await;
    let at = |day: u8| format!("2999-01-{day:02}T00:00:00Z").parse().unwrap();
    let tasks: Vec<NewTask> =
        [3, 1, 2, 1, 2].into_iter().map(|day| NewTask::new("a", &day).run_at(at(day))).collect();
    queue.enqueue(&tasks).await;
    queue.enqueue_one(NewTask::new("a", &())).await;
    let filter = TaskFilter { state: Some(TaskState::Delayed), ..TaskFilter::default() };
    let ids = ids_of(async |after| queue::tasks(&queue.admin, &filter, after, 2).await, |task| task.id).await;
    assert_all(&ids, 5);
    let due: Vec<String> =
        queue.texts("select id::text from task where state = 'DELAYED' order by run_at, id").await;
    assert_eq!(ids.iter().map(Uuid::to_string).collect::<Vec<_>>(), due);
}

#[tokio::test]
async fn running_tasks_are_read_page_by_page() {
    let queue = Queue::create().await;
    let tasks: Vec<NewTask> = (0..9).map(|number| NewTask::new("a", &number)).collect();
    queue.enqueue(&tasks).await;
    let claim = "update task set state = 'RUNNING', worker_id = gen_random_uuid(), lease_until = now()
                  where args in ('1', '3', '4', '7', '8')";
    queue.admin.execute(claim, &[]).await.unwrap();
    let filter = TaskFilter {
        state: Some(TaskState::Running),
        queue: Some("default".to_owned()),
        ..TaskFilter::default()
    };
    let ids = ids_of(async |after| queue::tasks(&queue.admin, &filter, after, 2).await, |task| task.id).await;
    let wanted = queue.texts("select id::text from task where state = 'RUNNING' order by id desc").await;
    assert_eq!(ids.iter().map(Uuid::to_string).collect::<Vec<_>>(), wanted);
    let elsewhere = TaskFilter { queue: Some("email".to_owned()), ..filter };
    assert!(queue::tasks(&queue.admin, &elsewhere, None, 2).await.unwrap().rows.is_empty());
}

#[tokio::test]
async fn a_filter_leaves_only_what_it_names() {
    let queue = Queue::create().await;
    let tenant = Uuid::from_u128(7);
    let wanted = queue.enqueue_one(NewTask::new("a", &1).queue("email").tenant(tenant)).await;
    let others = [
        NewTask::new("a", &2).tenant(tenant),
        NewTask::new("b", &3).queue("email").tenant(tenant),
        NewTask::new("a", &4).queue("email"),
        NewTask::new("a", &5).queue("email").tenant(tenant).run_at("2999-01-01T00:00:00Z".parse().unwrap()),
    ];
    queue.enqueue(&others).await;
    let filter = TaskFilter {
        queue: Some("email".to_owned()),
        kind: Some("a".to_owned()),
        state: Some(TaskState::Ready),
        tenant: Some(tenant),
        correlation: None,
    };
    let page = queue::tasks(&queue.admin, &filter, None, 100).await.unwrap();
    assert_eq!(page.rows.iter().map(|task| task.id).collect::<Vec<_>>(), [wanted]);
    let delayed = TaskFilter { state: Some(TaskState::Delayed), ..filter };
    assert_eq!(queue::tasks(&queue.admin, &delayed, None, 100).await.unwrap().rows.len(), 1);
}

/// Ends over two weeks, some at the same moment.
const PAST: &str = "
    insert into task_history (id, created_at, run_at, finished_at, attempts, queue, kind, outcome, args)
    select gen_random_uuid(), now(), now(), now() - (number / 2) * interval '2 days', 1, 'default',
           case when number = 9 then 'rare' else 'a' end, 'SUCCEEDED', '{}'
      from generate_series(0, 14) as number";

#[tokio::test]
async fn history_is_read_the_latest_first_however_long_ago_it_was() {
    let queue = Queue::create().await;
    queue.admin.batch_execute(PAST).await.unwrap();
    let filter = HistoryFilter::default();
    let ids =
        ids_of(async |after| queue::history(&queue.admin, &filter, after, 2).await, |task| task.id).await;
    let wanted = queue.texts("select id::text from task_history order by finished_at desc, id desc").await;
    assert_eq!(ids.iter().map(Uuid::to_string).collect::<Vec<_>>(), wanted);
    let rare = HistoryFilter { kind: Some("rare".to_owned()), ..HistoryFilter::default() };
    let found = queue::history(&queue.admin, &rare, None, 2).await.unwrap();
    assert_eq!((found.rows.len(), found.next), (1, None));
}

#[tokio::test]
async fn dead_letters_are_read_page_by_page() {
    let queue = Queue::create().await;
    let kind = Kind::new("a", "default", |_| async { Err::<(), _>(Failure::permanent("no")) });
    let running = Running::start(queue.engine(settings()).kind(kind));
    let tasks: Vec<NewTask> = (0..5).map(|number| NewTask::new("a", &number)).collect();
    queue.enqueue(&tasks).await;
    queue.until("select count(*) from task_dead_letter", 5).await;
    running.stop().await;
    let all = DeadLetterFilter::default();
    let ids =
        ids_of(async |after| queue::dead_letters(&queue.admin, &all, after, 2).await, |letter| letter.id)
            .await;
    assert_all(&ids, 5);
    let other = DeadLetterFilter { queue: Some("email".to_owned()), kind: None };
    assert!(queue::dead_letters(&queue.admin, &other, None, 2).await.unwrap().rows.is_empty());
}

#[tokio::test]
async fn what_was_done_by_hand_is_read_the_latest_first() {
    let queue = Queue::create().await;
    for _ in 0..2 {
        queue::pause(&queue.admin, "email", "person:ada").await.unwrap();
        queue::resume(&queue.admin, "email", "person:ben").await.unwrap();
    }
    let page = queue::actions(&queue.admin, None, 3).await.unwrap();
    let seen: Vec<(&str, &str)> =
        page.rows.iter().map(|action| (action.actor.as_str(), action.action.as_str())).collect();
    assert_eq!(seen, [("person:ben", "RESUMED"), ("person:ada", "PAUSED"), ("person:ben", "RESUMED")]);
    let rest = queue::actions(&queue.admin, page.next, 3).await.unwrap();
    assert_eq!((rest.rows.len(), rest.next), (1, None));
}

#[tokio::test]
async fn everything_about_a_task_is_found_wherever_it_stands() {
    let queue = Queue::create().await;
    let id = queue.enqueue_one(NewTask::new("a", &"x").created_by("person:ada")).await;
    let live = queue::task(&queue.admin, id).await.unwrap().unwrap();
    assert_eq!((live.args.as_str(), live.created_by.as_deref()), (Some("x"), Some("person:ada")));
    assert_eq!(live.live.unwrap().state, TaskState::Ready);

    let failing = Kind::new("a", "default", |_| async { Err::<(), _>(Failure::permanent("no paper")) });
    let running = Running::start(queue.engine(settings()).kind(failing));
    queue.until("select count(*) from task_dead_letter", 1).await;
    queue.until("select count(*) from task_worker", 1).await;
    let dead = queue::task(&queue.admin, id).await.unwrap().unwrap();
    assert!(dead.live.is_none());
    assert_eq!(dead.dead_letter.unwrap().reason, "PERMANENT");
    assert_eq!((dead.ends[0].outcome.as_str(), dead.ends[0].error.as_deref()), ("BURIED", Some("no paper")));
    let attempt = &dead.attempts[0];
    assert_eq!(
        (attempt.attempt, attempt.outcome.as_str(), attempt.worker_id),
        (1, "FAILED", Some(running.id))
    );
    assert_eq!((attempt.worker.as_deref(), attempt.error.as_deref()), (Some("worker"), Some("no paper")));
    running.stop().await;

    assert!(queue::retry_dead_letter(&queue.admin, id, "person:ben").await.unwrap());
    let again =
        Running::start(queue.engine(settings()).kind(Kind::new("a", "default", |_| async { Ok(()) })));
    queue.until_done(1).await;
    let done = queue::task(&queue.admin, id).await.unwrap().unwrap();
    let ends: Vec<&str> = done.ends.iter().map(|end| end.outcome.as_str()).collect();
    assert_eq!(ends, ["SUCCEEDED", "BURIED"]);
    assert_eq!(done.attempts.len(), 2);
    let by_hand: Vec<(&str, &str)> =
        done.actions.iter().map(|action| (action.actor.as_str(), action.action.as_str())).collect();
    assert_eq!(by_hand, [("person:ben", "RETRIED")]);
    assert!(queue::task(&queue.admin, Uuid::nil()).await.unwrap().is_none());
    again.stop().await;
}

/// A task that waits for two, one of which has ended.
const FAMILY: &str = "
    insert into task (id, queue, kind, state, pending, parents)
    select gen_random_uuid(), 'default', 'b', 'WAITING', 1, array_agg(parent.id)
      from (select id from task union all select id from task_history) as parent;
    insert into task_dependency (task_id, waits_for)
    select child.id, task.id from task as child, task where child.state = 'WAITING' and task.kind = 'a'";

#[tokio::test]
async fn relatives_are_shown_with_where_they_stand() {
    let queue = Queue::create().await;
    let ended = queue.enqueue_one(NewTask::new("a", &1)).await;
    queue::cancel(&queue.admin, ended, "person:ada").await.unwrap();
    let open = queue.enqueue_one(NewTask::new("a", &2)).await;
    queue.admin.batch_execute(FAMILY).await.unwrap();
    let waiting = TaskFilter { state: Some(TaskState::Waiting), ..TaskFilter::default() };
    let child = queue::tasks(&queue.admin, &waiting, None, 10).await.unwrap().rows.remove(0);
    assert_eq!(child.pending, 1);
    let detail = queue::task(&queue.admin, child.id).await.unwrap().unwrap();
    let mut parents: Vec<(Uuid, Option<&str>)> =
        detail.parents.iter().map(|parent| (parent.id, parent.state.as_deref())).collect();
    parents.sort_unstable();
    assert_eq!(parents, [(ended, Some("CANCELLED")), (open, Some("READY"))]);
    let parent = queue::task(&queue.admin, open).await.unwrap().unwrap();
    let children: Vec<Uuid> = parent.children.iter().map(|relative| relative.id).collect();
    assert_eq!(children, [child.id]);
}
