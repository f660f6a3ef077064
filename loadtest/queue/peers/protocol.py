"""What every peer written in Python says to the harness and hears from it; README.md lists the lines."""

import json
import sys
import threading
import time


def clock():
    """Milliseconds since 1970, with a fraction: the clock that all processes of a run share."""
    return time.time_ns() / 1_000_000


def say(**line):
    """Prints one line for the harness."""
    sys.__stdout__.write(json.dumps(line) + "\n")
    sys.__stdout__.flush()


def gate():
    """Says that everything is prepared, and waits for the word to begin."""
    say(event="ready")
    sys.stdin.readline()


class Tally:
    """Counts handled tasks and remembers how long the timed ones waited."""

    def __init__(self, mark):
        self.mark = mark
        self.handled = 0
        self.last = 0.0
        self.latencies = []

    def count(self, t):
        now = clock()
        if t > 0:
            self.latencies.append(now - t)
        self.handled += 1
        self.last = now
        if self.handled == 1:
            say(event="first", at=now)
        if self.handled == self.mark:
            say(event="mark", at=now)

    def keep_saying(self):
        """Prints the count whenever it has changed, from a thread of its own."""

        def loop():
            said = 0
            while True:
                time.sleep(0.02)
                handled = self.handled
                if handled != said:
                    say(event="count", n=handled, last=self.last)
                    said = handled

        threading.Thread(target=loop, daemon=True).start()

    def end(self):
        say(event="end", handled=self.handled, latencies=self.latencies)


def plan(words):
    """Reads `single COUNT`, `bulk COUNT BATCH` or `produce COUNT INTERVAL_MS PER_TICK`: count, batch, seconds, timed."""
    command, numbers = words[0], [int(word) for word in words[1:]]
    if command == "single":
        return numbers[0], 1, 0.0, False
    if command == "bulk":
        return numbers[0], numbers[1], 0.0, False
    if command == "produce":
        return numbers[0], numbers[2], numbers[1] / 1000, True
    raise SystemExit("use: setup | single COUNT | bulk COUNT BATCH | produce COUNT INTERVAL_MS PER_TICK | work MARK")


def batches(words):
    """Yields what to enqueue and how long to wait afterwards; says at the end how long everything took."""
    count, batch, interval, timed = plan(words)
    gate()
    begin = due = clock()
    for start in range(0, count, batch):
        t = clock() if timed else 0.0
        due += interval * 1000
        yield [{"t": t, "n": n} for n in range(start, min(start + batch, count))], lambda: max(0.0, (due - clock()) / 1000)
    say(event="done", count=count, seconds=(clock() - begin) / 1000)
