// What the proofs share: a cluster, worker processes that can be killed, and questions to the tables.

import { readFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster, HOME, pause } from './cluster.mjs';
import { Speaker, command, plain } from './process.mjs';
import { PROOF } from './systems.mjs';

export { pause };
export const QUICK = process.env.QUICK === '1';

export class Scene {
  /** A fresh cluster with the queue's tables and a table of effects. */
  static async open(name, settings) {
    const scene = new Scene();
    scene.cluster = await Cluster.start(`postgres-${name}`);
    scene.database = 'proof';
    await scene.cluster.fresh(scene.database);
    scene.file = join(HOME, `${name}-effects.jsonl`);
    rmSync(scene.file, { force: true });
    scene.environment = {
      DATABASE_URL: scene.cluster.url(scene.database), OURS_SETTINGS: JSON.stringify(settings), EFFECTS_FILE: scene.file,
    };
    await plain([...PROOF, 'setup'], scene.environment);
    return scene;
  }

  run(...words) {
    return command([...PROOF, ...words.map(String)], this.environment);
  }

  /** Starts arrivals and answers a promise of their end. */
  arrivals(...words) {
    return this.run('produce', ...words);
  }

  worker(settings = {}) {
    const all = { ...JSON.parse(this.environment.OURS_SETTINGS), ...settings };
    return new Speaker([...PROOF, 'work'], { ...this.environment, OURS_SETTINGS: JSON.stringify(all) });
  }

  /** Asks PostgreSQL one thing, as often as it takes while it is away. */
  async ask(sql, limit = 60_000) {
    for (const deadline = Date.now() + limit; ; await pause(50)) {
      try {
        this.client ??= await this.cluster.client(this.database);
        return (await this.client.query(sql)).rows;
      } catch (error) {
        await this.client?.end().catch(() => {});
        this.client = undefined;
        if (Date.now() > deadline) throw error;
      }
    }
  }

  async number(sql) {
    return Number(Object.values((await this.ask(sql))[0])[0]);
  }

  /** The lines that the handlers of kind `outside` wrote. */
  effects() {
    if (!existsSync(this.file)) return [];
    return readFileSync(this.file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  async close() {
    await this.client?.end().catch(() => {});
    this.cluster.end();
  }
}

/** Collects what was proven and what was not. */
export class Verdict {
  failed = false;

  check(fact, holds, found) {
    if (!holds) this.failed = true;
    console.log(`${holds ? 'ok    ' : 'FAILED'} ${fact}: ${found}`);
  }

  end() {
    console.log(this.failed ? 'FAILED' : 'PASSED');
    process.exit(this.failed ? 1 : 0);
  }
}

/** Waits until something holds; says whether it came to that. */
export async function until(holds, limit, step = 50) {
  for (const deadline = Date.now() + limit; Date.now() < deadline; await pause(step)) {
    if (await holds()) return true;
  }
  return false;
}
