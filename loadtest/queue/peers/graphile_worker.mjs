// Graphile Worker, with the settings of its performance page: completions batched, 24 at once; but with a longer
// local queue than its 500, which makes it faster here.

import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import { Tally, gate, produce, terminated } from './protocol.mjs';

process.env.NO_LOG_SUCCESS = '1';
const connectionString = process.env.DATABASE_URL;
const logger = new Logger(() => () => {});
const [command, ...words] = process.argv.slice(2);

async function work(mark) {
  const tally = new Tally(mark);
  await gate();
  const runner = await run({
    preset: {
      worker: {
        connectionString,
        concurrentJobs: 24,
        maxPoolSize: 25,
        localQueue: { size: Number(process.env.LOCAL_QUEUE ?? 5_000) },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
    logger,
    noHandleSignals: true,
    taskList: { nothing: (payload) => tally.count(payload) },
  });
  const saying = tally.keepSaying();
  await terminated();
  await runner.stop();
  clearInterval(saying);
  await tally.end();
}

if (command === 'work') {
  await work(Number(words[0]));
} else {
  const utils = await makeWorkerUtils({ connectionString, maxPoolSize: 1, logger });
  if (command === 'setup') {
    await utils.migrate();
  } else {
    await produce([command, ...words], (payloads) =>
      payloads.length === 1
        ? utils.addJob('nothing', payloads[0])
        : utils.addJobs(payloads.map((payload) => ({ identifier: 'nothing', payload }))));
  }
  await utils.release();
}
