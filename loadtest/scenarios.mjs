// What one visitor does. Each scenario is a list of requests; every answer has the status it must have.

import { password } from "./client.mjs";

// Everybody who may sign in: five attempts at once are all that one login name has.
const logins = ["supervisor", "helpdesk", "guard"].flatMap((who) => [`${who}.asterion`, `${who}.brannoc`]);

const json = { "content-type": "application/json" };

export const scenarios = [
  {
    name: "health",
    weight: 40,
    run: async (step) => {
      await step("GET /health/", "GET", "/health/", {}, 200);
    },
  },
  {
    name: "sign-in",
    weight: 10,
    run: async (step) => {
      await step("GET /login", "GET", "/login", { headers: { accept: "text/html" } }, 200);
      const login = logins[Math.floor(Math.random() * logins.length)];
      const body = JSON.stringify({ login, password });
      const answer = await step("POST /api/v1/session", "POST", "/api/v1/session", { headers: json, body }, 201);
      const cookie = answer?.headers["set-cookie"]?.[0].split(";")[0];
      if (cookie) await step("GET /api/v1/session", "GET", "/api/v1/session", { headers: { cookie } }, 200);
    },
  },
  {
    name: "ticket list",
    weight: 50,
    run: async (step, { cookie }) => {
      await step("GET /tickets", "GET", "/tickets", { headers: { cookie, accept: "text/html" } }, 200);
    },
  },
];

/** Draws a scenario by weight. */
export function draw() {
  let left = Math.random() * scenarios.reduce((sum, scenario) => sum + scenario.weight, 0);
  for (const scenario of scenarios) {
    left -= scenario.weight;
    if (left < 0) return scenario;
  }
  return scenarios[0];
}
