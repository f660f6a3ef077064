// Workers are killed with -9 several times a second, and PostgreSQL is stopped at once in the middle. Afterwards every
// effect within the completing transaction is there exactly once, and every effect outside at least once, its repeats
// with the same key. Exits with 1 when not.

import { QUICK, Scene, Verdict, pause } from './proof.mjs';

const TASKS = Number(process.env.TASKS ?? (QUICK ? 5_000 : 50_000));
const WORKERS = 3;
const LIMIT = 480_000;
// Killed processes are noticed after a second, and no task is given up for its crashes.
const SETTINGS = {
  name: 'chaos', queues: { default: 16 }, batch: 100, buffer: 100, heartbeat_ms: 200, lease_ms: 1_000, crash_max: 100_000,
  sweep_interval_ms: 500, poll_interval_ms: 500, retry_max_ms: 500, drain_timeout_ms: 5_000, statement_timeout_ms: 5_000,
};

const verdict = new Verdict();

async function act(kind, ms, done) {
  const scene = await Scene.open(`chaos-${kind}`, SETTINGS);
  await scene.run('fill', kind, 0, TASKS, ms);
  const workers = Array.from({ length: WORKERS }, () => scene.worker());
  let [kills, restarts] = [0, 0];
  const begun = Date.now();
  const left = () => scene.number('select count(*) from task');
  for (let remaining = TASKS; remaining > 0 && Date.now() - begun < LIMIT; remaining = await left()) {
    await pause(150 + Math.random() * 250);
    const victim = Math.floor(Math.random() * WORKERS);
    workers[victim].child.kill('SIGKILL');
    kills += 1;
    workers[victim] = scene.worker();
    // In the middle, and once more later, when there is a later.
    if ((restarts === 0 && remaining < TASKS * 0.6) || (restarts === 1 && remaining < TASKS * 0.2)) {
      scene.cluster.stop('immediate');
      scene.cluster.launch();
      restarts += 1;
    }
  }
  const seconds = (Date.now() - begun) / 1000;
  verdict.check(`${kind}: all tasks are worked off`, (await left()) === 0, `${await left()} left after ${seconds.toFixed(0)} s`);
  await Promise.all(workers.map((worker) => worker.stop()));
  verdict.check(`${kind}: the run was rough`, kills > 0 && restarts > 0, `${kills} kills, PostgreSQL stopped at once ${restarts} times`);
  const crashes = await scene.number("select count(*) from task_attempt where outcome = 'CRASHED'");
  verdict.check(`${kind}: kills met tasks under way`, crashes > 0, `${crashes} attempts ended with their worker`);
  const buried = await scene.number('select count(*) from task_dead_letter');
  verdict.check(`${kind}: nothing is buried`, buried === 0, `${buried} dead letters`);
  await done(scene);
  await scene.close();
}

await act('inside', 0, async (scene) => {
  const [found] = await scene.ask('select count(*)::int as rows, count(distinct n)::int as numbers from effect');
  verdict.check('inside: every effect is there', found.numbers === TASKS, `${found.numbers} of ${TASKS}`);
  verdict.check('inside: no effect is there twice', found.rows === found.numbers, `${found.rows} rows`);
  const succeeded = await scene.number("select count(*) from task_history where outcome = 'SUCCEEDED'");
  verdict.check('inside: history tells each success once', succeeded === TASKS, `${succeeded} rows`);
});

await act('outside', 10, async (scene) => {
  const lines = scene.effects();
  const keys = new Map();
  let strayed = 0;
  for (const { n, key } of lines) {
    if (!keys.has(n)) keys.set(n, key);
    else if (keys.get(n) !== key) strayed += 1;
  }
  verdict.check('outside: every effect took place', keys.size === TASKS, `${keys.size} of ${TASKS}`);
  verdict.check('outside: repeats carry the same key', strayed === 0, `${lines.length - keys.size} repeats, ${strayed} with another key`);
  verdict.check('outside: keys are unlike each other', new Set(keys.values()).size === keys.size, `${new Set(keys.values()).size} keys`);
});

verdict.end();
