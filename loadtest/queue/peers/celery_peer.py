"""Celery with Redis, set for many tiny tasks: no result backend, acknowledged when taken, 128 fetched ahead, one process
that runs tasks itself (pool `solo`; POOL and CONCURRENCY choose others). Celery has no bulk enqueue: one producer sends one
after another."""

import os
import sys
import time

from celery import Celery

from protocol import Tally, batches, gate

app = Celery("bench", broker=os.environ["BROKER_URL"])
app.conf.update(
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    task_acks_late=False,
    worker_prefetch_multiplier=128,
    worker_send_task_events=False,
    task_send_sent_event=False,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
)
tally = Tally(int(sys.argv[2]) if sys.argv[1:2] == ["work"] else 0)


@app.task(name="nothing")
def nothing(t, n):
    tally.count(t)


def main(words):
    if words[0] == "setup":
        app.control.purge()
    elif words[0] == "work":
        gate()
        tally.keep_saying()
        pool = [f"--pool={os.environ.get('POOL', 'solo')}", f"--concurrency={os.environ.get('CONCURRENCY', '1')}"]
        quiet = ["--loglevel=ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        try:
            app.worker_main(["worker", *pool, *quiet, f"--hostname=bench{os.getpid()}@localhost"])
        except SystemExit:
            pass
        tally.end()
    else:
        with app.producer_pool.acquire(block=True) as producer:
            for payloads, rest in batches(words):
                for payload in payloads:
                    nothing.apply_async(kwargs=payload, producer=producer)
                time.sleep(rest())


main(sys.argv[1:])
