"""Procrastinate: asynchronous worker and connector, woken by NOTIFY; finished jobs stay in its table, its default."""

import asyncio
import os
import sys

from procrastinate import App, PsycopgConnector

from protocol import Tally, batches, gate

CONCURRENCY = int(os.environ.get("CONCURRENCY", "20"))
working = sys.argv[1:2] == ["work"]
connections = CONCURRENCY + 2 if working else 1
app = App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"], min_size=1, max_size=connections))
tally = Tally(int(sys.argv[2]) if working else 0)


@app.task(name="nothing")
async def nothing(t, n):
    tally.count(t)


async def main(words):
    async with app.open_async():
        if words[0] == "setup":
            await app.schema_manager.apply_schema_async()
        elif words[0] == "work":
            gate()
            tally.keep_saying()
            await app.run_worker_async(concurrency=CONCURRENCY, listen_notify=True)
            tally.end()
        else:
            for payloads, rest in batches(words):
                if len(payloads) == 1:
                    await nothing.defer_async(**payloads[0])
                else:
                    await nothing.batch_defer_async(*payloads)
                await asyncio.sleep(rest())


asyncio.run(main(sys.argv[1:]))
