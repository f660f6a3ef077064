// SIGTERM: a worker hands back what it has not begun, at once, and ends within its grace time. Workers replaced one after
// another under steady arrivals lose nothing, double nothing, and keep tasks waiting for less than a second. Exits with 1
// when not.

import { QUICK, Scene, Verdict, pause, until } from './proof.mjs';
import { quantile } from './report.mjs';

const verdict = new Verdict();
const RUNNING = 4;
const TASKS = 500;
const QUICK_ONES = 20;
const GRACE_MS = 3_000;
// `buffer_ms` lets the buffer fill though each task takes long.
const SETTINGS = {
  name: 'rolling', queues: { default: RUNNING }, batch: 200, buffer: 200, buffer_ms: 600_000, drain_timeout_ms: GRACE_MS,
  heartbeat_ms: 1_000, lease_ms: 10_000, retry_max_ms: 1_000,
};
const STATES = `
select count(*) filter (where state = 'RUNNING')::int as claimed, count(*) filter (where state = 'READY')::int as ready,
       coalesce(max(attempt) filter (where state = 'READY'), 0)::int as attempts
  from task`;

/** One worker with a full buffer is asked to end; its tasks take `ms`. */
async function fullBuffer(ms) {
  const scene = await Scene.open('full-buffer', SETTINGS);
  const what = ms < GRACE_MS ? 'short tasks' : 'tasks longer than the grace time';
  // How far a worker claims ahead follows from how fast tasks were: the first ones are quick.
  await scene.run('fill', 'outside', 0, QUICK_ONES, Math.min(ms, 100));
  await scene.run('fill', 'outside', QUICK_ONES, TASKS - QUICK_ONES, ms);
  const worker = scene.worker();
  await worker.wait('ready');
  const full = await until(async () => (await scene.ask(STATES))[0].claimed >= RUNNING + 150, 10_000, 5) &&
    (ms < GRACE_MS || (await until(() => scene.effects().length >= QUICK_ONES, 10_000, 5)));
  const { claimed } = (await scene.ask(STATES))[0];
  verdict.check(`${what}: the buffer is full`, full, `${claimed} claimed, ${RUNNING} of them at work`);
  const begun = Date.now();
  const ending = worker.stop(GRACE_MS * 4);
  const back = await until(async () => (await scene.ask(STATES))[0].claimed <= RUNNING, 2_000, 5);
  const handed = Date.now() - begun;
  verdict.check(`${what}: what is not begun is handed back at once`, back && handed < 500, `${claimed - RUNNING} tasks in ${handed} ms`);
  const end = await ending;
  const gone = Date.now() - begun;
  verdict.check(`${what}: the process ends by itself within its grace time and a second`,
    end !== undefined && worker.exit.code === 0 && gone < GRACE_MS + 1_000, `${gone} ms, exit ${JSON.stringify(worker.exit)}`);
  const after = (await scene.ask(STATES))[0];
  verdict.check(`${what}: nothing stays claimed`, after.claimed === 0, `${after.claimed} claimed, ${after.ready} ready`);
  verdict.check(`${what}: no attempt is counted for what was handed back`, after.attempts === 0, `highest attempt ${after.attempts}`);
  const worked = new Set(scene.effects().map(({ n }) => n)).size;
  verdict.check(`${what}: done and waiting are all there is`, worked + after.ready === TASKS, `${worked} done + ${after.ready} waiting of ${TASKS}`);
  await scene.close();
}

async function underLoad() {
  const seconds = QUICK ? 8 : 30;
  const interval = 4;
  const count = (seconds * 1_000) / interval;
  const scene = await Scene.open('rolling', { ...SETTINGS, queues: { default: 16 }, buffer_ms: 50, drain_timeout_ms: 5_000 });
  const workers = [scene.worker(), scene.worker(), scene.worker()];
  await Promise.all(workers.map((worker) => worker.wait('ready')));
  await pause(500);
  let over = false;
  const arrivals = scene.arrivals('outside', count, interval, 5).finally(() => (over = true));
  let replaced = 0;
  const slowest = [];
  while (!over) {
    const place = replaced % workers.length;
    const next = scene.worker();
    await next.wait('ready');
    const begun = Date.now();
    await workers[place].stop(10_000);
    slowest.push(Date.now() - begun);
    verdict.failed ||= workers[place].exit.code !== 0;
    workers[place] = next;
    replaced += 1;
    await pause(300);
  }
  await arrivals;
  const empty = await until(async () => (await scene.number('select count(*) from task')) === 0, 30_000);
  verdict.check('rolling: all tasks are worked off', empty, `${await scene.number('select count(*) from task')} left`);
  await Promise.all(workers.map((worker) => worker.stop()));
  const lines = scene.effects();
  const numbers = new Set(lines.map(({ n }) => n));
  verdict.check('rolling: nothing is lost', numbers.size === count, `${numbers.size} of ${count}, ${replaced} workers replaced`);
  verdict.check('rolling: nothing is doubled', lines.length === numbers.size, `${lines.length} effects`);
  const waits = lines.map(({ waited }) => waited);
  const [p50, p99] = [0.5, 0.99].map((share) => quantile(waits, share));
  verdict.check('rolling: p99 from enqueue to start stays under a second', p99 < 1_000,
    `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, longest ${Math.max(...waits).toFixed(0)} ms; longest drain of a worker ${Math.max(...slowest)} ms`);
  await scene.close();
}

await fullBuffer(400);
await fullBuffer(60_000);
await underLoad();
verdict.end();
