// One turn of one system: enqueue, drain, pick up. Every figure is a raw sample; report.mjs takes the medians.

import { pause } from './cluster.mjs';
import { Speaker, command, plain, processorTime } from './process.mjs';

export const QUICK = process.env.QUICK === '1';
const SINGLES = QUICK ? 300 : 1_000;
const SAMPLES = QUICK ? 200 : 500;
const WARM_UP = 20;

/** A system in a database of its own. */
export class Turn {
  static async begin(system, cluster, redis) {
    const turn = new Turn();
    Object.assign(turn, { system, cluster, redis, alive: new Set(), count: QUICK ? system.quick : system.count });
    if (process.env.COUNT) turn.count = Math.min(turn.count, Number(process.env.COUNT));
    turn.database = `bench_${system.key}`;
    if (system.redis) {
      await redis.ask('FLUSHALL');
    } else {
      await cluster.fresh(turn.database);
      turn.client = await cluster.client(turn.database);
    }
    turn.environment = {
      ...system.environment,
      ...(system.redis ? { BROKER_URL: redis.url } : { DATABASE_URL: cluster.url(turn.database) }),
    };
    await plain([...system.argv, 'setup'], turn.environment);
    turn.empty_bytes = await turn.bytes();
    return turn;
  }

  /** Leaves nothing behind, also after a failure in the middle. */
  async end() {
    await Promise.all([...this.alive].map((worker) => worker.stop(0)));
    await this.client?.end();
    if (this.system.redis) await this.redis.ask('FLUSHALL');
    else await this.cluster.drop(this.database);
  }

  run(...words) {
    return command([...this.system.argv, ...words.map(String)], this.environment);
  }

  async bytes() {
    if (!this.client) return 0;
    const { rows } = await this.client.query('select pg_database_size(current_database())::float8 as bytes');
    return rows[0].bytes;
  }

  /** Whether nothing is waiting and nothing is running. */
  async isEmpty() {
    if (this.system.redis) {
      const left = await Promise.all([this.redis.number('LLEN', 'celery'), this.redis.number('HLEN', 'unacked')]);
      return left.every((number) => number === 0);
    }
    return (await this.client.query(this.system.left)).rows[0].empty;
  }

  async workers(number, mark = 0) {
    const workers = Array.from({ length: number },
      () => new Speaker([...this.system.argv, 'work', String(mark)], this.environment));
    for (const worker of workers) {
      this.alive.add(worker);
      worker.ended.then(() => this.alive.delete(worker));
    }
    await Promise.all(workers.map((worker) => worker.wait('ready')));
    return workers;
  }

  async single() {
    const { count, seconds } = await this.run('single', SINGLES);
    return { per_second: count / seconds };
  }

  async bulk(count) {
    const { seconds } = await this.run('bulk', count, this.system.batch);
    return { count, per_second: count / seconds };
  }

  processorTime(workers) {
    return {
      workers: processorTime(workers.map((worker) => worker.pid)),
      server: processorTime([this.system.redis ? this.redis.pid : this.cluster.pid]),
    };
  }

  /** Works off what is there: from the first task's start until nothing is left. */
  async drain(count, processes, limit = 180_000) {
    if (this.client) await this.client.query('checkpoint');
    const workers = await this.workers(processes, processes === 1 ? count : 0);
    workers.forEach((worker) => worker.go());
    const first = await Promise.race(workers.map((worker) => worker.wait('first')));
    const before = this.processorTime(workers);
    const handled = () => workers.reduce((sum, worker) => sum + worker.counted, 0);
    const deadline = first.at + limit;
    while (handled() < count && !workers.some((worker) => worker.lines.mark) && now() < deadline) await pause(2);
    const in_time = now() < deadline;
    while (in_time && !(await this.isEmpty()) && now() < deadline) await pause(2);
    const end = now();
    const after = this.processorTime(workers);
    const begun = Math.min(...workers.map((worker) => worker.lines.first?.at ?? Infinity));
    await Promise.all(workers.map((worker) => worker.stop()));
    const total = in_time ? count : handled();
    return {
      processes, count: total, complete: in_time,
      seconds: (end - begun) / 1000,
      per_second: total / ((end - begun) / 1000),
      worker_us: ((after.workers - before.workers) * 1000) / total,
      server_us: ((after.server - before.server) * 1000) / total,
    };
  }

  /** Waits from enqueuing to start, with an otherwise idle worker: one task, 5 ms, the next. */
  async idle() {
    const [worker] = await this.workers(1);
    worker.go();
    await pause(this.system.slow ? 2_500 : 700);
    await this.run('produce', SAMPLES + WARM_UP, 5, 1);
    await this.settled(worker, SAMPLES + WARM_UP);
    return (await worker.stop()).latencies.slice(WARM_UP);
  }

  /** The same while tasks arrive all the time, so many each 10 ms. */
  async load(per_second, seconds) {
    const count = per_second * seconds;
    const [worker] = await this.workers(1);
    worker.go();
    await pause(this.system.slow ? 2_500 : 700);
    const produced = await this.run('produce', count, 10, per_second / 100);
    await this.settled(worker, count);
    const { latencies } = await worker.stop();
    return { per_second: produced.count / produced.seconds, latencies: latencies.slice(WARM_UP) };
  }

  /** A part of the long run: what the worker, frozen meanwhile, finds enqueued; from its waking until the last task's start. */
  async tenth(worker, count, deadline) {
    process.kill(worker.pid, 'SIGSTOP');
    const already = worker.counted;
    const bulk = await this.bulk(count);
    await this.client.query('checkpoint');
    const before = this.processorTime([worker]);
    const told = now();
    process.kill(worker.pid, 'SIGCONT');
    while (worker.counted < already + count && now() < deadline) await pause(2);
    const done = worker.counted - already;
    const after = this.processorTime([worker]);
    const seconds = ((done === count ? worker.last : now()) - told) / 1000;
    return {
      count: done, complete: done === count, enqueued_per_second: bulk.per_second, seconds, per_second: done / seconds,
      server_us: ((after.server - before.server) * 1000) / done,
    };
  }

  async settled(worker, count, limit = 60_000) {
    const deadline = now() + limit;
    while (worker.counted < count && now() < deadline) await pause(10);
    if (worker.counted < count) throw new Error(`${this.system.key}: ${worker.counted} of ${count} tasks came\n${worker.errors}`);
  }

  /** One tenant's backlog is being drained when another brings one task: how long does it wait? */
  async fairness(count) {
    const many = await command([...this.system.argv, 'bulk', String(count), String(this.system.batch)],
      { ...this.environment, TENANT: '1' });
    const probe = new Speaker([...this.system.argv, 'produce', '1', '0', '1'], { ...this.environment, TENANT: '2' });
    await probe.wait('ready');
    const [worker] = await this.workers(1, count + 1);
    worker.go();
    const first = await worker.wait('first');
    await pause(Math.max(0, first.at + 100 - now()));
    probe.go();
    await probe.wait('done');
    const mark = await worker.wait('mark', 180_000);
    if (worker.errors) process.stderr.write(`${this.system.key}, two tenants: ${worker.errors}\n`);
    const { latencies } = await worker.stop();
    return { count: many.count, waited_ms: latencies[0], drain_ms: mark.at - first.at };
  }
}

export const now = () => performance.timeOrigin + performance.now();

/** Everything but the long run: one sample of each figure. */
export async function sample(turn, round) {
  const figures = { round, single: await turn.single() };
  const rest = turn.count - SINGLES;
  figures.bulk = [await turn.bulk(rest)];
  figures.one = await turn.drain(turn.count, 1);
  figures.bulk.push(await turn.bulk(turn.count));
  figures.two = await turn.drain(turn.count, 2);
  figures.idle_ms = await turn.idle();
  const pace = turn.system.slow ? 200 : 1_000;
  figures.load = await turn.load(pace, QUICK ? 2 : 4);
  if (turn.system.heavy) figures.heavy = await turn.load(10_000, QUICK ? 1 : 3);
  if (!turn.system.slow || round === 1) figures.fairness = await turn.fairness(turn.count);
  return figures;
}

/** Ten times a tenth of `total`, enqueued while the worker is frozen and worked off, while a transaction keeps its snapshot. */
export async function longRun(turn, total, limit) {
  const holder = await turn.cluster.client(turn.database);
  await holder.query('begin isolation level repeatable read');
  await holder.query('select count(*) from pg_class');
  const deadline = now() + limit;
  const [worker] = await turn.workers(1);
  worker.go();
  await pause(1_000);
  const steps = [];
  while (steps.length < 10 && now() < deadline) {
    const step = await turn.tenth(worker, total / 10, deadline);
    steps.push(step);
    if (!step.complete) break;
  }
  await worker.stop();
  const { rows: tables } = await turn.client.query(`
    select relnamespace::regnamespace::text || '.' || relname as name, pg_table_size(oid)::float8 as table_bytes,
           pg_indexes_size(oid)::float8 as index_bytes
      from pg_class
     where relkind = 'r' and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')
       and pg_total_relation_size(oid) > 1000000
     order by pg_total_relation_size(oid) desc`);
  const bytes = (await turn.bytes()) - turn.empty_bytes;
  await holder.query('commit');
  await holder.end();
  return { total, done: steps.reduce((sum, step) => sum + step.count, 0), bytes, tables, steps };
}
