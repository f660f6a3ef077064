// What every peer written for Node.js says to the harness and hears from it; README.md lists the lines.

import { createInterface } from 'node:readline';

/** Milliseconds since 1970, with a fraction: the clock that all processes of a run share. */
export const clock = () => performance.timeOrigin + performance.now();

/** Prints one line for the harness. */
export const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** Says that everything is prepared, and waits for the word to begin. */
export async function gate() {
  say({ event: 'ready' });
  const input = createInterface({ input: process.stdin });
  await new Promise((resolve) => input.once('line', resolve));
  input.close();
}

/** Counts handled tasks and remembers how long the timed ones waited. */
export class Tally {
  handled = 0;
  last = 0;
  latencies = [];

  constructor(mark) {
    this.mark = mark;
  }

  count(payload) {
    const now = clock();
    if (payload.t > 0) this.latencies.push(now - payload.t);
    this.handled += 1;
    this.last = now;
    if (this.handled === 1) say({ event: 'first', at: now });
    if (this.handled === this.mark) say({ event: 'mark', at: now });
  }

  keepSaying() {
    let said = 0;
    return setInterval(() => {
      if (this.handled !== said) say({ event: 'count', n: this.handled, last: this.last });
      said = this.handled;
    }, 10);
  }

  /** The last line; long, so a process waits for it before it exits. */
  end() {
    const line = JSON.stringify({ event: 'end', handled: this.handled, latencies: this.latencies });
    return new Promise((resolve) => process.stdout.write(`${line}\n`, resolve));
  }
}

/** Resolves at SIGTERM. */
export const terminated = () => new Promise((resolve) => process.once('SIGTERM', resolve));

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs `single COUNT`, `bulk COUNT BATCH` or `produce COUNT INTERVAL_MS PER_TICK` with a function that enqueues payloads. */
export async function produce([command, ...words], enqueue) {
  const [count, second, third] = words.map(Number);
  const batch = { single: 1, bulk: second, produce: third }[command];
  const interval = command === 'produce' ? second : 0;
  if (!batch) throw new Error('use: setup | single COUNT | bulk COUNT BATCH | produce COUNT INTERVAL_MS PER_TICK | work MARK');
  await gate();
  const begin = clock();
  for (let next = 0, due = begin; next < count; next += batch) {
    const t = command === 'produce' ? clock() : 0;
    const size = Math.min(batch, count - next);
    await enqueue(Array.from({ length: size }, (_, index) => ({ t, n: next + index })));
    due += interval;
    if (interval > 0) await pause(Math.max(0, due - clock()));
  }
  say({ event: 'done', count, seconds: (clock() - begin) / 1000 });
}
