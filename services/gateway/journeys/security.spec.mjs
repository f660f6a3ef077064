import { expect, expectAccessible, test } from "./fixture.mjs";
import { ADMINISTRATOR, codeOf, enter, giveName, newcomer, picture, setUpAuthenticator } from "./people.mjs";
import { eventually, password, superuserSql, system } from "./system.mjs";

const administrator = { login: ADMINISTRATOR, password };

test("sign-ins and refusals stand in the security log, filtered and page by page", async ({ page, expectedStatuses }) => {
  expectedStatuses.add(422);
  const person = await newcomer("Hana Kovac");
  for (const secret of ["wrong once", "wrong twice"]) {
    const answer = await fetch(`${system().address}/api/v1/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ login: person.login, password: secret }),
    });
    expect(answer.status).toBe(401);
  }
  // More than a page holds.
  const client = "(select client_id from client where code = 'ASTERION')";
  await superuserSql(`insert into security_event (client_id, id, at, kind, address, correlation_id)
    select ${client}, gen_random_uuid(), now() - n * interval '1 second', 'rate_limited', '203.0.113.9', gen_random_uuid()
      from generate_series(60, 180) as n`);
  await enter(page, administrator);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Security log" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Security log" })).toBeVisible();
  await eventually("the refusals to be written", async () => {
    await page.reload();
    return (await page.getByRole("table").innerText()).includes("Sign-in refused");
  });
  await expectAccessible(page);
  await picture(page, "security");
  const rows = page.getByRole("table").locator("tbody tr");
  const first = await rows.first().innerText();
  await page.getByRole("link", { name: "Next" }).click();
  await expect(page).toHaveURL(/before=/);
  await expect(rows.first()).not.toHaveText(first);
  await page.getByRole("link", { name: "First page" }).click();
  await page.getByLabel("What").selectOption({ label: "Sign-in refused" });
  await expect(page).toHaveURL(/kind=sign_in_failed/);
  for (const label of await rows.locator("th .pill").allInnerTexts()) expect(label.trim()).toBe("Sign-in refused");
  await expect(page.getByRole("table")).toContainText(person.login);
  await picture(page, "security-filtered");
  await page.goto("/setup/security?kind=nonsense");
  await expect(page.locator("#mistakes")).toBeVisible();
});

test("another client's events are not there", async ({ page }) => {
  await enter(page, { login: ADMINISTRATOR.replace("asterion", "brannoc"), password });
  await page.goto("/setup/security");
  await expect(page.locator("main")).not.toContainText("journey.");
});

test("support looks into another client, read-only, for a while, and both sides know", async ({ page, expectedStatuses }) => {
  for (const status of [401, 403, 422]) expectedStatuses.add(status);
  const person = await newcomer("Sam Okoye", ["WEB"]);
  await superuserSql(`insert into client_capability (client_id, capability)
                      select client_id, 'SUPPORT' from client where code = 'ASTERION' on conflict do nothing;
                      insert into person_capability (client_id, person_id, capability)
                      select client_id, '${person.id}', 'SUPPORT' from client where code = 'ASTERION'`);
  await giveName(page, person);
  const { secret } = await setUpAuthenticator(page);
  await page.getByRole("link", { name: "I have kept them" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await giveName(page, person);
  await page.getByRole("textbox", { name: "Code" }).fill(codeOf(secret, 1));
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page).toHaveURL(/\/support/);
  await expectAccessible(page);
  await picture(page, "support");
  const other = (await superuserSql("select code from client where code <> 'ASTERION' and state = 'ACTIVE' order by code limit 1")).trim();
  await page.getByLabel("Code of the client").fill(other);
  await page.getByLabel("Why").fill("short");
  await page.getByRole("button", { name: "Look into it" }).click();
  await expect(page.getByRole("alert").first()).toBeVisible();
  await expectAccessible(page);
  await picture(page, "support-refused");
  await page.getByLabel("Why").fill("Call 4711: the ticket list looks empty");
  await page.getByRole("button", { name: "Look into it" }).click();
  const banner = page.getByRole("form", { name: "Looking into another client" });
  await expect(banner).toBeVisible();
  await expectAccessible(page);
  await picture(page, "support-banner");
  // Everything can be read and nothing changed.
  await page.goto("/tickets");
  await expect(banner).toBeVisible();
  await expect(page.getByRole("table")).toBeVisible();
  expect((await page.goto("/tickets/new")).status()).toBe(403);
  await page.goto("/tickets");
  await banner.getByRole("button", { name: "End it" }).click();
  await expect(banner).toHaveCount(0);
  expect(await superuserSql("select count(distinct client_id) from audit_event where action = 'elevation_begun'")).toBe("2");
});

test("the security log fits a phone's width", async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 700 });
  await enter(page, administrator);
  await page.goto("/setup/security");
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow).toBeLessThanOrEqual(0);
  await expectAccessible(page);
  await picture(page, "security-narrow");
});

test.describe("without JavaScript", () => {
  test("the security log is filtered by a button", async ({ browser }) => {
    const context = await browser.newContext({ javaScriptEnabled: false, baseURL: system().address });
    const page = await context.newPage();
    await giveName(page, administrator);
    await page.goto("/setup/security");
    await page.getByLabel("What").selectOption({ label: "Signed in" });
    await page.getByRole("button", { name: "Filter" }).click();
    await expect(page).toHaveURL(/kind=sign_in_succeeded/);
    const labels = await page.locator("tbody th .pill").allInnerTexts();
    expect(labels.length).toBeGreaterThan(0);
    for (const label of labels) expect(label.trim()).toBe("Signed in");
    await context.close();
  });
});
