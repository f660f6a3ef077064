// `make bench-queue`: rounds over all systems, the order rotated; then the long runs; then the report.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster, HOME, POSTGRES_SETTINGS, Redis } from './cluster.mjs';
import { QUICK, Turn, longRun, now, sample } from './measure.mjs';
import { command, plain } from './process.mjs';
import { BARE, SYSTEMS } from './systems.mjs';
import { write } from './report.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? (QUICK ? 1 : 3));
const MILLION = Number(process.env.MILLION ?? (QUICK ? 50_000 : 1_000_000));
const MILLION_LIMIT = (QUICK ? 30 : 120) * 1_000;
const only = process.env.ONLY?.split(',');
const chosen = SYSTEMS.filter(({ key }) => !only || only.includes(key));
const withBare = !only || only.includes('bare');

const begun = now();
const tell = (text) => process.stderr.write(`${((now() - begun) / 1000).toFixed(0).padStart(5)} s  ${text}\n`);

const cluster = await Cluster.start();
const redis = chosen.some((system) => system.redis) ? await Redis.start() : null;
const server = await cluster.client();
const { rows: [{ version }] } = await server.query('select version()');
await server.end();
const results = {
  at: new Date().toISOString(), quick: QUICK, rounds: ROUNDS, version, settings: POSTGRES_SETTINGS,
  systems: Object.fromEntries(chosen.map(({ key }) => [key, { samples: [], errors: [] }])), bare: [],
};

async function bare(round) {
  const database = 'bench_bare';
  await cluster.fresh(database);
  const environment = { DATABASE_URL: cluster.url(database) };
  await plain([...BARE.argv, 'setup'], environment);
  const count = QUICK ? 20_000 : 100_000;
  const { figures } = await command([...BARE.argv, 'limits', `${count}`, '1000', '2', QUICK ? '200' : '500'], environment);
  results.bare.push({ round, ...figures });
  await cluster.drop(database);
}

/** A system that fails leaves its error in the results, and the others go on. */
async function attempt(system, what, work) {
  tell(`${system.key}: ${what}`);
  const result = results.systems[system.key];
  let turn;
  try {
    turn = await Turn.begin(system, cluster, redis);
    await work(turn, result);
  } catch (error) {
    tell(`${system.key}: ${error.message}`);
    result.errors.push(`${what}: ${error.message}`);
  } finally {
    await turn?.end().catch(() => {});
  }
}

for (let round = 1; round <= ROUNDS; round += 1) {
  const shift = (round - 1) % chosen.length;
  if (withBare && round % 2 === 1) (tell('bare limits'), await bare(round));
  for (const system of [...chosen.slice(shift), ...chosen.slice(0, shift)]) {
    await attempt(system, `round ${round}`, async (turn, result) => result.samples.push(await sample(turn, round)));
  }
  if (withBare && round % 2 === 0) (tell('bare limits'), await bare(round));
}
for (const system of MILLION ? chosen.filter(({ redis: inRedis }) => !inRedis) : []) {
  const total = system.slow ? Math.min(MILLION, QUICK ? 1_000 : 10_000) : MILLION;
  await attempt(system, `${total} tasks beside an open transaction`, async (turn, result) => {
    result.long = await longRun(turn, total, MILLION_LIMIT);
  });
}
cluster.end();
redis?.end();

results.seconds = (now() - begun) / 1000;
const file = join(HOME, `results${QUICK ? '-quick' : ''}.json`);
writeFileSync(file, `${JSON.stringify(results)}\n`);
tell(`raw samples: ${file}`);
write(results, { publish: !only && !QUICK });
