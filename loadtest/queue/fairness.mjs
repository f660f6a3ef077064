// Two tenants, 100,000 tasks against one: the one must not wait for the many. Exits with 1 when it does.

import { Cluster, POSTGRES_SETTINGS } from './cluster.mjs';
import { QUICK, Turn } from './measure.mjs';
import { SYSTEMS } from './systems.mjs';

const ROUNDS = 5;
const SHARE_MAX = 0.1;
const system = SYSTEMS.find(({ key }) => key === 'ours');
const cluster = await Cluster.start('postgres-fairness');
console.log(`fsync ${POSTGRES_SETTINGS.fsync}, ${ROUNDS} rounds`);
const shares = [];
for (let round = 1; round <= ROUNDS; round += 1) {
  const turn = await Turn.begin(system, cluster, null);
  const { count, waited_ms, drain_ms } = await turn.fairness(QUICK ? 20_000 : 100_000);
  const batches = (waited_ms * count) / drain_ms / 1_000;
  console.log(`round ${round}: ${count} tasks drained in ${drain_ms.toFixed(0)} ms; the other tenant's one task waited ` +
    `${waited_ms.toFixed(1)} ms, as long as ${batches.toFixed(1)} batches of 1,000 take`);
  shares.push(waited_ms / drain_ms);
  await turn.end();
}
cluster.end();
const middle = shares.sort((left, right) => left - right)[Math.floor(ROUNDS / 2)];
const fair = middle < SHARE_MAX;
console.log(`${fair ? 'PASSED' : 'FAILED'}: in the median it waited ${(middle * 100).toFixed(1)} % of the drain (at most ${SHARE_MAX * 100} %)`);
process.exit(fair ? 0 : 1);
