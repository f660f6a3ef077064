// Starts a system of its own for the journeys, and stops it afterwards.

import { spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { bin, eventually, home, system } from "./system.mjs";

export default async function start() {
  if (process.env.YOUTILITY_HOME) return undefined;
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const log = openSync(`${home}/up.log`, "a");
  const up = spawn(`${bin}/youtility`, ["up", "--home", home], { stdio: ["ignore", log, log] });
  let ended = null;
  up.on("exit", (code) => (ended = code ?? -1));

  const words = () => readFileSync(`${home}/up.log`, "utf8");
  await eventually(
    "`youtility up` to say that it runs",
    () => {
      if (ended !== null) throw new Error(`youtility up ended with ${ended}:\n${words()}`);
      return words().includes("Youtility runs at");
    },
    180_000,
  );
  console.log(`journeys run against ${system().address}`);

  return async () => {
    up.kill("SIGTERM");
    await eventually("`youtility up` to stop", () => ended !== null, 60_000);
    if (ended !== 0) throw new Error(`youtility up ended with ${ended}:\n${words()}`);
  };
}
