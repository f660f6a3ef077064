// Processes of the systems under measurement: their lines, their end, their processor time.

import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';

const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

/** One process that speaks the lines of README.md. */
export class Speaker extends EventEmitter {
  constructor([file, ...args], environment) {
    super();
    this.setMaxListeners(100);
    this.lines = {};
    this.counted = 0;
    this.last = 0;
    this.errors = '';
    this.child = spawn(file, args, { env: { ...process.env, ...environment }, stdio: ['pipe', 'pipe', 'pipe'] });
    this.pid = this.child.pid;
    running.add(this.child);
    this.child.stdin.on('error', () => {});
    this.child.stderr.on('data', (data) => {
      this.errors = (this.errors + data).slice(-4000);
    });
    createInterface({ input: this.child.stdout }).on('line', (line) => this.hear(line));
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        running.delete(this.child);
        this.exit = { code, signal };
        this.emit('exit');
        resolve(this.exit);
      });
      this.child.once('error', (error) => {
        this.errors += error.message;
      });
    });
  }

  hear(line) {
    if (!line.startsWith('{')) return;
    const said = JSON.parse(line);
    this.lines[said.event] = said;
    if (said.event === 'count') {
      this.counted = said.n;
      this.last = said.last;
    }
    this.emit(said.event, said);
  }

  /** Waits for a line; fails when the process ends without it, or in so many milliseconds. */
  wait(event, limit = 60_000) {
    if (this.lines[event]) return Promise.resolve(this.lines[event]);
    return new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`${this.child.spawnargs.slice(0, 4).join(' ')}: ${why}\n${this.errors}`));
      const timer = setTimeout(() => fail(`no "${event}" in ${limit} ms`), limit);
      this.once(event, (said) => (clearTimeout(timer), resolve(said)));
      this.once('exit', () => {
        clearTimeout(timer);
        if (!this.lines[event]) fail(`ended with ${JSON.stringify(this.exit)} before "${event}"`);
      });
    });
  }

  go() {
    this.child.stdin.write('go\n');
  }

  /** Asks it to end, insists after a while. */
  async stop(limit = 15_000) {
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), limit);
    await this.ended;
    clearTimeout(timer);
    return this.lines.end;
  }
}

/** Runs a command from its gate to its `done`. */
export async function command(argv, environment, limit = 300_000) {
  const speaker = new Speaker(argv, environment);
  await speaker.wait('ready');
  speaker.go();
  const done = await speaker.wait('done', limit);
  await speaker.ended;
  return done;
}

/** Runs a command that has no gate. */
export async function plain(argv, environment) {
  const speaker = new Speaker(argv, environment);
  const { code } = await speaker.ended;
  if (code !== 0) throw new Error(`${argv.join(' ')} failed\n${speaker.errors}`);
}

function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), ticks: fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) };
  } catch {
    return null;
  }
}

const MS_PER_TICK = 10;

/** Processor time, user and system, of processes and their descendants, living and gone, in milliseconds. */
export function processorTime(roots) {
  const all = new Map();
  for (const name of readdirSync('/proc')) {
    const found = /^\d+$/.test(name) && stat(name);
    if (found) all.set(Number(name), found);
  }
  const belongs = (pid) => {
    for (let at = pid; all.has(at) && at > 1; at = all.get(at).parent) if (roots.includes(at)) return true;
    return false;
  };
  let ticks = 0;
  for (const [pid, { ticks: own }] of all) if (belongs(pid)) ticks += own;
  return ticks * MS_PER_TICK;
}
