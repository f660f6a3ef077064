// Health's answers through the gateway while every PostgreSQL process is stopped by SIGSTOP. Usage: node frozen-database.mjs HOME

import { readFileSync, readdirSync } from "node:fs";
import { client, ports, quantile, system } from "./client.mjs";

const home = process.argv[2];
const ask = client(system(home).address, 4);
const paths = ["/health/", "/ready/", "/alive/", "/health/detailed/"];

/** The server that listens on our cluster's port, and its children. */
function postgres() {
  const port = String(ports(home).postgres);
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      const parent = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ")[1];
      return [{ pid: Number(pid), parent: Number(parent), command }];
    } catch {
      return [];
    }
  });
  const server = processes.find(({ command }) => command[0].endsWith("/postgres") && command.includes("-p") && command.includes(port));
  if (!server) throw new Error(`no PostgreSQL server with port ${port}`);
  return [server.pid, ...processes.filter(({ parent }) => parent === server.pid).map(({ pid }) => pid)];
}

const pids = postgres();
const times = new Map(paths.map((path) => [path, []]));
const last = new Map();
for (const pid of pids) process.kill(pid, "SIGSTOP");
try {
  await new Promise((done) => setTimeout(done, 3000));
  for (let round = 0; round < 100; round += 1) {
    for (const path of paths) {
      const began = performance.now();
      last.set(path, await ask("GET", path));
      times.get(path).push(performance.now() - began);
    }
  }
} finally {
  for (const pid of pids) process.kill(pid, "SIGCONT");
}

let holds = true;
const wanted = { "/health/": 503, "/ready/": 503, "/alive/": 200, "/health/detailed/": 200 };
for (const path of paths) {
  const sorted = times.get(path).sort((left, right) => left - right);
  const { status } = last.get(path);
  holds &&= status === wanted[path] && sorted.at(-1) < 100;
  console.log(`${path.padEnd(18)} ${status}  p50 ${quantile(sorted, 0.5).toFixed(2)}  max ${sorted.at(-1).toFixed(2)} ms`);
}
const detailed = JSON.parse(last.get("/health/detailed/").text);
console.log(JSON.stringify(detailed, null, 1));
holds &&= detailed.causes.includes("postgresql");
process.exit(holds ? 0 : 1);
