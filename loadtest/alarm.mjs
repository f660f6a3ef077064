// From mosquitto_pub to reading, ticket and mail, in milliseconds. Usage: node alarm.mjs HOME [ROUNDS]
//
// Each round publishes a reading above the limit of the device's rule, waits for the alarm's ticket and its mail, publishes
// the same message again, which must add nothing, and cancels the ticket so that the next round can raise one.

import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { client, eventually, ports, secrets, signIn, system } from "./client.mjs";

const home = process.argv[2];
const rounds = Number(process.argv[3] ?? 10);
const user = process.env.DEVICE ?? "ASTERION.PUMP-1";
const [host, port] = system(home).broker.split(":");
const ask = client(system(home).address);
const cookie = await signIn(ask);
const page = await ask("GET", "/tickets/new", { headers: { cookie, accept: "text/html" } });
const csrf = /name="csrf_token" value="([^"]+)"/.exec(page.text)[1];

function sql(text) {
  const args = ["-h", "127.0.0.1", "-p", String(ports(home).postgres), "-U", "postgres", "-d", "youtility", "-At", "-c", text];
  return execFileSync("psql", args, { env: { ...process.env, PGPASSWORD: secrets(home).superuser }, encoding: "utf8" }).trim();
}

function publish(message) {
  const topic = `yt/v1/${user.replace(".", "/")}/telemetry`;
  execFileSync("mosquitto_pub", ["-V", "5", "-h", host, "-p", port, "-u", user, "-P", secrets(home).devices[user], "-q", "1", "-t", topic, "-m", message]);
}

/** Moves the open alarm tickets of the device out of the way. */
async function cancelOpen() {
  for (const row of JSON.parse((await ask("GET", `/api/v1/tickets?q=${user.split(".")[1]}`, { headers: { cookie } })).text).items) {
    const ticket = JSON.parse((await ask("GET", `/api/v1/tickets/${row.id}`, { headers: { cookie } })).text);
    if (!ticket.next_states.includes("CANCELLED")) continue;
    await ask("POST", `/api/v1/tickets/${row.id}/state`, {
      headers: { cookie, "content-type": "application/json", "x-csrf-token": csrf },
      body: JSON.stringify({ state: "CANCELLED", version: ticket.version }),
    });
  }
}

const mails = async () => (await fetch(new URL("mails.json", system(home).mail_page))).json();
const header = (mail, name) => (Array.isArray(mail.headers) ? mail.headers : Object.entries(mail.headers)).find(([key]) => key.toLowerCase() === name)?.[1];

let holds = true;
for (let round = 0; round < rounds; round += 1) {
  await cancelOpen();
  const id = randomUUID();
  const message = JSON.stringify({ id, at: new Date().toISOString(), values: { temperature: 99.5 } });
  const began = performance.now();
  publish(message);
  const taken = performance.now() - began;
  const row = await eventually("the reading", async () => sql(`select 1 from telemetry_reading where message_id = '${id}'`) === "1", 5000).then(() => performance.now() - began);
  const correlation = await eventually("the ticket", async () => sql(`select correlation_id from ticket where source = 'ALARM' and created_at > now() - interval '5 seconds' and state = 'NEW' and title like '${user.split(".")[1]}%' order by created_at desc limit 1`), 5000);
  const ticket = performance.now() - began;
  await eventually("the mail", async () => (await mails()).some((mail) => header(mail, "x-correlation-id") === correlation), 5000);
  const mail = performance.now() - began;
  const counts = () => sql(`select (select count(*) from telemetry_reading where message_id = '${id}'), (select count(*) from ticket where source = 'ALARM'), (select count(*) from ticket_event)`);
  await eventually("the history to be complete", async () => sql(`select 1 from ticket_event where kind = 'MAILED' and correlation_id = '${correlation}'`) === "1", 5000);
  const before = counts();
  publish(message);
  await new Promise((done) => setTimeout(done, 500));
  const after = counts();
  holds &&= before === after && mail < 1000;
  console.log(`broker took it ${taken.toFixed(0)}  reading ${row.toFixed(0)}  ticket ${ticket.toFixed(0)}  mail ${mail.toFixed(0)} ms; repeated: ${before} -> ${after}`);
}
process.exit(holds ? 0 : 1);
