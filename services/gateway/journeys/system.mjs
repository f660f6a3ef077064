// The running system the journeys use: its own home, started by start.mjs with `youtility up`.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

export const bin = resolve(root, "target", process.env.PROFILE ?? "debug");
export const home = process.env.YOUTILITY_HOME ?? resolve(root, "target/journeys");
export const password = "Walk-the-site-42";

const read = (name) => JSON.parse(readFileSync(`${home}/config/${name}`, "utf8"));

/** Addresses of what runs. */
export const system = () => read("running.json");

/** Passwords of devices at the broker, by user name. */
export const devices = () => read("secrets.json").devices;

/** Runs SQL as the worker, with psql; gives what it prints, unaligned. */
export const sql = (text) => run("youtility_worker", read("secrets.json").roles.youtility_worker, text);

/** Runs SQL as the cluster's superuser: for what only time or an operator brings about. */
export const superuserSql = (text) => run("postgres", read("secrets.json").superuser, text);

async function run(user, secret, text) {
  const env = { ...process.env, PGPASSWORD: secret };
  const place = ["-h", "127.0.0.1", "-p", String(read("ports.json").postgres), "-U", user, "-d", "youtility"];
  const args = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", ...place, "-c", text];
  const { stdout } = await promisify(execFile)("psql", args, { env, timeout: 10_000 });
  return stdout.trim();
}

/** Every mail the sink has, newest last. */
export async function mails() {
  const answer = await fetch(new URL("mails.json", system().mail_page));
  return answer.json();
}

/** Asks again until something is there; says what it last saw. */
export async function eventually(what, ask, limitMs = 15_000) {
  const end = Date.now() + limitMs;
  let last;
  while (Date.now() < end) {
    last = await ask();
    if (last) return last;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`waited ${limitMs} ms for ${what}; last saw ${JSON.stringify(last)}`);
}

/** Publishes with mosquitto_pub, a client that is not ours. Gives its exit code and words. */
export async function publish({ user, password, topic, message }) {
  const [host, port] = system().broker.split(":");
  const args = ["-V", "5", "-h", host, "-p", port, "-q", "1", "-u", user, "-P", password, "-t", topic, "-m", message];
  try {
    const { stdout, stderr } = await promisify(execFile)("mosquitto_pub", args, { timeout: 10_000 });
    return { code: 0, words: stdout + stderr };
  } catch (error) {
    return { code: error.code, words: `${error.stdout}${error.stderr}` };
  }
}
