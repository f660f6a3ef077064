import { expect, expectAccessible, test } from "./fixture.mjs";
import { codeOf, enter, giveName, linkTo, newcomer, picture, setUpAuthenticator } from "./people.mjs";
import { eventually, mails, system } from "./system.mjs";

test("a forgotten password is set anew by a mailed link that works once", async ({ page, expectedStatuses }) => {
  for (const status of [401, 403, 422]) expectedStatuses.add(status);
  const person = await newcomer("Farah Idris");
  await page.goto("/login");
  await picture(page, "login");
  await page.getByRole("link", { name: "Forgot your password?" }).click();
  await expectAccessible(page);
  await picture(page, "forgot");
  await page.getByLabel("Login name").fill(person.login);
  await page.getByRole("button", { name: "Send the link" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Look into your mailbox" })).toBeVisible();
  await expectAccessible(page);
  await picture(page, "forgot-sent");

  const link = await linkTo(person.email, "/reset/", 1);
  await page.goto(link);
  await expectAccessible(page);
  await picture(page, "reset");
  await page.getByLabel("New password").fill("password1234");
  await page.getByRole("button", { name: "Keep this password" }).click();
  await expect(page.locator("#mistakes")).toBeVisible();
  await expect(page.getByLabel("New password")).toHaveValue("");
  await expectAccessible(page);
  await picture(page, "reset-refused");
  await page.getByLabel("New password").fill(`${person.password} anew`);
  await page.getByRole("button", { name: "Keep this password" }).click();
  await expect(page).toHaveURL(/\/login\?said=password/);
  await expect(page.getByRole("status").filter({ hasText: "new password" })).toBeVisible();
  await picture(page, "login-said");

  // The old password is nothing, the new one is something, the link is used up.
  await giveName(page, person);
  await expect(page.getByRole("alert")).toBeVisible();
  await enter(page, { ...person, password: `${person.password} anew` });
  await page.goto(link);
  await page.getByLabel("New password").fill("eleven quiet harbours");
  await page.getByRole("button", { name: "Keep this password" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "This link does not work" })).toBeVisible();
  await expectAccessible(page);
  await picture(page, "reset-dead");
});

test("a login name nobody has gets the same answer and no mail", async ({ page }) => {
  const before = (await mails()).length;
  await page.goto("/forgot");
  await page.getByLabel("Login name").fill(`nobody-${Date.now()}`);
  await page.getByRole("button", { name: "Send the link" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Look into your mailbox" })).toBeVisible();
  const person = await newcomer("Later Mail");
  await linkTo(person.email, "/reset/");
  const sent = (await mails()).slice(before);
  expect(sent.filter((mail) => !mail.to.join(" ").includes(person.email))).toEqual([]);
});

test("after the password comes the code, once, or a recovery code", async ({ page, context, expectedStatuses }) => {
  for (const status of [401, 403, 422]) expectedStatuses.add(status);
  const person = await newcomer("Tomás Núñez");
  await enter(page, person);
  const { secret, codes } = await setUpAuthenticator(page);
  expect(new Set(codes).size).toBe(10);
  await page.goto("/tickets");
  await page.getByRole("button", { name: "Sign out" }).click();

  await giveName(page, person, "/login?next=%2Ftickets%3Fstate%3DOPEN");
  await expect(page).toHaveURL(/\/login\/factor\?/);
  await expectAccessible(page);
  await picture(page, "factor");
  // The password alone is no session.
  expect((await context.cookies()).filter((cookie) => cookie.name === "__Host-session")).toEqual([]);
  await page.getByRole("textbox", { name: "Code" }).fill("000000");
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await expectAccessible(page);
  await picture(page, "factor-refused");
  const code = codeOf(secret, 1);
  await page.getByRole("textbox", { name: "Code" }).fill(`${code.slice(0, 3)} ${code.slice(3)}`);
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page).toHaveURL(/\/tickets\?state=OPEN/);
  await page.getByRole("button", { name: "Sign out" }).click();

  // Nobody uses the same code a second time; a recovery code opens, and only once.
  await giveName(page, person);
  await page.getByRole("textbox", { name: "Code" }).fill(code);
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await page.getByRole("link", { name: "Use a recovery code" }).click();
  await expectAccessible(page);
  await picture(page, "factor-recovery");
  await page.getByLabel("Recovery code").fill(codes[0]);
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page).toHaveURL(/\/tickets/);
  await page.getByRole("button", { name: "Sign out" }).click();
  await giveName(page, person);
  await page.getByRole("link", { name: "Use a recovery code" }).click();
  await page.getByLabel("Recovery code").fill(codes[0]);
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
});

test("signing in with a code takes nothing but a keyboard", async ({ page }) => {
  const person = await newcomer("Keiko Tanaka");
  await enter(page, person);
  const { secret } = await setUpAuthenticator(page);
  await page.goto("/tickets");
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByLabel("Login name")).toBeFocused();
  await page.keyboard.type(person.login);
  await page.keyboard.press("Tab");
  await page.keyboard.type(person.password);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("textbox", { name: "Code" })).toBeFocused();
  await page.keyboard.type(codeOf(secret, 1));
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/tickets/);
});

test("too many wrong codes are answered with the time to wait", async ({ page, expectedStatuses }) => {
  for (const status of [401, 403, 429]) expectedStatuses.add(status);
  const person = await newcomer("Wei Chen");
  await enter(page, person);
  await setUpAuthenticator(page);
  await page.goto("/tickets");
  await page.getByRole("button", { name: "Sign out" }).click();
  await giveName(page, person);
  const limited = eventually("the limit", async () => {
    await page.getByRole("textbox", { name: "Code" }).fill("111111");
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.request().method() === "POST"),
      page.getByRole("button", { name: "Go on" }).click(),
    ]);
    await page.waitForLoadState();
    return answer.status() === 429 ? answer : null;
  }, 30_000);
  expect(Number(await (await limited).headerValue("retry-after"))).toBeGreaterThan(0);
  await expect(page.getByRole("alert")).toBeVisible();
  await expectAccessible(page);
});

test("pages before sign-in fit a phone's width", async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 700 });
  for (const path of ["/login", "/forgot", "/forgot?sent=yes", "/login/factor?factors=totp,passkey,recovery", "/reset/x", "/verify/x"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(overflow, path).toBeLessThanOrEqual(0);
    await expectAccessible(page);
  }
});

test("error pages say what happened and what to quote", async ({ page, expectedStatuses }) => {
  for (const status of [400, 401, 403, 404, 429, 500, 503]) expectedStatuses.add(status);
  const person = await newcomer("Ines Ferreira");
  await enter(page, person);
  for (const [path, status] of [
    ["/tickets?nonsense=1", 400],
    ["/setup/users", 403],
    ["/operate/tasks", 403],
    ["/nowhere", 404],
    ["/tickets/00000000-0000-7000-8000-000000000000", 404],
  ]) {
    const answer = await page.goto(path);
    expect(answer.status(), path).toBe(status);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    const correlation = await answer.headerValue("x-correlation-id");
    expect(correlation).toMatch(/^[0-9a-f-]{36}$/);
    await expect(page.locator("main")).toContainText(correlation);
    await expectAccessible(page);
    await picture(page, `error-${status}`);
    await page.getByRole("link", { name: "what this means" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  }
});

test.describe("without JavaScript", () => {
  test("a password is reset, an authenticator set up, and its code signs in", async ({ browser }) => {
    const person = await newcomer("Nils Berg");
    const context = await browser.newContext({ javaScriptEnabled: false, baseURL: system().address });
    const page = await context.newPage();
    await page.goto("/forgot");
    await page.getByLabel("Login name").fill(person.login);
    await page.getByRole("button", { name: "Send the link" }).click();
    await page.goto(await linkTo(person.email, "/reset/", 1));
    await page.getByLabel("New password").fill(`${person.password} anew`);
    await page.getByRole("button", { name: "Keep this password" }).click();
    const renewed = { ...person, password: `${person.password} anew` };
    await enter(page, renewed);
    const { secret } = await setUpAuthenticator(page);
    await page.getByRole("link", { name: "I have kept them" }).click();
    await expect(page.getByText("Set up", { exact: true })).toBeVisible();
    await page.getByRole("button", { name: "Sign out" }).click();
    await giveName(page, renewed);
    await expect(page.getByRole("button", { name: /passkey/i })).toHaveCount(0);
    await page.getByRole("textbox", { name: "Code" }).fill(codeOf(secret, 1));
    await page.getByRole("button", { name: "Go on" }).click();
    await expect(page).toHaveURL(/\/tickets/);
    await context.close();
  });
});
