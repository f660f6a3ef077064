//! What PostgreSQL gives on this machine without a queue around it: the limit that every figure is held against.
//!
//! The table is as narrow as a queue's can be, with the same trick for cheap claims: `due` holds for READY and RUNNING
//! alike, so a claim changes no indexed column and stays within its page.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_postgres::types::Json;
use tokio_postgres::{AsyncMessage, Client, NoTls, Statement};
use uuid::Uuid;

use crate::database_url;
use crate::ours::connect;
use crate::produce::number;
use crate::tally::{clock, gate, say};

const TABLES: &str = "
create table bare (
    id          uuid        not null primary key,
    worker_id   uuid,
    run_at      timestamptz not null default now(),
    lease_until timestamptz,
    finished_at timestamptz,
    state       text        not null default 'READY',
    queue       text        not null,
    kind        text        not null,
    due         boolean     not null generated always as (state in ('READY', 'RUNNING')) stored,
    args        jsonb       not null
) with (fillfactor = 45, autovacuum_vacuum_cost_delay = 0);
create index bare_due_idx on bare (queue, run_at, id) where due;
create table bare_history (
    id          uuid        not null primary key,
    worker_id   uuid        not null,
    run_at      timestamptz not null,
    finished_at timestamptz not null,
    queue       text        not null,
    kind        text        not null,
    args        jsonb       not null
)";

const INSERT: &str = "
insert into bare (id, queue, kind, args)
select id, 'default', 'nothing', args
  from unnest($1::uuid[], $2::jsonb[]) as given (id, args)";

const INSERT_ONE: &str = "
with inserted as (
    insert into bare (id, queue, kind, args) values ($1, 'default', 'nothing', $2)
)
select pg_notify('bare_ready', '')";

const CLAIM: &str = "
update bare
   set state = 'RUNNING', worker_id = $1, lease_until = now() + interval '60 s'
  from (select id from bare
         where due and state = 'READY' and queue = 'default'
         order by queue, run_at, id
         limit $2
           for update skip locked) as claimed
 where bare.id = claimed.id
returning bare.id, bare.kind, bare.args";

/// How claimed rows are finished.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    finish: &'static str,
}

const WAYS: [Way; 3] = [
    Way {
        name: "complete_in_place",
        finish: "
update bare
   set state = 'DONE', finished_at = now(), lease_until = null
 where id = any($1)",
    },
    Way {
        name: "delete",
        finish: "
delete
  from bare
 where id = any($1)",
    },
    Way {
        name: "move_to_history",
        finish: "
with gone as (
    delete from bare where id = any($1) returning id, worker_id, run_at, queue, kind, args
)
insert into bare_history (id, worker_id, run_at, finished_at, queue, kind, args)
select id, worker_id, run_at, now(), queue, kind, args
  from gone",
    },
];

/// Runs `setup`, or `limits COUNT BATCH LOOPS SAMPLES`: every limit once, each on an empty table.
pub async fn run(words: &[&str]) -> Result<()> {
    match words {
        ["setup"] => connect().await?.batch_execute(TABLES).await.context("creating the tables"),
        ["limits", count, batch, loops, samples] => {
            let size = Size { count: number(count)?, batch: number(batch)?, loops: number(loops)? };
            limits(size, number(samples)?).await
        }
        _ => bail!("use: bare setup | bare limits COUNT BATCH LOOPS SAMPLES"),
    }
}

#[derive(Clone, Copy)]
struct Size {
    count: u64,
    batch: u64,
    loops: u64,
}

async fn limits(size: Size, samples: u64) -> Result<()> {
    gate().await?;
    let client = connect().await?;
    let mut figures = serde_json::Map::new();
    figures.insert("single_per_second".into(), single(&client, 1_000).await?.into());
    for way in WAYS {
        client.batch_execute("truncate bare, bare_history").await?;
        let inserted = bulk(&client, size.count).await?;
        figures.insert("bulk_per_second".into(), inserted.into());
        client.batch_execute("analyze bare").await?;
        client.batch_execute("checkpoint").await?;
        figures.insert(format!("{}_per_second", way.name), drain(way, size).await?.into());
    }
    client.batch_execute("truncate bare, bare_history").await?;
    figures.insert("pickup_ms".into(), pickup(samples).await?.into());
    say(&json!({ "event": "done", "figures": figures }));
    Ok(())
}

async fn single(client: &Client, count: u64) -> Result<f64> {
    let insert = client.prepare(INSERT_ONE).await?;
    let begin = Instant::now();
    for n in 0..count {
        client.execute(&insert, &[&Uuid::now_v7(), &args(n)]).await?;
    }
    Ok(per_second(count, begin.elapsed()))
}

async fn bulk(client: &Client, count: u64) -> Result<f64> {
    let insert = client.prepare(INSERT).await?;
    let begin = Instant::now();
    let mut next = 0;
    while next < count {
        let end = (next + 10_000).min(count);
        let ids: Vec<Uuid> = (next..end).map(|_| Uuid::now_v7()).collect();
        let payloads: Vec<Json<Value>> = (next..end).map(args).collect();
        client.execute(&insert, &[&ids, &payloads]).await?;
        next = end;
    }
    Ok(per_second(count, begin.elapsed()))
}

fn args(n: u64) -> Json<Value> {
    Json(json!({ "t": 0.0, "n": n }))
}

/// Loops, each with a connection, claim and finish until nothing is left.
async fn drain(way: Way, size: Size) -> Result<f64> {
    let mut loops = Vec::new();
    for _ in 0..size.loops {
        let client = connect().await?;
        let statements = (client.prepare(CLAIM).await?, client.prepare(way.finish).await?);
        loops.push((client, statements));
    }
    let batch = i64::try_from(size.batch)?;
    let begin = Instant::now();
    let done = try_join_all(
        loops.into_iter().map(|(client, statements)| tokio::spawn(work_off(client, statements, batch))),
    )
    .await?;
    let elapsed = begin.elapsed();
    let mut total = 0;
    for loop_total in done {
        total += loop_total?;
    }
    anyhow::ensure!(total == size.count, "{} of {} rows were drained", total, size.count);
    Ok(per_second(total, elapsed))
}

async fn work_off(client: Client, (claim, finish): (Statement, Statement), batch: i64) -> Result<u64> {
    let worker = Uuid::now_v7();
    let mut total = 0;
    loop {
        let rows = client.query(&claim, &[&worker, &batch]).await?;
        if rows.is_empty() {
            return Ok(total);
        }
        let mut ids = Vec::with_capacity(rows.len());
        for row in &rows {
            ids.push(row.try_get::<_, Uuid>(0)?);
            // Reading them belongs to the work of any queue.
            let (_kind, _args): (&str, Json<Value>) = (row.try_get(1)?, row.try_get(2)?);
        }
        client.execute(&finish, &[&ids]).await?;
        total += u64::try_from(ids.len())?;
    }
}

/// From before the insert on one connection until its claim has come back on another, woken by NOTIFY.
async fn pickup(samples: u64) -> Result<Vec<f64>> {
    let (listener, mut woken) = listen().await?;
    let producer = connect().await?;
    let insert = producer.prepare(INSERT_ONE).await?;
    let claim = listener.prepare(CLAIM).await?;
    let finish = listener.prepare(WAYS[1].finish).await?;
    let worker = Uuid::now_v7();
    let mut latencies = Vec::new();
    for n in 0..samples {
        let begin = clock();
        let (id, payload) = (Uuid::now_v7(), args(n));
        let inserting = async { anyhow::Ok(producer.execute(&insert, &[&id, &payload]).await?) };
        let picking = async {
            loop {
                woken.recv().await.context("the listener ended")?;
                let rows = listener.query(&claim, &[&worker, &100_i64]).await?;
                if let Some(row) = rows.first() {
                    let taken = clock();
                    listener.execute(&finish, &[&vec![row.try_get::<_, Uuid>(0)?]]).await?;
                    return anyhow::Ok(taken);
                }
            }
        };
        let (_inserted, taken) = tokio::try_join!(inserting, picking)?;
        latencies.push(taken - begin);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(latencies)
}

async fn listen() -> Result<(Client, mpsc::Receiver<()>)> {
    let (client, mut connection) = tokio_postgres::connect(&database_url()?, NoTls).await?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(_) = message {
                // Full means that the listener is woken anyway.
                let _ = sender.try_send(());
            }
        }
    });
    client.batch_execute("listen bare_ready").await?;
    Ok((client, receiver))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
fn per_second(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}
