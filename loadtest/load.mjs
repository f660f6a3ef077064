// Arrivals at a fixed rate through five phases. Usage: node load.mjs HOME

import { writeFileSync } from "node:fs";
import { client, quantile, signIn, system } from "./client.mjs";
import { report } from "./report.mjs";
import { draw } from "./scenarios.mjs";

const home = process.argv[2];
const peak = Number(process.env.ARRIVALS ?? 200);
const seconds = Number(process.env.PHASE_SECONDS ?? 15);
const phases = [
  { name: "warm-up", rate: peak * 0.1 },
  { name: "baseline", rate: peak * 0.25 },
  { name: "normal", rate: peak * 0.5 },
  { name: "peak", rate: peak },
  { name: "stress", rate: peak * 1.5 },
].map((phase) => ({ ...phase, seconds }));

// What the run must reach, up to the peak; stress only shows.
const limits = { errors: 0, p95_ms: 50 };

const address = system(home).address;
const ask = client(address);
const cookie = await signIn(ask);
const samples = [];
const began = performance.now();

async function visit(phase, due) {
  let from = due;
  const step = async (name, method, path, options, wanted) => {
    let status = 0;
    let answer;
    try {
      answer = await ask(method, path, options);
      status = answer.status;
    } catch (error) {
      status = error.code ?? error.message;
    }
    const end = performance.now();
    samples.push({ phase: phase.name, name, at_s: (from - began) / 1000, ms: end - from, status, failed: status !== wanted });
    from = end;
    return answer;
  };
  await draw().run(step, { cookie });
}

for (const phase of phases) {
  const start = performance.now();
  const visits = [];
  for (let index = 0; index < phase.rate * phase.seconds; index += 1) {
    const due = start + (index * 1000) / phase.rate;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((done) => setTimeout(done, wait));
    visits.push(visit(phase, due));
  }
  await Promise.all(visits);
  const { count, errors, p50_ms, p95_ms, p99_ms } = summarise(samples.filter((sample) => sample.phase === phase.name));
  console.log(
    `${phase.name.padEnd(9)} ${String(phase.rate).padStart(5)}/s  ${String(count).padStart(6)} requests  ${errors} errors  ` +
      `p50 ${p50_ms.toFixed(1)}  p95 ${p95_ms.toFixed(1)}  p99 ${p99_ms.toFixed(1)} ms`,
  );
}

export function summarise(some) {
  const times = some.map((sample) => sample.ms).sort((left, right) => left - right);
  return {
    count: some.length,
    errors: some.filter((sample) => sample.failed).length,
    p50_ms: quantile(times, 0.5),
    p95_ms: quantile(times, 0.95),
    p99_ms: quantile(times, 0.99),
    max_ms: times.at(-1) ?? NaN,
  };
}

const file = `${home}/report.html`;
writeFileSync(file, report({ address, phases, samples, summarise, limits }));
console.log(`report: ${file}`);
const missed = phases
  .filter((phase) => phase.name !== "stress" && phase.name !== "warm-up")
  .map((phase) => ({ phase, figures: summarise(samples.filter((sample) => sample.phase === phase.name)) }))
  .filter(({ figures }) => figures.errors > limits.errors || figures.p95_ms > limits.p95_ms);
for (const { phase, figures } of missed) {
  console.error(`${phase.name}: ${figures.errors} errors, p95 ${figures.p95_ms.toFixed(1)} ms; wanted ${limits.errors} and ${limits.p95_ms} ms`);
}
process.exit(missed.length === 0 ? 0 : 1);
