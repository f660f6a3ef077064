// 200 parallel wrong passwords for one login name, spread over every gateway (and, behind them, every auth replica),
// each with another forged X-Forwarded-For. Usage: node limits.mjs HOME [LOGIN]

import { client, ports, system } from "./client.mjs";

const home = process.argv[2];
const name = process.argv[3] ?? "guard.asterion";
const count = 200;
const known = ports(home);
const gateways = Object.keys(known).filter((key) => /^gateway(-\d+)?$/.test(key)).map((key) => `http://127.0.0.1:${known[key]}`);
const auths = system(home).processes.filter((process) => process.name.startsWith("auth"));

async function verifications() {
  let sum = 0;
  for (const auth of auths) {
    const text = await (await fetch(`http://127.0.0.1:${auth.admin_port}/metrics`)).text();
    for (const [, value] of text.matchAll(/^auth_password_verifications_total(?:\{[^}]*\})? (\d+)/gm)) sum += Number(value);
  }
  return sum;
}

const before = await verifications();
const asks = gateways.map((address) => client(address, count));
const answers = await Promise.all(
  Array.from({ length: count }, (_, index) =>
    asks[index % asks.length]("POST", "/api/v1/session", {
      headers: { "content-type": "application/json", "x-forwarded-for": `203.0.113.${index}`, forwarded: `for=198.51.100.${index}` },
      body: JSON.stringify({ login: name, password: `wrong ${index}` }),
      timeoutMs: 30_000,
    }),
  ),
);
const reached = (await verifications()) - before;
const by = (status) => answers.filter((answer) => answer.status === status);
const waits = by(429).map((answer) => Number(answer.headers["retry-after"]));
console.log(`${gateways.length} gateways, ${auths.length} auth replicas, ${count} parallel wrong passwords for ${name}`);
console.log(`401: ${by(401).length}   429: ${by(429).length}   others: ${count - by(401).length - by(429).length}`);
console.log(`passwords looked at: ${reached}`);
console.log(`Retry-After of the refused: ${Math.min(...waits)} to ${Math.max(...waits)} s, missing on ${waits.filter((wait) => !(wait > 0)).length}`);
const holds = reached === 5 && by(401).length === 5 && by(429).length === count - 5 && waits.every((wait) => wait > 0);
process.exit(holds ? 0 : 1);
