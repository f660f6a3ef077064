// pg-boss: batch fetch, fetching on without a pause while batches come back full, woken by NOTIFY; the queue has a table
// of its own.

import { PgBoss } from 'pg-boss';
import { Tally, gate, produce, terminated } from './protocol.mjs';

const QUEUE = 'nothing';
const connectionString = process.env.DATABASE_URL;
const [command, ...words] = process.argv.slice(2);

async function open(options) {
  const boss = new PgBoss({ connectionString, schedule: false, ...options });
  boss.on('error', (error) => process.stderr.write(`${error.stack}\n`));
  await boss.start();
  return boss;
}

async function work(mark) {
  const tally = new Tally(mark);
  const boss = await open({ useListenNotify: true });
  await gate();
  await boss.work(
    QUEUE,
    {
      batchSize: Number(process.env.BATCH ?? 2_000),
      localConcurrency: Number(process.env.LOCAL_CONCURRENCY ?? 4),
      burstWhenBatchFull: true,
      pollingIntervalSeconds: 0.5,
    },
    async (jobs) => {
      for (const job of jobs) tally.count(job.data);
    },
  );
  const saying = tally.keepSaying();
  await terminated();
  await boss.stop({ graceful: true, timeout: 5_000 });
  clearInterval(saying);
  await tally.end();
  process.exit(0);
}

if (command === 'work') {
  await work(Number(words[0]));
} else {
  const boss = await open({ max: 1, supervise: false });
  if (command === 'setup') {
    await boss.createQueue(QUEUE, { notify: true, partition: true });
  } else {
    await produce([command, ...words], (payloads) =>
      payloads.length === 1
        ? boss.send(QUEUE, payloads[0])
        : boss.insert(QUEUE, payloads.map((data) => ({ data }))));
  }
  await boss.stop({ graceful: false });
  process.exit(0);
}
