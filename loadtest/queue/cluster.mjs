// A PostgreSQL cluster and a Redis of this run alone, on 127.0.0.1, gone when it ends.

import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';

export const ROOT = new URL('../..', import.meta.url).pathname;
export const HOME = join(ROOT, 'target/bench-queue');

/** Settings every PostgreSQL system is measured with; the rest is Debian's default, fsync and synchronous_commit on. */
export const POSTGRES_SETTINGS = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '1GB',
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
  max_connections: '200',
};

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function programs() {
  const folders = readdirSync('/usr/lib/postgresql').map((version) => `/usr/lib/postgresql/${version}/bin`);
  const found = folders.sort().reverse().find((folder) => existsSync(`${folder}/initdb`));
  if (!found) throw new Error("PostgreSQL is missing; on Debian: apt-get install postgresql");
  return found;
}

const isRoot = process.getuid() === 0;

/** Runs a program of PostgreSQL, which refuses root, as user postgres. */
function asPostgres(program, args) {
  const [file, all] = isRoot ? ['runuser', ['-u', 'postgres', '--', program, ...args]] : [program, args];
  return execFileSync(file, all, { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] }).toString();
}

/** A folder that user postgres can reach. */
function dataHome(name) {
  const wanted = join(HOME, name);
  if (!isRoot) return wanted;
  try {
    execFileSync('runuser', ['-u', 'postgres', '--', 'test', '-x', HOME], { cwd: '/', stdio: 'ignore' });
    return wanted;
  } catch {
    return join('/var/tmp', `youtility-bench-queue-${name}`);
  }
}

export class Cluster {
  /** Creates and starts a fresh cluster. */
  static async start(name = 'postgres') {
    mkdirSync(HOME, { recursive: true });
    const cluster = new Cluster();
    cluster.bin = programs();
    cluster.folder = dataHome(name);
    cluster.data = join(cluster.folder, 'data');
    cluster.port = await freePort();
    cluster.password = randomBytes(18).toString('hex');
    cluster.stop('immediate');
    rmSync(cluster.folder, { recursive: true, force: true });
    mkdirSync(cluster.folder, { recursive: true, mode: 0o700 });
    const secret = join(cluster.folder, 'password');
    writeFileSync(secret, cluster.password, { mode: 0o600 });
    if (isRoot) {
      const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'])));
      for (const path of [cluster.folder, secret]) chownSync(path, uid, gid);
    }
    asPostgres(join(cluster.bin, 'initdb'), [
      '--pgdata', cluster.data, '--username', 'postgres', '--auth', 'scram-sha-256', '--pwfile', secret,
      '--encoding', 'UTF8', '--locale', 'C.UTF-8',
    ]);
    rmSync(secret);
    cluster.launch();
    cluster.atExit = () => cluster.stop('immediate');
    process.once('exit', cluster.atExit);
    return cluster;
  }

  launch() {
    const settings = Object.entries(POSTGRES_SETTINGS).map(([key, value]) => `-c ${key}=${value}`);
    const options = [`-p ${this.port}`, '-c listen_addresses=127.0.0.1', "-c unix_socket_directories=''", ...settings];
    const log = join(this.folder, 'server.log');
    const args = ['start', '--wait', '--silent', '--pgdata', this.data, '--log', log, '--options', options.join(' ')];
    const [file, all] = isRoot
      ? ['runuser', ['-u', 'postgres', '--', join(this.bin, 'pg_ctl'), ...args]]
      : [join(this.bin, 'pg_ctl'), args];
    execFileSync(file, all, { cwd: '/', stdio: 'ignore', timeout: 90_000 });
    this.pid = Number(readFileSync(join(this.data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  stop(mode = 'fast') {
    if (!existsSync(join(this.data, 'postmaster.pid'))) return;
    try {
      asPostgres(join(this.bin, 'pg_ctl'), ['stop', '--pgdata', this.data, '--mode', mode]);
    } catch (error) {
      if (existsSync(join(this.data, 'postmaster.pid'))) process.stderr.write(`stopping PostgreSQL: ${error.message}\n`);
    }
  }

  /** Stops and removes everything. */
  end() {
    process.removeListener('exit', this.atExit);
    this.stop('fast');
    rmSync(this.folder, { recursive: true, force: true });
  }

  url(database) {
    return `postgres://postgres:${this.password}@127.0.0.1:${this.port}/${database}`;
  }

  async client(database = 'postgres') {
    const client = new pg.Client({ connectionString: this.url(database) });
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  /** Makes an empty database in place of what was there. */
  async fresh(database) {
    const client = await this.client();
    await client.query(`drop database if exists ${database} with (force)`);
    await client.query(`create database ${database} template template0`);
    await client.query('checkpoint');
    await client.end();
  }

  async drop(database) {
    const client = await this.client();
    await client.query(`drop database if exists ${database} with (force)`);
    await client.end();
  }
}

export class Redis {
  /** Starts Redis as it comes: snapshots now and then, no append-only file. */
  static async start() {
    const redis = new Redis();
    redis.port = await freePort();
    redis.folder = join(HOME, 'redis');
    rmSync(redis.folder, { recursive: true, force: true });
    mkdirSync(redis.folder, { recursive: true });
    const args = ['--port', `${redis.port}`, '--bind', '127.0.0.1', '--dir', redis.folder, '--logfile', 'redis.log'];
    redis.child = spawn('redis-server', args, { stdio: 'ignore' });
    redis.pid = redis.child.pid;
    redis.atExit = () => redis.child.kill('SIGKILL');
    process.once('exit', redis.atExit);
    for (let attempt = 0; ; attempt += 1) {
      try {
        await redis.ask('PING');
        return redis;
      } catch (error) {
        if (attempt > 100) throw error;
        await pause(50);
      }
    }
  }

  get url() {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** Asks one thing and answers its first line; a connection each time is enough here. */
  ask(...words) {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1');
      const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
      socket.on('error', reject);
      socket.on('connect', () => socket.write(`*${words.length}\r\n${parts.join('')}`));
      socket.on('data', (data) => {
        socket.end();
        resolve(data.toString().split('\r\n')[0]);
      });
    });
  }

  async number(...words) {
    return Number((await this.ask(...words)).replace(':', ''));
  }

  end() {
    process.removeListener('exit', this.atExit);
    this.child.kill('SIGTERM');
  }
}
