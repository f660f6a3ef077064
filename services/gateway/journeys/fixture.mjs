// Every page of every journey fails on a console error, a policy violation, a foreign request or an axe finding.

import { AxeBuilder } from "@axe-core/playwright";
import { test as base, expect } from "@playwright/test";
import { password, system } from "./system.mjs";

export { expect };

export const test = base.extend({
  baseURL: async ({}, use) => use(system().address),

  /** Where every request of a page goes. */
  origin: async ({}, use) => use(new URL(system().address).origin),

  /** Statuses of answers a journey expects to be errors; Chromium reports them on the console. */
  expectedStatuses: async ({}, use) => use(new Set()),

  page: async ({ page, origin, expectedStatuses }, use) => {
    const findings = [];
    await page.exposeFunction("reportViolation", (text) => findings.push(`policy violation: ${text}`));
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) =>
        window.reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
      );
    });
    page.on("console", (message) => {
      if (message.type() !== "error") return;
      const status = /status of (\d+)/.exec(message.text())?.[1];
      if (status && expectedStatuses.has(Number(status))) return;
      findings.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => findings.push(`script error: ${error}`));
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.protocol.startsWith("http") && url.origin !== origin) findings.push(`foreign request: ${url}`);
    });
    await use(page);
    expect(findings).toEqual([]);
  },
});

/** Signs in through the page, and stands on the first page of one's navigation. */
export async function signIn(page, login) {
  await page.goto("/login");
  await page.getByLabel("Login name").fill(login);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(/\/(tickets|operate\/tasks)/);
}

/** Looks for what keeps people out, in the light and in the dark. */
export async function expectAccessible(page) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page })
      .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
      .analyze();
    const found = violations.map((finding) => `${finding.id} (${colorScheme}): ${finding.nodes.map((node) => node.html).join(" | ")}`);
    expect(found).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: null });
}
