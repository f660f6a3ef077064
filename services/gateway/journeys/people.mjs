// People the journeys make for themselves, so that nobody else's account is changed.

import { createHmac, randomBytes } from "node:crypto";
import { expect } from "./fixture.mjs";
import { eventually, mails, password, superuserSql, system } from "./system.mjs";

export const ADMINISTRATOR = process.env.SUPERVISOR ?? "supervisor.asterion";

const READER = ["WEB", "TICKETS_READ", "TICKETS_WRITE"];

/** Signs in over the API; gives the token of the session. */
export async function tokenOf(login, secret = password) {
  const answer = await fetch(`${system().address}/api/v1/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ login, password: secret }),
  });
  expect(answer.status).toBe(201);
  return /__Host-session=([^;]+)/.exec(answer.headers.get("set-cookie"))[1];
}

/** Calls the API as the owner of a token; gives what it answers, as JSON where it is some. */
export async function call(token, method, path, body) {
  const answer = await fetch(`${system().address}${path}`, {
    method,
    headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  expect(answer.status, `${method} ${path}: ${text}`).toBeLessThan(300);
  return text === "" ? null : JSON.parse(text);
}

/** The link in the latest mail to an address that was sent after so many; none of them is ever opened twice. */
export async function linkTo(address, path, after = 0) {
  const found = await eventually(`a mail to ${address} with a link to ${path}`, async () => {
    const all = (await mails()).filter((mail) => mail.to.join(" ").includes(address));
    const links = all.flatMap((mail) => [...mail.text.matchAll(new RegExp(`https?://[^\\s"<>]+(${path}[A-Za-z0-9_-]+)`, "g"))]);
    const distinct = [...new Set(links.map((match) => match[1]))];
    return distinct.length > after ? distinct : null;
  }, 30_000);
  return found.at(-1);
}

/** Adds a person who can sign in, with a password of their own. */
export async function newcomer(name, capabilities = READER) {
  const mark = randomBytes(4).toString("hex");
  const person = {
    name: `${name} ${mark}`,
    code: `J-${mark}`.toUpperCase(),
    login: `journey.${mark}`,
    email: `journey-${mark}@asterion.example.com`,
    password: `seven lanterns ${randomBytes(4).toString("hex")} river`,
  };
  const token = await tokenOf(ADMINISTRATOR);
  const { id } = await call(token, "POST", "/api/v1/users", {
    code: person.code,
    name: person.name,
    email: person.email,
    login: person.login,
  });
  await call(token, "PUT", `/api/v1/users/${id}/capabilities`, { capabilities });
  await call(token, "PUT", `/api/v1/users/${id}/sites`, { all_sites: true, sites: [] });
  const link = await linkTo(person.email, "/reset/");
  // All these people sit at one address, and one address may use so many links only.
  await superuserSql("delete from sign_in_counter where key ~ '^(reset|link):'");
  await call(null, "POST", "/api/v1/recovery/token", { token: link.split("/").at(-1), password: person.password });
  return { id, ...person };
}

/** Fills the first step of the sign-in and sends it. */
export async function giveName(page, person, next = "/login") {
  await page.goto(next);
  await page.getByLabel("Login name").fill(person.login);
  await page.getByLabel("Password", { exact: true }).fill(person.password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Signs in somebody who has no second factor. */
export async function enter(page, person) {
  await giveName(page, person);
  await expect(page).toHaveURL(/\/tickets/);
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The six digits an authenticator shows; `steps` half minutes from this one. */
export function codeOf(secret, steps = 0) {
  const bits = [...secret.replaceAll(" ", "")].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac("sha1", key).update(counter).digest();
  const start = mac[19] & 15;
  return String((mac.readUInt32BE(start) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** Sets an authenticator up through the pages; gives its secret and the recovery codes. */
export async function setUpAuthenticator(page) {
  await page.goto("/account/totp");
  await page.getByRole("button", { name: "Show the picture" }).click();
  await expect(page.getByRole("img", { name: /QR code/ })).toBeVisible();
  const secret = (await page.locator(".secret code").innerText()).trim();
  await page.getByRole("textbox", { name: "Code" }).fill(codeOf(secret));
  await page.getByRole("button", { name: "Finish" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Your recovery codes" })).toBeVisible();
  return { secret, codes: await page.locator(".codes code").allInnerTexts() };
}

/** Takes a picture of the page in both colour schemes, where somebody asked for pictures. */
export async function picture(page, name) {
  if (!process.env.SHOTS) return;
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: `${process.env.SHOTS}/${name}-${colorScheme}.png`, fullPage: true });
  }
  await page.emulateMedia({ colorScheme: null });
}
