// The figures as a page of Markdown, in docs/BENCHMARKS.md between its two markers. `node report.mjs FILE` renders again.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOME, ROOT } from './cluster.mjs';
import { SYSTEMS } from './systems.mjs';

const PAGE = join(ROOT, 'docs/BENCHMARKS.md');
const MARKS = ['<!-- bench-queue: written by `make bench-queue` -->', '<!-- /bench-queue -->'];

export function quantile(values, share) {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export const median = (values) => {
  const known = values.filter((value) => Number.isFinite(value));
  return known.length ? (quantile(known, 0.5) + [...known].sort((a, b) => b - a)[Math.floor(known.length / 2)]) / 2 : undefined;
};

const grouped = (value, digits = 0) =>
  value === undefined || !Number.isFinite(value)
    ? '–'
    : value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
const rate = (value) => grouped(value === undefined ? value : Number(value.toPrecision(3)));
const ms = (value) => grouped(value, value < 100 ? 1 : 0);
const mib = (bytes) => grouped(bytes / 1048576);
const table = (heads, rows) =>
  [heads, heads.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

/** Medians over rounds of a figure, and of quantiles of a figure's samples. */
const over = (samples, pick) => median(samples.map(pick));
const bulks = (samples) => median(samples.flatMap(({ bulk }) => bulk.map(({ per_second }) => per_second)));
const pair = (samples, pick) =>
  samples.some((one) => pick(one)?.length)
    ? `${ms(over(samples, (one) => quantile(pick(one) ?? [], 0.5)))} / ${ms(over(samples, (one) => quantile(pick(one) ?? [], 0.99)))}`
    : '–';

function throughput(measured) {
  const heads = ['', 'keeps', 'enqueue one by one /s', 'enqueue in bulk /s', 'drain, one process /s', 'drain, two /s',
    'CPU per task: worker + server, µs', 'tasks'];
  return table(heads, measured.map(({ title, keeps, samples }) => [
    title, keeps, rate(over(samples, ({ single }) => single.per_second)), rate(bulks(samples)),
    rate(over(samples, ({ one }) => one.per_second)), rate(over(samples, ({ two }) => two.per_second)),
    `${grouped(over(samples, ({ one }) => one.worker_us), 1)} + ${grouped(over(samples, ({ one }) => one.server_us), 1)}`,
    grouped(samples[0].one.count),
  ]));
}

function limits(bare) {
  const figure = (name) => rate(over(bare, (one) => one[`${name}_per_second`]));
  return table(
    ['bare tokio-postgres', 'enqueue one by one /s', 'bulk insert by `unnest` /s', 'claim and complete in place /s',
      'claim and delete /s', 'claim and move to history /s', 'insert + NOTIFY to claimed, p50 / p99 ms'],
    [['two connections, 1,000 rows a statement', figure('single'), figure('bulk'), figure('complete_in_place'),
      figure('delete'), figure('move_to_history'), pair(bare, (one) => one.pickup_ms)]],
  );
}

function pickups(measured) {
  const heads = ['from enqueue to start, p50 / p99 ms', 'idle, one each 5 ms', 'steady arrivals', '10,000/s'];
  return table(heads, measured.map(({ title, samples, slow }) => [
    title, pair(samples, ({ idle_ms }) => idle_ms),
    `${pair(samples, ({ load }) => load?.latencies)} at ${slow ? '200/s' : '1,000/s'}`,
    pair(samples, ({ heavy }) => heavy?.latencies),
  ]));
}

function tenants(measured) {
  const heads = ['', 'backlog of the first', 'its drain took, ms', "the other's one task waited, ms",
    'that is, in times of 1,000 tasks'];
  return table(heads, measured.map(({ title, samples }) => [
    title, grouped(over(samples, ({ fairness }) => fairness?.count)), ms(over(samples, ({ fairness }) => fairness?.drain_ms)),
    ms(over(samples, ({ fairness }) => fairness?.waited_ms)),
    grouped(over(samples, ({ fairness: one }) => one && (one.waited_ms * one.count) / one.drain_ms / 1000), 1),
  ]));
}

function longRuns(measured) {
  const heads = ['', 'tasks', 'drain /s: first tenth', 'last tenth', 'last / first', 'tables + indexes, MiB', 'bytes per task'];
  return table(heads, measured.filter(({ long }) => long?.steps.length).map(({ title, long }) => {
    const [first, last] = [long.steps[0], long.steps.at(-1)].map((step) => step.per_second);
    const stopped = long.done < long.total ? ` of ${grouped(long.total)}, then out of time` : '';
    return [title, `${grouped(long.done)}${stopped}`, rate(first), rate(last), grouped(last / first, 2), mib(long.bytes),
      grouped(long.bytes / long.done)];
  }));
}

function targets(measured, bare) {
  const of = (key) => measured.find((system) => system.key === key);
  const drain = (system) => system && over(system.samples, ({ one }) => one.per_second);
  const [ours, lean] = [of('ours'), of('ours_no_history')];
  if (!ours || !bare.length) return '';
  const peers = measured.filter(({ key, redis }) => !key.startsWith('ours') && !redis);
  const best = peers.reduce((found, peer) => (drain(peer) > (drain(found) ?? 0) ? peer : found), undefined);
  const bareDelete = over(bare, (one) => one.delete_per_second);
  const bareBulk = over(bare, (one) => one.bulk_per_second);
  const bulk = bulks(ours.samples);
  const [p50, p99] = [0.5, 0.99].map((share) => over(ours.samples, ({ idle_ms }) => quantile(idle_ms, share)));
  const steps = ours.long?.steps ?? [];
  const last = steps.length ? steps.at(-1).per_second / steps[0].per_second : undefined;
  const rows = [];
  const check = (what, value, wanted, reached) =>
    Number.isFinite(value) && rows.push([what, value.toFixed(2), wanted, reached ? 'yes' : '**no**']);
  if (best) check(`drain with history / best PostgreSQL peer (${best.title})`, drain(ours) / drain(best), '≥ 1', drain(ours) >= drain(best));
  const celery = drain(of('celery'));
  check('drain with history / Celery + Redis', drain(ours) / celery, '≥ 30', drain(ours) / celery >= 30);
  if (lean) {
    if (best) check('drain without history / best PostgreSQL peer', drain(lean) / drain(best), '≥ 1.3', drain(lean) / drain(best) >= 1.3);
    check('drain without history / bare claim and delete', drain(lean) / bareDelete, '≥ 0.7', drain(lean) / bareDelete >= 0.7);
  }
  check('bulk enqueue / bare `unnest`', bulk / bareBulk, '≥ 0.6, or ≥ 150,000/s', bulk / bareBulk >= 0.6 || bulk >= 150_000);
  check('pickup idle p50, ms', p50, '< 3', p50 < 3);
  check('pickup idle p99, ms', p99, '< 20', p99 < 20);
  check('drain of the last tenth of the long run / the first', last, '≥ 0.9', last >= 0.9);
  return table(['', 'measured', 'wanted', 'reached'], rows);
}

export function render(results) {
  const measured = SYSTEMS.filter(({ key }) => results.systems[key]?.samples.length)
    .map((system) => ({ ...system, ...results.systems[system.key] }));
  const settings = Object.entries(results.settings).map(([key, value]) => `\`${key} = ${value}\``).join(', ');
  const failed = Object.entries(results.systems).flatMap(([key, { errors }]) => errors.map((error) => `- ${key}: ${error.split('\n')[0]}`));
  return `## The task queue beside its peers

\`make bench-queue\`${results.quick ? ' (QUICK=1)' : ''}: one PostgreSQL cluster of its own (${results.version.split(' on ')[0]}; ${settings}; the rest as
Debian ships it), a fresh database for each system and round; rounds: ${results.rounds}, the order rotated, medians. Every task does
nothing. A drain is timed from the first task's start until the table says that nothing is left. Raw samples:
\`target/bench-queue/results${results.quick ? '-quick' : ''}.json\`. Measured ${results.at.slice(0, 10)} in ${grouped(results.seconds / 60)} minutes.

${targets(measured, results.bare)}

${throughput(measured)}

${results.bare.length ? limits(results.bare) : ''}

Pickup is counted from just before the enqueuing call in one process to the handler's first line in another; 500 samples
a round, after 20 that are thrown away.

${pickups(measured)}

Two tenants: one has the backlog named, the other brings one task 100 ms after the drain began. Only ours knows tenants;
in the others the task stands at the end of the line.

${tenants(measured)}

Tasks enqueued and worked off in ten parts while a \`repeatable read\` transaction keeps its snapshot open from before the
first, so that nothing deleted can be vacuumed. Rates are until the last task's start. Sizes are what the database grew by, history included where it is kept.

${longRuns(measured)}

Settings: ${measured.map(({ title, settings: text }) => `**${title}**: ${text}`).join('. ')}.
${failed.length ? `\nFailed:\n\n${failed.join('\n')}\n` : ''}`;
}

/** Writes the page for a look; and into the document when it is a whole run. */
export function write(results, { publish }) {
  const text = render(results);
  writeFileSync(join(HOME, 'report.md'), text);
  if (!publish) {
    process.stdout.write(`${text}\n`);
    return;
  }
  const page = readFileSync(PAGE, 'utf8');
  const [begin, end] = MARKS.map((mark) => page.indexOf(mark));
  const section = `${MARKS[0]}\n${text.trim()}\n${MARKS[1]}`;
  const whole = begin >= 0 && end > begin
    ? page.slice(0, begin) + section + page.slice(end + MARKS[1].length)
    : `${page.trimEnd()}\n\n${section}\n`;
  writeFileSync(PAGE, whole);
  process.stderr.write(`written: ${PAGE}\n`);
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  write(JSON.parse(readFileSync(process.argv[2], 'utf8')), { publish: process.argv[3] === 'publish' });
}
