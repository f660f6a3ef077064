// Session look-up and ticket list. Usage: node look-ups.mjs HOME [SECONDS]
//
// The session look-up is asked of auth directly, one connection, one after the other: what a gateway waits for when its
// cache has no answer. The ticket list is the page through the gateway, at 100 connections, each asking again at once.

import { client, ports, quantile, secrets, signIn, system } from "./client.mjs";

const home = process.argv[2];
const seconds = Number(process.argv[3] ?? 10);
const connections = 100;
const gateway = client(system(home).address, connections);
const auth = client(`http://127.0.0.1:${ports(home).auth}`, 1);
const cookie = await signIn(gateway);

async function measure(workers, ask) {
  const times = [];
  const end = performance.now() + seconds * 1000;
  let errors = 0;
  const work = async () => {
    while (performance.now() < end) {
      const began = performance.now();
      const answer = await ask();
      times.push(performance.now() - began);
      if (answer.status !== 200) errors += 1;
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  times.sort((left, right) => left - right);
  return { count: times.length, errors, per_second: times.length / seconds, p50: quantile(times, 0.5), p95: quantile(times, 0.95), p99: quantile(times, 0.99) };
}

const show = (name, figures) =>
  console.log(
    `${name.padEnd(34)} ${figures.per_second.toFixed(0)}/s  p50 ${figures.p50.toFixed(2)}  p95 ${figures.p95.toFixed(2)}  p99 ${figures.p99.toFixed(2)} ms  ${figures.errors} errors`,
  );

const body = JSON.stringify({ token: cookie.split("=")[1] });
const internal = { "content-type": "application/json", "x-youtility-internal-key": secrets(home).internal_key };
const lookUp = () => auth("POST", "/internal/identity", { headers: internal, body });
const list = () => gateway("GET", "/tickets", { headers: { cookie, accept: "text/html" } });
const api = () => gateway("GET", "/api/v1/tickets", { headers: { cookie } });
for (let index = 0; index < 200; index += 1) await Promise.all([lookUp(), list()]);
show("session look-up, 1 connection", await measure(1, lookUp));
show("ticket list page, 1 connection", await measure(1, list));
show(`ticket list page, ${connections} connections`, await measure(connections, list));
show(`ticket list JSON, ${connections} connections`, await measure(connections, api));
