import { expect, expectAccessible, test } from "./fixture.mjs";
import { codeOf, enter, giveName, linkTo, newcomer, picture, setUpAuthenticator } from "./people.mjs";
import { eventually, superuserSql, system } from "./system.mjs";

/** Makes the last proof of who sits there so old that pages ask for a new one. */
async function grow(person) {
  await superuserSql(`update session set authenticated_at = now() - interval '1 hour' where person_id = '${person.id}'`);
}

test("the password is changed by who knows the old one, and everybody else is out", async ({ page, browser, expectedStatuses }) => {
  for (const status of [401, 403, 422]) expectedStatuses.add(status);
  const person = await newcomer("Amara Okafor");
  const other = await browser.newContext({ baseURL: system().address });
  const elsewhere = await other.newPage();
  await enter(elsewhere, person);
  await enter(page, person);
  await page.getByRole("link", { name: new RegExp(`Your account, ${person.name}`) }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Your account" })).toBeVisible();
  await expectAccessible(page);
  await picture(page, "account");
  await page.getByRole("link", { name: "Change password" }).click();
  await expectAccessible(page);
  await picture(page, "account-password");
  await page.getByLabel("Current password").fill("not the password");
  await page.getByLabel("New password").fill("nine patient herons wade");
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.getByLabel("Current password")).toHaveAttribute("aria-invalid", "true");
  await expectAccessible(page);
  await picture(page, "account-password-refused");
  await page.getByLabel("Current password").fill(person.password);
  await page.getByLabel("New password").fill("short");
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.getByLabel("New password")).toHaveAttribute("aria-invalid", "true");
  await page.getByLabel("Current password").fill(person.password);
  await page.getByLabel("New password").fill("nine patient herons wade");
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.locator("#said")).toContainText("password is changed");
  await picture(page, "account-said");
  await eventually("the other session to be over", async () => {
    await elsewhere.goto("/tickets");
    return elsewhere.url().includes("/login");
  });
  await enter(elsewhere, { ...person, password: "nine patient herons wade" });
  await other.close();
});

test("where one is signed in is listed, and ended from afar", async ({ page, browser }) => {
  const person = await newcomer("Luca Moretti");
  const other = await browser.newContext({ baseURL: system().address });
  const elsewhere = await other.newPage();
  await enter(elsewhere, person);
  await enter(page, person);
  await page.goto("/account");
  const table = page.getByRole("table", { name: "Where you are signed in" });
  await expect(table.getByText("This one")).toHaveCount(1);
  await table.getByRole("button", { name: /^End/ }).first().click();
  await expect(page).toHaveURL(/\/account\?said=session|\/step-up/);
  await eventually("the other session to be over", async () => {
    await elsewhere.goto("/tickets");
    return elsewhere.url().includes("/login");
  });
  await page.goto("/tickets");
  await expect(page).toHaveURL(/\/tickets/);
  await enter(elsewhere, person);
  await page.goto("/account");
  await page.getByRole("button", { name: "End all others" }).click();
  await eventually("every other session to be over", async () => {
    await elsewhere.goto("/tickets");
    return elsewhere.url().includes("/login");
  });
  await other.close();
});

test("a browser is known on request, listed, and forgotten", async ({ page, context }) => {
  const person = await newcomer("Jonas Weber");
  await page.goto("/login");
  await page.getByLabel("Login name").fill(person.login);
  await page.getByLabel("Password", { exact: true }).fill(person.password);
  await page.getByLabel("Know this browser the next time").check();
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(/\/tickets/);
  const device = (await context.cookies()).find((cookie) => cookie.name === "__Host-device");
  expect(device).toMatchObject({ httpOnly: true, secure: true, path: "/" });
  await page.goto("/account");
  const known = page.getByRole("region", { name: "Devices we know" });
  await expect(known).toContainText("Chrome on Linux");
  await known.getByRole("button", { name: /^Forget/ }).click();
  await expect(page.locator("#said")).toContainText("forgotten");
  await expect(known.getByRole("button", { name: /^Forget/ })).toHaveCount(0);
});

test("an authenticator is set up by picture or text, gives recovery codes, and is removed again", async ({ page, expectedStatuses }) => {
  for (const status of [401, 403, 422]) expectedStatuses.add(status);
  const person = await newcomer("Priya Nair");
  await enter(page, person);
  await page.goto("/account/totp");
  await expectAccessible(page);
  await picture(page, "totp-begin");
  await page.getByRole("button", { name: "Show the picture" }).click();
  await expectAccessible(page);
  await picture(page, "totp");
  const secret = (await page.locator(".secret code").innerText()).trim();
  await page.getByRole("textbox", { name: "Code" }).fill("000000");
  await page.getByRole("button", { name: "Finish" }).click();
  await expect(page.locator("#refusal")).toBeVisible();
  // A wrong code costs nothing: the same secret stands there.
  expect((await page.locator(".secret code").innerText()).trim()).toBe(secret);
  await expectAccessible(page);
  await page.getByRole("textbox", { name: "Code" }).fill(codeOf(secret));
  await page.getByRole("button", { name: "Finish" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Your recovery codes" })).toBeVisible();
  await expectAccessible(page);
  await picture(page, "recovery-codes");
  const first = await page.locator(".codes code").allInnerTexts();
  await page.getByRole("link", { name: "I have kept them" }).click();
  await expect(page.getByRole("heading", { name: "Recovery codes" }).locator("..")).toContainText("10 left");
  await picture(page, "account-factors");

  await page.getByRole("link", { name: /Make new ones/ }).click();
  await expectAccessible(page);
  await picture(page, "recovery-codes-ask");
  await page.getByRole("button", { name: "Make new codes" }).click();
  const second = await page.locator(".codes code").allInnerTexts();
  expect(second.filter((code) => first.includes(code))).toEqual([]);

  // After an hour the page asks who sits there; the password is not enough for who has an authenticator.
  await grow(person);
  await page.getByRole("button", { name: "Sign out" }).click();
  await giveName(page, person);
  await page.getByRole("textbox", { name: "Code" }).fill(codeOf(secret, 1));
  await page.getByRole("button", { name: "Go on" }).click();
  await page.goto("/account/totp/removal");
  await expectAccessible(page);
  await picture(page, "totp-remove");
  await page.getByRole("button", { name: "Remove the app" }).click();
  await expect(page.locator("#said")).toContainText("removed");
});

test("what can lock people out asks again who sits there", async ({ page, expectedStatuses }) => {
  for (const status of [401, 403, 422]) expectedStatuses.add(status);
  const person = await newcomer("Sofia Lindqvist");
  await enter(page, person);
  await grow(person);
  // The identity the gateway keeps says otherwise for a moment.
  await eventually("the page to ask", async () => {
    await page.goto("/account/totp");
    return page.url().includes("/step-up");
  }, 40_000);
  await expectAccessible(page);
  await picture(page, "step-up");
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.locator("#refusal")).toBeVisible();
  await expectAccessible(page);
  await picture(page, "step-up-refused");
  await page.getByLabel("Password").fill(person.password);
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page).toHaveURL(/\/account\/totp$/);
});

test("a mailed link proves the address", async ({ page }) => {
  const person = await newcomer("Owen Hughes");
  await enter(page, person);
  await superuserSql(`update person set email_verified_at = null where id = '${person.id}'`);
  await page.goto("/account");
  await page.getByRole("button", { name: "Confirm the e-mail address" }).click();
  await expect(page.locator("#said")).toContainText("on its way");
  await page.goto(await linkTo(person.email, "/verify/"));
  await expectAccessible(page);
  await picture(page, "verify");
  await page.getByRole("button", { name: "Confirm the address" }).click();
  await expect(page).toHaveURL(/\/account\?said=verified/);
  await expect(page.getByText("Confirmed", { exact: true })).toBeVisible();
});

/** Browsers know no passkeys at an address of digits. */
const byName = () => system().address.replace("127.0.0.1", "localhost");

test.describe("at a name", () => {
  test.use({ baseURL: async ({}, use) => use(byName()), origin: async ({}, use) => use(byName()) });

  test("a passkey is added, signs in as the second step, and is removed", async ({ page, expectedStatuses }) => {
    for (const status of [401, 403]) expectedStatuses.add(status);
    const person = await newcomer("Yuki Sato");
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("WebAuthn.enable");
    await devtools.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    await enter(page, person);
    await page.goto("/account/passkeys/new");
    await expectAccessible(page);
    await picture(page, "passkey-new");
    await page.getByLabel("What you call it").fill("Blue key");
    await page.getByRole("button", { name: "Add the passkey" }).click();
    await expect(page.locator("#said")).toContainText("passkey is added");
    await expect(page.getByRole("heading", { name: "Passkey “Blue key”" })).toBeVisible();
    await picture(page, "account-passkey");
    await page.getByRole("button", { name: "Sign out" }).click();

    await giveName(page, person);
    await expect(page).toHaveURL(/\/login\/factor/);
    await expectAccessible(page);
    await picture(page, "factor-passkey");
    await page.getByRole("button", { name: "Use a passkey" }).click();
    await expect(page).toHaveURL(/\/tickets/);
    await page.goto("/account");
    await page.getByRole("link", { name: "Remove passkey Blue key" }).click();
    await expectAccessible(page);
    await picture(page, "passkey-remove");
    await page.getByRole("button", { name: "Remove the passkey" }).click();
    await expect(page.locator("#said")).toContainText("passkey is removed");
  });
});

test("every page of one's account fits a phone's width", async ({ page }) => {
  const person = await newcomer("Bea Small");
  await page.setViewportSize({ width: 320, height: 700 });
  await enter(page, person);
  const { secret } = await setUpAuthenticator(page);
  expect(secret.length).toBeGreaterThan(16);
  for (const path of ["/account", "/account/password", "/account/recovery-codes", "/account/totp/removal", "/account/passkeys/new", "/step-up"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(overflow, path).toBeLessThanOrEqual(0);
    await expectAccessible(page);
  }
  await picture(page, "account-narrow");
});
