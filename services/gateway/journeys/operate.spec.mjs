import { randomUUID } from "node:crypto";
import { expect, expectAccessible, signIn, test } from "./fixture.mjs";
import { eventually, sql, system } from "./system.mjs";

const OPERATOR = process.env.OPERATOR ?? "operator.asterion";
const SUPERVISOR = process.env.SUPERVISOR ?? "supervisor.asterion";
const TABS = ["", "/live", "/history", "/dead-letters", "/schedules", "/audit"].map((path) => `/operate/tasks${path}`);

/** Enqueues a task whose arguments its handler cannot read, and waits until the worker has given it up. */
async function deadLetter() {
  const id = randomUUID();
  await sql(`insert into task (id, queue, kind, args) values ('${id}', 'email', 'mail.send', '{"impossible": true}');
             select pg_notify('queue_ready', 'email')`);
  await eventually("the worker to give the task up", async () => (await sql(`select 1 from task_dead_letter where id = '${id}'`)) === "1");
  return id;
}

/** Enqueues a task for tomorrow. */
async function delayedTask() {
  const id = randomUUID();
  await sql(`insert into task (id, queue, kind, state, run_at, args)
             values ('${id}', 'maintenance', 'queue.cleanup', 'DELAYED', now() + interval '1 day', '{"for": "${id}"}')`);
  return id;
}

const queueRow = (page, name) => page.getByRole("row", { name: new RegExp(`^${name}`) });

test("an operator pauses a queue and lets it go on, and the list of who did what shows it", async ({ page }) => {
  await signIn(page, OPERATOR);
  await expect(page).toHaveURL(/\/operate\/tasks$/);
  await expect(page.getByRole("link", { name: "Tickets" })).toHaveCount(0);
  await expectAccessible(page);

  const row = queueRow(page, "reports");
  await row.getByRole("button", { name: "Pause queue reports" }).click();
  await expect(row.getByText("Paused")).toBeVisible();
  await expect(page.getByRole("status")).toHaveText("Queue reports is paused.");
  await expect(row.getByRole("button", { name: "Resume queue reports" })).toBeFocused();
  expect(await sql("select paused from task_queue where name = 'reports'")).toBe("t");
  await row.getByRole("button", { name: "Resume queue reports" }).click();
  await expect(row.getByText("Active")).toBeVisible();
  expect(await sql("select paused from task_queue where name = 'reports'")).toBe("f");

  await page.getByRole("link", { name: "Audit" }).click();
  const latest = page.getByRole("table").getByRole("row").nth(1);
  await expect(latest).toContainText("Ishita Banerjee");
  await expect(latest).toContainText("resumed the queue");
  await expect(latest).toContainText("reports");
});

test("the overview refreshes itself without a word, and can be stopped", async ({ page }) => {
  await signIn(page, OPERATOR);
  const waiting = queueRow(page, "maintenance").locator("[data-label=Delayed]");
  const before = Number(await waiting.innerText());
  const id = await delayedTask();
  await expect(waiting).toHaveText(String(before + 1), { timeout: 12_000 });
  await expect(page.getByRole("status")).toBeEmpty();
  await page.getByRole("button", { name: "Stop updates" }).click();
  await expect(page.getByText("Not updated")).toBeVisible();
  await sql(`delete from task where id = '${id}'`);
  await page.getByRole("button", { name: "Update again" }).click();
  await expect(waiting).toHaveText(String(before));
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.reload();
  await expect(page.getByRole("button", { name: "Update again" })).toBeVisible();
});

test("a dead letter is read, retried, discarded, and the audit shows who did it", async ({ page }) => {
  const [retried, discarded] = [await deadLetter(), await deadLetter()];
  await signIn(page, OPERATOR);
  await page.getByRole("link", { name: "Dead letters" }).first().click();
  await expect(page.getByRole("heading", { level: 1, name: "Dead letters" })).toBeVisible();
  await expectAccessible(page);

  // The error is read on the task's own page.
  await page.getByRole("link", { name: retried.slice(-8) }).first().click();
  await expect(page.getByRole("heading", { level: 2, name: "Last error" })).toBeVisible();
  await expect(page.locator(".card.is-red")).toContainText(/arguments|missing field|unknown field/i);
  await expect(page.locator("pre")).toContainText("impossible");
  await expectAccessible(page);
  await page.getByRole("button", { name: "Retry" }).click();
  await expect(page).toHaveURL(new RegExp(`/operate/tasks/${retried}$`));
  await expect(page.locator(".history").last()).toContainText("Ishita Banerjee had the task tried again");
  // Its arguments are as wrong as before, so it comes back.
  await eventually("the task to be given up again", async () => (await sql(`select 1 from task_dead_letter where id = '${retried}'`)) === "1");

  await page.goto("/operate/tasks/dead-letters?queue=email&kind=mail.send");
  await page.getByRole("row", { name: new RegExp(discarded.slice(-8)) }).getByRole("link", { name: /^Discard/ }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Discard mail.send?" })).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Discard" }).click();
  await expect(page).toHaveURL(/\/operate\/tasks\/dead-letters$/);
  expect(await sql(`select count(*) from task_dead_letter where id = '${discarded}'`)).toBe("0");

  await page.getByRole("link", { name: "Audit" }).click();
  const byHand = (id, what) => page.getByRole("row", { name: /Ishita Banerjee/ }).filter({ hasText: id.slice(-8) }).filter({ hasText: what });
  await expect(byHand(retried, "had the task tried again")).toHaveCount(1);
  await expect(byHand(discarded, "discarded the task")).toHaveCount(1);
  await expectAccessible(page);
  await sql(`delete from task_dead_letter where id = '${retried}'`);
});

test("a delayed task is cancelled after a question", async ({ page }) => {
  const id = await delayedTask();
  await signIn(page, OPERATOR);
  await page.goto("/operate/tasks/live");
  await page.getByLabel("State").selectOption("DELAYED");
  await expect(page).toHaveURL(/state=DELAYED/);
  await page.getByLabel("Kind").selectOption("queue.cleanup");
  await expect(page).toHaveURL(/kind=queue.cleanup/);
  await page.getByRole("link", { name: id.slice(-8) }).click();
  await expect(page.getByRole("button", { name: "Run now" })).toBeVisible();
  await page.getByRole("link", { name: "Cancel task" }).click();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Cancel task" }).click();
  await expect(page).toHaveURL(new RegExp(`/operate/tasks/${id}$`));
  await expect(page.locator(".tags")).toContainText("Cancelled");
  await expect(page.getByText("Ishita Banerjee")).toHaveCount(2);
});

test("nobody else finds the task queue", async ({ page, expectedStatuses }) => {
  // A page of an error names no icon, so the browser asks for the usual one.
  for (const status of [403, 404]) expectedStatuses.add(status);
  await page.goto("/operate/tasks");
  await expect(page).toHaveURL(/\/login\?next=/);
  await signIn(page, SUPERVISOR);
  for (const path of TABS) {
    const answer = await page.goto(path);
    expect(answer.status(), path).toBe(403);
  }
  await page.goto("/tickets");
  await expect(page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Tasks" })).toHaveCount(0);
});

test("every page of the queue fits a phone's width and keeps nobody out", async ({ page }) => {
  const id = await deadLetter();
  await page.setViewportSize({ width: 320, height: 700 });
  await signIn(page, OPERATOR);
  for (const path of [...TABS, `/operate/tasks/${id}`, `/operate/tasks/dead-letters/${id}/discard`]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(overflow, path).toBeLessThanOrEqual(0);
    await expectAccessible(page);
  }
  await sql(`delete from task_dead_letter where id = '${id}'`);
});

test.describe("without JavaScript", () => {
  test("a queue is paused, a schedule is run, a dead letter is settled", async ({ browser }) => {
    const id = await deadLetter();
    const context = await browser.newContext({ javaScriptEnabled: false, baseURL: system().address });
    const page = await context.newPage();
    await signIn(page, OPERATOR);
    await queueRow(page, "reports").getByRole("button", { name: "Pause queue reports" }).click();
    await expect(queueRow(page, "reports")).toContainText("Paused");
    await queueRow(page, "reports").getByRole("button", { name: "Resume queue reports" }).click();
    await expect(queueRow(page, "reports")).toContainText("Active");

    await page.getByRole("link", { name: "Schedules" }).click();
    const schedule = page.getByRole("row", { name: /^queue.cleanup/ });
    await schedule.getByRole("button", { name: /^Pause schedule queue.cleanup/ }).click();
    await expect(page.getByRole("row", { name: /^queue.cleanup/ })).toContainText("when resumed");
    await schedule.getByRole("button", { name: /^Resume schedule queue.cleanup/ }).click();
    await expect(page.getByRole("row", { name: /^queue.cleanup/ })).toContainText("Active");

    await page.goto("/operate/tasks/history");
    await page.getByLabel("Outcome").selectOption("BURIED");
    await page.getByRole("button", { name: "Filter" }).click();
    await expect(page).toHaveURL(/state=BURIED/);
    await page.getByRole("link", { name: id.slice(-8) }).click();
    await page.getByRole("link", { name: "Discard" }).click();
    await page.getByRole("button", { name: "Discard" }).click();
    await expect(page).toHaveURL(/\/operate\/tasks\/dead-letters$/);
    expect(await sql(`select count(*) from task_dead_letter where id = '${id}'`)).toBe("0");
    await context.close();
  });
});
