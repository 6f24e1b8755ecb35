"""Runs a load: starts each request when it is due, waits for the last answer, writes the account."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .arrivals import Load, check, schedule, target
from .client import Client
from .record import Record
from .summary import Summary, summarise

LOOK_SECONDS = 0.1  # how often a long pause looks at `stop`


async def wait_until(due: float, stop: threading.Event | None) -> bool:
    """Sleeps until the event loop's time `due`; False if the load was stopped meanwhile."""
    loop = asyncio.get_running_loop()
    while stop is None or not stop.is_set():
        left = due - loop.time()
        if left <= 0:
            return True
        await asyncio.sleep(left if stop is None else min(left, LOOK_SECONDS))
    return False


async def drive(
    load: Load, stop: threading.Event | None = None, done: Callable[[Record], None] = lambda _: None
) -> Summary:
    """The load, from inside an event loop. Setting `stop` ends the arrivals; requests in flight still finish.

    `done` is told of each request when its account is complete.
    """
    check(load)
    client = Client(load, target(load))
    # Built before the start, so that no request waits for the building of another one.
    messages = [client.message(index) for index in range(len(load.prompts))]
    loop = asyncio.get_running_loop()
    records: list[Record] = []
    tasks: set[asyncio.Task[None]] = set()
    begin, began = loop.time(), time.time()
    try:
        for index, due in enumerate(schedule(load)):
            if not await wait_until(begin + due, stop):
                break
            record = Record(index, due, loop.time() - begin)
            records.append(record)
            task = asyncio.create_task(client.send(record, messages[index % len(messages)]))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(lambda _, record=record: done(record))  # type: ignore[misc]
        # Every request has its own time-out, so this ends.
        while tasks:
            await asyncio.wait(tasks)
    finally:
        for task in tasks:
            task.cancel()
        client.close()
    return summarise(records, loop.time() - begin, began)


def write(summary: Summary, out: Path) -> Path:
    """Records as JSON lines into `out`, the account beside it; returns the path of the account."""
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(record.plain(), ensure_ascii=False) + "\n" for record in summary.records)
    out.write_text("".join(lines), encoding="utf-8")
    account = out.with_suffix(".summary.json")
    account.write_text(json.dumps(summary.plain(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return account


def run(
    load: Load,
    stop: threading.Event | None = None,
    out: Path | None = None,
    done: Callable[[Record], None] = lambda _: None,
) -> Summary:
    """The load as a plain call, for a thread of its own too. LoadError if it must not run."""
    summary = asyncio.run(drive(load, stop, done))
    if out:
        write(summary, out)
    return summary
