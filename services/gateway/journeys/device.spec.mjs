import { randomUUID } from "node:crypto";
import { expect, signIn, test } from "./fixture.mjs";
import { devices, eventually, mails, password, publish, system } from "./system.mjs";

const SUPERVISOR = process.env.SUPERVISOR ?? "supervisor.asterion";

async function ticketsOf(cookie, words) {
  const answer = await fetch(`${system().address}/api/v1/tickets?q=${encodeURIComponent(words)}`, { headers: { cookie } });
  expect(answer.status).toBe(200);
  return (await answer.json()).items;
}

async function session() {
  const answer = await fetch(`${system().address}/api/v1/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ login: SUPERVISOR, password }),
  });
  expect(answer.status).toBe(201);
  return answer.headers.getSetCookie()[0].split(";")[0];
}

test("a reading above its limit raises one ticket with one mail, and repeating the message adds nothing", async ({ page }) => {
  const user = process.env.DEVICE ?? "ASTERION.PUMP-1";
  const [client, device] = user.split(".");
  const cookie = await session();
  const before = await ticketsOf(cookie, device);
  const message = JSON.stringify({ id: randomUUID(), at: new Date().toISOString(), values: { temperature: 99.5 } });
  const reading = { user, password: devices()[user], topic: `yt/v1/${client}/${device}/telemetry`, message };

  expect(await publish(reading)).toMatchObject({ code: 0 });
  const ticket = await eventually("the alarm's ticket", async () => {
    const known = new Set(before.map((row) => row.id));
    return (await ticketsOf(cookie, device)).find((row) => !known.has(row.id));
  });
  const whole = await (await fetch(`${system().address}/api/v1/tickets/${ticket.id}`, { headers: { cookie } })).json();
  expect(whole.source).toBe("ALARM");
  await eventually("its mail", async () => (await mails()).find((mail) => mail.subject.includes(ticket.title)));

  expect(await publish(reading)).toMatchObject({ code: 0 });
  await signIn(page, SUPERVISOR);
  await page.goto(`/tickets/${ticket.id}`);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  expect((await ticketsOf(cookie, device)).length).toBe(before.length + 1);
});

test("the broker refuses a wrong password and another tenant's topic", async () => {
  const names = Object.keys(devices());
  const user = names.find((name) => name.startsWith("ASTERION."));
  const other = names.find((name) => !name.startsWith("ASTERION."));
  const [client, device] = other.split(".");
  const message = JSON.stringify({ id: randomUUID(), at: new Date().toISOString(), values: { temperature: 99.5 } });

  const wrong = await publish({ user, password: "wrong", topic: `yt/v1/ASTERION/${user.split(".")[1]}/telemetry`, message });
  expect(wrong.code).not.toBe(0);
  const foreign = await publish({ user, password: devices()[user], topic: `yt/v1/${client}/${device}/telemetry`, message });
  expect(foreign.words).toMatch(/not authori[sz]ed/i);
});
