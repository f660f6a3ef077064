//! What a long backlog costs.

use queue::{EngineSettings, Kind};

use crate::support::{Queue, Running, settings};

/// A backlog that is dear to read: half of it ready, most of the rest due.
const BACKLOG: &str = "
    insert into task (id, kind, queue, state, run_at)
    select gen_random_uuid(), 'a', 'default', case when number % 2 = 0 then 'READY' else 'DELAYED' end,
           now() + case when number % 2 = 0 or number < 58000 then interval '0' else interval '1 day' end
      from generate_series(1, 60000) as number;
    analyze task";

#[tokio::test]
async fn claiming_and_promoting_never_read_the_whole_table() {
    let queue = Queue::create().await;
    queue.admin.batch_execute(BACKLOG).await.unwrap();
    let limits = EngineSettings {
        queues: [("default".to_owned(), 4)].into(),
        buffer: 20,
        promote_batch: 1_000,
        ..settings()
    };
    let running = Running::start(queue.engine(limits).kind(Kind::new("a", "default", |_| async { Ok(()) })));
    queue.until("select least(count(*), 600) from task_history where outcome = 'SUCCEEDED'", 600).await;
    queue.until("select count(*) from task where not due and pending = 0 and run_at <= now()", 0).await;
    running.stop().await;
    // A session tells what it did when it ends.
    queue.pool.close();
    queue.until("select count(*) from pg_stat_activity where usename = 'youtility_worker' and datname = current_database()", 0).await;
    let scans = queue.number("select seq_scan from pg_stat_user_tables where relname = 'task'").await;
    // The engine measured its queues once, by two statements that may each have had two helpers.
    assert!(scans <= 6, "the whole backlog was read {scans} times");
}
