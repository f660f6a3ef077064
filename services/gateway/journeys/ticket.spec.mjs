import { expect, expectAccessible, signIn, test } from "./fixture.mjs";
import { eventually, mails, system } from "./system.mjs";

const SUPERVISOR = process.env.SUPERVISOR ?? "supervisor.asterion";

test("a supervisor raises a ticket, its mail arrives, and signing out ends the session", async ({ page, context }) => {
  await page.goto("/tickets");
  await expect(page).toHaveURL(/\/login\?next=/);
  await expectAccessible(page);
  await signIn(page, SUPERVISOR);
  await expect(page.getByRole("heading", { level: 1, name: "Tickets" })).toBeVisible();
  await expectAccessible(page);

  // Paging is the server's, the filter stands in the address.
  const firstRow = page.getByRole("table").getByRole("row").nth(1);
  const onFirstPage = await firstRow.innerText();
  await page.getByRole("link", { name: "Next" }).click();
  await expect(page).toHaveURL(/after=/);
  await expect(firstRow).not.toHaveText(onFirstPage);
  await page.getByLabel("State").selectOption("RESOLVED");
  await expect(page).toHaveURL(/state=RESOLVED/);
  for (const state of await page.getByRole("row").locator("td .pill").allInnerTexts()) expect(state.trim()).toBe("Resolved");
  await page.reload();
  await expect(page.getByLabel("State")).toHaveValue("RESOLVED");

  // A new ticket; the assignee by typing two letters of the name.
  await page.getByRole("link", { name: "New ticket" }).click();
  await expectAccessible(page);
  const title = `Water below pump ${Date.now()}`;
  await page.getByLabel("Title").fill(title);
  await page.getByLabel("Site").selectOption({ index: 1 });
  await page.getByRole("radio", { name: "High" }).check();
  const assignee = page.getByRole("combobox", { name: /Assignee/ });
  await assignee.pressSequentially("me");
  await expect(page.locator("yt-combobox [role=option]").first()).toBeVisible();
  await expectAccessible(page);
  await assignee.press("ArrowDown");
  await assignee.press("Enter");
  const chosen = await assignee.inputValue();
  await page.getByLabel("Description").fill("Seen on the morning round <b>by the east door</b>.");
  await page.getByRole("button", { name: "Raise ticket" }).click();

  await expect(page).toHaveURL(/\/tickets\/[0-9a-f-]{36}/);
  await expect(page.getByRole("heading", { level: 1, name: title })).toBeVisible();
  await expect(page.getByText("<b>by the east door</b>")).toBeVisible();
  await expectAccessible(page);
  const correlation = (await page.locator(".is-trace code").innerText()).trim();

  // The mail went through a real SMTP conversation and names the same cause.
  const mail = await eventually("the ticket's mail", async () =>
    (await mails()).find((mail) => header(mail, "x-correlation-id") === correlation),
  );
  expect(mail.subject).toContain(title);
  expect(header(mail, "message-id")).toMatch(/^<[0-9a-f-]{36}@/);
  expect(mail.to.join(" ")).toMatch(/@[a-z.]+\.example\.com/);

  // The history says who did what, also that the mail was sent.
  await eventually("the history to show the mail", async () => {
    await page.reload();
    return (await page.locator(".history").innerText()).toLowerCase().includes("mail");
  });
  await page.getByLabel("Comment", { exact: true }).fill("On my way.");
  await page.getByRole("button", { name: "Add comment" }).click();
  await expect(page.locator(".history")).toContainText("On my way.");
  expect(chosen.length).toBeGreaterThan(2);

  // After signing out the session is nobody's, also when the cookie is kept.
  const cookies = await context.cookies();
  const session = cookies.find((cookie) => cookie.name === "__Host-session");
  expect(session).toMatchObject({ httpOnly: true, secure: true, sameSite: "Lax", path: "/" });
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/login/);
  await eventually("the session to end everywhere", async () => {
    const answer = await fetch(`${system().address}/api/v1/tickets`, { headers: { cookie: `__Host-session=${session.value}` } });
    return answer.status === 401;
  }, 5_000);
  await page.goto("/tickets");
  await expect(page).toHaveURL(/\/login\?next=/);
});

test("every mistake of a form is named at once and nothing typed is lost", async ({ page, expectedStatuses }) => {
  expectedStatuses.add(422);
  await signIn(page, SUPERVISOR);
  await page.goto("/tickets/new");
  await page.getByLabel("Description").fill("What I typed stays.");
  await page.getByRole("button", { name: "Raise ticket" }).click();
  const summary = page.locator("#mistakes");
  await expect(summary).toBeVisible();
  await expect(page.getByLabel("Title")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByLabel("Site")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByLabel("Description")).toHaveValue("What I typed stays.");
  await expectAccessible(page);
});

test("a wrong password is refused in words that tell nothing", async ({ page, expectedStatuses }) => {
  expectedStatuses.add(401);
  await page.goto("/login");
  await page.getByLabel("Login name").fill(`nobody-${Date.now()}`);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await expectAccessible(page);
});

test("a page that is not there is a page", async ({ page, expectedStatuses }) => {
  expectedStatuses.add(404);
  await signIn(page, SUPERVISOR);
  const answer = await page.goto("/tickets/00000000-0000-7000-8000-000000000000");
  expect(answer.status()).toBe(404);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expectAccessible(page);
});

test("a phone's width needs no sideways scrolling", async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 700 });
  await signIn(page, SUPERVISOR);
  for (const path of ["/tickets", "/tickets/new"]) {
    await page.goto(path);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    await expectAccessible(page);
  }
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("the list, its filter and its pages work", async ({ browser }) => {
    const context = await browser.newContext({ javaScriptEnabled: false, baseURL: system().address });
    const page = await context.newPage();
    await signIn(page, SUPERVISOR);
    await page.getByLabel("State").selectOption("OPEN");
    await page.getByRole("button", { name: "Filter" }).click();
    await expect(page).toHaveURL(/state=OPEN/);
    const states = await page.getByRole("row").locator("td .pill").allInnerTexts();
    expect(states.length).toBeGreaterThan(0);
    for (const state of states) expect(state.trim()).toBe("Open");
    await page.goto("/tickets");
    await page.getByRole("link", { name: "Next" }).click();
    await expect(page).toHaveURL(/after=/);

    await page.goto("/tickets/new");
    const title = `Raised without scripts ${Date.now()}`;
    await page.getByLabel("Title").fill(title);
    await page.getByLabel("Site").selectOption({ index: 1 });
    await page.getByRole("radio", { name: "Low" }).check();
    await page.getByRole("button", { name: "Raise ticket" }).click();
    await expect(page.getByRole("heading", { level: 1, name: title })).toBeVisible();
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect(page).toHaveURL(/\/login/);
    await context.close();
  });
});

function header(mail, name) {
  const entries = Array.isArray(mail.headers) ? mail.headers : Object.entries(mail.headers);
  return entries.find(([key]) => key.toLowerCase() === name)?.[1];
}
