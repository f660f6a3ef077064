import { expect, expectAccessible, test } from "./fixture.mjs";
import { ADMINISTRATOR, call, enter, giveName, linkTo, newcomer, picture, setUpAuthenticator, tokenOf } from "./people.mjs";
import { eventually, password, system } from "./system.mjs";

const administrator = { login: ADMINISTRATOR, password };

test("an administrator adds a person, who is invited, chooses a password and works", async ({ page, browser, expectedStatuses }) => {
  for (const status of [409, 422]) expectedStatuses.add(status);
  const mark = Date.now().toString(36);
  await enter(page, administrator);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Users" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Users" })).toBeVisible();
  await expectAccessible(page);
  await picture(page, "users");
  await page.getByRole("link", { name: "New user" }).click();
  await expectAccessible(page);
  await picture(page, "user-new");
  await page.getByRole("button", { name: "Add user" }).click();
  await expect(page.locator("#mistakes")).toBeVisible();
  await expect(page.getByLabel("Name", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await expectAccessible(page);
  await picture(page, "user-new-refused");
  const person = { login: `new.${mark}`, password: "four copper bells and rain" };
  const email = `new-${mark}@asterion.example.com`;
  await page.getByLabel("Name", { exact: true }).fill(`Ada O’Brien ${mark}`);
  await page.getByRole("textbox", { name: "Code" }).fill(`N-${mark}`.toUpperCase());
  await page.getByLabel(/^E-mail/).fill(email);
  await page.getByLabel(/^Login name/).fill(person.login);
  await page.getByRole("button", { name: "Add user" }).click();
  await expect(page).toHaveURL(/\/setup\/users\/[0-9a-f-]{36}\?said=added/);
  await expect(page.getByRole("heading", { level: 1, name: `Ada O’Brien ${mark}` })).toBeVisible();
  await expectAccessible(page);
  await picture(page, "user");

  const capabilities = page.getByRole("form", { name: "Capabilities" });
  await capabilities.getByRole("checkbox", { name: /^Web/ }).check();
  await capabilities.getByRole("checkbox", { name: /^See tickets/ }).check();
  await capabilities.getByRole("button", { name: "Keep capabilities" }).click();
  await expect(page.locator("#said")).toContainText("capabilities are kept");
  await expect(capabilities.getByRole("checkbox", { name: /^See tickets/ })).toBeChecked();
  await expect(capabilities.getByRole("checkbox", { name: /^Administer/ })).not.toBeChecked();
  // What reaches every client is nobody's to give.
  await expect(capabilities.getByRole("checkbox", { name: /^(Operate|Support)/ })).toHaveCount(0);
  const sites = page.getByRole("form", { name: "Sites" });
  await sites.getByRole("radio", { name: "Every site" }).check();
  await sites.getByRole("button", { name: "Keep sites" }).click();
  await expect(page.locator("#said")).toContainText("sites are kept");

  const other = await browser.newContext({ baseURL: system().address });
  const theirs = await other.newPage();
  await theirs.goto(await linkTo(email, "/reset/"));
  await theirs.getByLabel("New password").fill(person.password);
  await theirs.getByRole("button", { name: "Keep this password" }).click();
  await enter(theirs, person);
  await expect(theirs.getByRole("link", { name: "New ticket" })).toHaveCount(0);

  // A right that is taken away is gone within moments, whatever the gateway remembers.
  await capabilities.getByRole("checkbox", { name: /^See tickets/ }).uncheck();
  await capabilities.getByRole("button", { name: "Keep capabilities" }).click();
  await expect(page.locator("#said")).toContainText("capabilities are kept");
  await eventually("the right to be gone", async () => (await theirs.request.get("/api/v1/tickets")).status() === 403, 5_000);

  await page.reload();
  await page.getByRole("button", { name: "Block" }).click();
  await expect(page.locator(".tags")).toContainText("Blocked");
  await eventually("the session to be over", async () => (await theirs.request.get("/api/v1/session")).status() === 401, 5_000);
  await picture(page, "user-blocked");
  await page.getByRole("button", { name: "Let in again" }).click();
  await expect(page.locator(".tags")).toContainText("Signs in");
  await other.close();
});

test("people are found by a part of their name", async ({ page }) => {
  const person = await newcomer("Xanthippe Quill");
  await enter(page, administrator);
  await page.goto("/setup/users");
  await page.getByLabel("Name, code or login name").fill("xanthippe q");
  await page.getByRole("button", { name: "Search" }).click();
  await expect(page).toHaveURL(/q=xanthippe/);
  await expect(page.getByRole("link", { name: person.name })).toBeVisible();
  await page.getByLabel("Name, code or login name").fill("nobody is called that");
  await page.getByRole("button", { name: "Search" }).click();
  await expect(page.getByRole("heading", { name: "Nobody is called that" })).toBeVisible();
  await expectAccessible(page);
  await picture(page, "users-empty");
});

test("a lost telephone is helped by an administrator", async ({ page, browser }) => {
  const person = await newcomer("Lena Vogel");
  const other = await browser.newContext({ baseURL: system().address });
  const theirs = await other.newPage();
  await enter(theirs, person);
  await setUpAuthenticator(theirs);
  await enter(page, administrator);
  await page.goto(`/setup/users/${person.id}`);
  await expect(page.locator(".tags")).toContainText("Second step set up");
  await expectAccessible(page);
  await picture(page, "user-factor");
  await page.getByRole("button", { name: /^Take away/ }).click();
  await expect(page.locator("#said")).toContainText("taken away");
  await page.getByRole("button", { name: /^Forget the counted tries/ }).click();
  await expect(page.locator("#said")).toContainText("forgotten");
  await other.clearCookies();
  await enter(theirs, person);
  await other.close();
});

test("what a group gives, its people have", async ({ page }) => {
  const person = await newcomer("Milan Horvat", ["WEB"]);
  await enter(page, administrator);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Groups" }).click();
  await expectAccessible(page);
  await picture(page, "groups");
  await page.getByRole("link", { name: "Helpdesk" }).click();
  await expectAccessible(page);
  await picture(page, "group");
  await page.getByRole("checkbox", { name: /^Reports/ }).check();
  await page.getByRole("button", { name: "Keep capabilities" }).click();
  await expect(page.locator("#said")).toContainText("capabilities are kept");
  await page.goto(`/setup/users/${person.id}`);
  const groups = page.getByRole("form", { name: "Groups" });
  await groups.getByRole("checkbox", { name: "Helpdesk" }).check();
  await groups.getByRole("button", { name: "Keep groups" }).click();
  await expect(page.locator("#said")).toContainText("groups are kept");
  await expect(page.getByRole("checkbox", { name: /^Reports.*From a group/ })).not.toBeChecked();
  const found = await call(await tokenOf(ADMINISTRATOR), "GET", `/api/v1/users/${person.id}`);
  expect(found.effective_capabilities).toContain("REPORT");
  await page.goto("/setup/groups");
  await page.getByRole("link", { name: "Helpdesk" }).click();
  await page.getByRole("checkbox", { name: /^Reports/ }).uncheck();
  await page.getByRole("button", { name: "Keep capabilities" }).click();
});

test("who administers nothing finds neither users nor the security log", async ({ page, expectedStatuses }) => {
  for (const status of [403, 404]) expectedStatuses.add(status);
  const person = await newcomer("Oleg Marin");
  await enter(page, person);
  await expect(page.getByRole("navigation", { name: "Main" }).getByRole("link")).toHaveCount(1);
  for (const path of ["/setup/users", "/setup/users/new", `/setup/users/${person.id}`, "/setup/groups", "/setup/security", "/operate/security", "/support"]) {
    expect((await page.goto(path)).status(), path).toBe(403);
  }
});

test("every page of users fits a phone's width", async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 700 });
  await enter(page, administrator);
  const person = await newcomer("Bo Li");
  for (const path of ["/setup/users", "/setup/users/new", `/setup/users/${person.id}`, "/setup/groups"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(overflow, path).toBeLessThanOrEqual(0);
    await expectAccessible(page);
  }
});

test.describe("without JavaScript", () => {
  test("a person is added, given rights, blocked", async ({ browser }) => {
    const context = await browser.newContext({ javaScriptEnabled: false, baseURL: system().address });
    const page = await context.newPage();
    await giveName(page, administrator);
    const mark = Date.now().toString(36);
    await page.goto("/setup/users/new");
    await page.getByLabel("Name", { exact: true }).fill(`Plain ${mark}`);
    await page.getByRole("textbox", { name: "Code" }).fill(`P-${mark}`.toUpperCase());
    await page.getByRole("button", { name: "Add user" }).click();
    await expect(page.getByRole("heading", { level: 1, name: `Plain ${mark}` })).toBeVisible();
    await page.getByRole("checkbox", { name: /^Mobile/ }).check();
    await page.getByRole("button", { name: "Keep capabilities" }).click();
    await expect(page.getByRole("checkbox", { name: /^Mobile/ })).toBeChecked();
    await page.getByRole("button", { name: "Block" }).click();
    await expect(page.locator(".tags")).toContainText("Blocked");
    await page.goto(`/setup/users?q=${mark}`);
    await expect(page.getByRole("link", { name: `Plain ${mark}` })).toBeVisible();
    await context.close();
  });
});
