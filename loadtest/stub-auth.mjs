// Stands in for auth in gateway-beside-nginx.sh: says who a token is, beats, and grants every limit. Usage: stub-auth.mjs PORT
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const [session, person, client] = [randomUUID(), randomUUID(), randomUUID()];

function identity() {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: "youtility-auth", aud: "youtility-services", iat: now, exp: now + 60, sub: person, client_id: client,
    client_name: "Benchmark", person_name: "Somebody", session_id: session, capabilities: ["WEB", "TICKETS_READ"],
  };
  return {
    identity: `${encode({ alg: "EdDSA", typ: "JWT" })}.${encode(claims)}.${"A".repeat(86)}`,
    session_id: session, expires_at: now + 60, client_id: client, person_id: person,
  };
}

function grant({ items }) {
  return { items: items.map(({ wanted, burst }) => ({ granted: wanted, remaining: burst, retry_after_ms: 0 })) };
}

async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString() || "{}");
}

const server = createServer(async (request, response) => {
  if (request.url.startsWith("/internal/revocations")) {
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    response.write("{}\n");
    const beat = setInterval(() => response.write("{}\n"), 500);
    response.on("close", () => clearInterval(beat));
    return;
  }
  const body = await read(request);
  const answer = request.url === "/internal/identity" ? identity() : request.url === "/internal/rates" ? grant(body) : null;
  response.writeHead(answer ? 200 : 204, { "content-type": "application/json" });
  response.end(answer ? JSON.stringify(answer) : undefined);
});
server.keepAliveTimeout = 120_000;
server.listen(Number(process.argv[2]), "127.0.0.1");
