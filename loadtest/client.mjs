// A small HTTP client over kept connections, and what the scripts share about a running system.

import { readFileSync } from "node:fs";
import http from "node:http";

export const password = "Walk-the-site-42";
export const login = process.env.SUPERVISOR ?? "supervisor.asterion";

const read = (home, name) => JSON.parse(readFileSync(`${home}/config/${name}`, "utf8"));
export const system = (home) => read(home, "running.json");
export const secrets = (home) => read(home, "secrets.json");
export const ports = (home) => read(home, "ports.json");

/** One client: at most `sockets` connections at a time. */
export function client(address, sockets = 256) {
  const { hostname, port } = new URL(address);
  const agent = new http.Agent({ keepAlive: true, maxSockets: sockets, scheduling: "lifo" });
  return (method, path, { headers = {}, body, timeoutMs = 10_000 } = {}) =>
    new Promise((resolve, reject) => {
      const request = http.request({ agent, hostname, port, method, path, headers, timeout: timeoutMs }, (answer) => {
        const chunks = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("end", () =>
          resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(chunks).toString("utf8") }),
        );
        answer.on("error", reject);
      });
      request.on("timeout", () => request.destroy(new Error(`no answer in ${timeoutMs} ms`)));
      request.on("error", reject);
      request.end(body);
    });
}

/** Signs in over the API and gives the cookie. */
export async function signIn(ask, name = login, secret = password) {
  const answer = await ask("POST", "/api/v1/session", {
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ login: name, password: secret }),
  });
  if (answer.status !== 201) throw new Error(`sign-in of ${name} answered ${answer.status}: ${answer.text}`);
  return answer.headers["set-cookie"][0].split(";")[0];
}

/** The value below which a share of the sorted values lies. */
export function quantile(sorted, share) {
  return sorted.length === 0 ? NaN : sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** Asks again until something is there. */
export async function eventually(what, ask, limitMs = 30_000) {
  const end = Date.now() + limitMs;
  let last;
  while (Date.now() < end) {
    last = await ask().catch((error) => void (last = error));
    if (last) return last;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`waited ${limitMs} ms for ${what}`);
}
