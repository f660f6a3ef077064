// kill -9 of worker, bridge, web and auth in turn while both journeys repeat. Usage: node chaos.mjs HOME [ROUNDS]
//
// Start the system with `youtility up --restart-pause-ms 3000`, so that health has the time to see each death.

import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { client, eventually, ports, secrets, signIn, system } from "./client.mjs";

const home = process.argv[2];
const rounds = Number(process.argv[3] ?? 200);
const pauseMs = Number(process.env.PAUSE_MS ?? 1000);
const victims = ["worker", "mqtt-bridge", "web", "auth"];
const ask = client(system(home).address, 16);
const [host, port] = system(home).broker.split(":");
const user = process.env.DEVICE ?? Object.keys(secrets(home).devices).find((name) => name.startsWith("ASTERION."));
const topic = `yt/v1/${user.replace(".", "/")}`;
const account = ["-V", "5", "-h", host, "-p", port, "-u", user, "-P", secrets(home).devices[user]];

const deaths = new Map(victims.map((name) => [name, { killed: 0, named: 0 }]));
const tickets = [];
const readings = [];
const acknowledged = new Set();
let over = false;

function sql(text) {
  const environment = { ...process.env, PGPASSWORD: secrets(home).superuser };
  const args = ["-h", "127.0.0.1", "-p", String(ports(home).postgres), "-U", "postgres", "-d", "youtility", "-At", "-F", "\t", "-c", text];
  return execFileSync("psql", args, { env: environment, encoding: "utf8" }).trim();
}

/** Kills one process after another, and asks health to name it before it is back. */
async function kill() {
  for (let turn = 0; !over; turn += 1) {
    const name = victims[turn % victims.length];
    await new Promise((done) => setTimeout(done, 4000));
    const { pid } = system(home).processes.find((process) => process.name === name);
    process.kill(pid, "SIGKILL");
    const death = deaths.get(name);
    death.killed += 1;
    const named = await eventually(`health to name ${name}`, async () => {
      const detailed = JSON.parse((await ask("GET", "/health/detailed/")).text);
      const check = detailed.checks[name] ?? detailed.checks[name.replace("-", "_")];
      return check && check.status !== "healthy";
    }, 2900).catch(() => false);
    if (named) death.named += 1;
  }
}

/** Raises a ticket as a client does that keeps trying under one key. */
async function raiseTicket(round) {
  const key = randomUUID();
  await eventually(`ticket ${round}`, async () => {
    const cookie = await signIn(ask);
    const sites = JSON.parse((await ask("GET", "/api/v1/sites", { headers: { cookie } })).text).items;
    const session = JSON.parse((await ask("GET", "/api/v1/session", { headers: { cookie } })).text);
    const people = JSON.parse((await ask("GET", "/api/v1/people/lookup?q=me", { headers: { cookie } })).text).items;
    const csrf = await token(cookie);
    const answer = await ask("POST", "/api/v1/tickets", {
      headers: { cookie, "content-type": "application/json", "idempotency-key": key, "x-csrf-token": csrf },
      body: JSON.stringify({ site_id: sites[0].id, title: `Chaos ${round}`, priority: "LOW", assignee_id: people[0].id }),
    });
    if (answer.status !== 201 && answer.status !== 200) return false;
    await ask("DELETE", "/api/v1/session", { headers: { cookie, "x-csrf-token": csrf } });
    return session.session_id;
  });
  tickets.push(key);
}

/** The CSRF token a page would use. */
async function token(cookie) {
  const page = await ask("GET", "/tickets/new", { headers: { cookie, accept: "text/html" } });
  return /name="csrf_token" value="([^"]+)"/.exec(page.text)[1];
}

/** Publishes a reading as a device does: again under the same id until the bridge answers. */
async function publishReading(round) {
  const id = randomUUID();
  const message = JSON.stringify({ id, at: new Date().toISOString(), values: { chaos: round } });
  readings.push(id);
  for (let attempt = 0; attempt < 20 && !acknowledged.has(id); attempt += 1) {
    execFileSync("mosquitto_pub", [...account, "-q", "1", "-t", `${topic}/telemetry`, "-m", message]);
    await eventually(`the answer to reading ${round}`, async () => acknowledged.has(id), 3000).catch(() => false);
  }
}

const listener = spawn("mosquitto_sub", [...account, "-q", "1", "-t", `${topic}/ack`]);
listener.stdout.on("data", (chunk) => {
  for (const line of String(chunk).split("\n").filter(Boolean)) {
    const answer = JSON.parse(line);
    if (answer.stored) acknowledged.add(answer.id);
  }
});

const killer = kill();
for (let round = 0; round < rounds; round += 1) {
  await Promise.all([raiseTicket(round), publishReading(round), new Promise((done) => setTimeout(done, pauseMs))]);
  if (round % 20 === 19) console.log(`${round + 1} rounds; killed ${victims.map((name) => `${name} ${deaths.get(name).killed}`).join(", ")}`);
}
over = true;
await killer;
listener.kill();

const list = (ids) => ids.map((id) => `'${id}'`).join(",");
await eventually("every ticket's mail", async () => {
  const mailed = sql(`select count(distinct ticket_id) from ticket_event where kind = 'MAILED' and ticket_id in (${list(tickets)})`);
  return Number(mailed) === tickets.length;
}, 120_000).catch((error) => console.error(error.message));

const mails = await (await fetch(new URL("mails.json", system(home).mail_page))).json();
const correlations = new Set(sql(`select correlation_id from ticket where id in (${list(tickets)})`).split("\n"));
const header = (mail, name) => (Array.isArray(mail.headers) ? mail.headers : Object.entries(mail.headers)).find(([key]) => key.toLowerCase() === name)?.[1];
const sent = mails.filter((mail) => correlations.has(header(mail, "x-correlation-id")));
const figures = {
  tickets_wanted: tickets.length,
  tickets_stored: Number(sql(`select count(*) from ticket where id in (${list(tickets)})`)),
  tickets_with_mail: new Set(sent.map((mail) => header(mail, "x-correlation-id"))).size,
  mails: sent.length,
  distinct_message_ids: new Set(sent.map((mail) => header(mail, "message-id"))).size,
  readings_wanted: readings.length,
  readings_acknowledged: acknowledged.size,
  reading_rows: Number(sql(`select count(*) from telemetry_reading where message_id in (${list(readings)})`)),
  distinct_readings: Number(sql(`select count(distinct message_id) from telemetry_reading where message_id in (${list(readings)})`)),
  deaths: Object.fromEntries(deaths),
};
console.log(JSON.stringify(figures, null, 1));
const holds =
  figures.tickets_stored === rounds &&
  figures.tickets_with_mail === rounds &&
  figures.reading_rows === rounds &&
  figures.distinct_readings === rounds &&
  [...deaths.values()].every((death) => death.killed > 0 && death.named === death.killed);
process.exit(holds ? 0 : 1);
