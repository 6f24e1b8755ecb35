"""`python -m lab.load --url http://127.0.0.1:8000 --model X --rate 20 --seconds 30 --out load.jsonl`

Writes one JSON line per request to FILE, the summary to FILE with the suffix .summary.json and to standard output.
SIGINT and SIGTERM end the arrivals; what is in flight still finishes. Exit status 0, or 2 for a load that must not run;
losses are the reader's to judge. A key for the server comes from the environment variable API_KEY.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from .arrivals import PROMPTS, Load, LoadError
from .record import Record
from .run import run


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m lab.load", description=(__doc__ or "").split("\n\n")[1])
    options.add_argument(
        "--url", required=True, help="http://ADDRESS:PORT[/PREFIX]; loopback or 198.18.0.0/15"
    )
    options.add_argument("--model", required=True)
    options.add_argument("--rate", type=float, required=True, help="requests a second")
    options.add_argument("--seconds", type=float, required=True, help="length of the arrivals")
    options.add_argument("--out", type=Path, required=True, help="JSON lines, one request each")
    options.add_argument("--host", default="", help="Host header, for a gateway")
    options.add_argument("--header", default="", help="one more header, 'Name: value'")
    options.add_argument("--poisson", action="store_true", help="random arrivals instead of even ones")
    options.add_argument("--burst", type=int, default=1, help="even arrivals come so many at a time")
    options.add_argument("--seed", type=int, default=0, help="of random arrivals")
    options.add_argument("--keep-alive", action="store_true", help="use connections again")
    options.add_argument("--completions", action="store_true", help="/v1/completions instead of chat")
    options.add_argument("--no-stream", action="store_true", help="whole answers")
    options.add_argument(
        "--prompt", action="append", help="may be repeated; default: a mix of English and Chinese"
    )
    options.add_argument("--max-tokens", type=int, default=32)
    options.add_argument("--ignore-eos", action="store_true", help="exactly max-tokens tokens")
    options.add_argument(
        "--follow", action="store_true", help="print each request as a JSON line when it ends"
    )
    options.add_argument("--timeout", type=float, default=60.0, help="seconds for one request")
    return options


def follow(record: Record) -> None:
    sys.stdout.write(json.dumps(record.plain(), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    given = parser().parse_args(arguments)
    load = Load(
        url=given.url,
        model=given.model,
        rate=given.rate,
        seconds=given.seconds,
        poisson=given.poisson,
        host=given.host,
        chat=not given.completions,
        stream=not given.no_stream,
        max_tokens=given.max_tokens,
        ignore_eos=given.ignore_eos,
        prompts=tuple(given.prompt or PROMPTS),
        keep_alive=given.keep_alive,
        timeout=given.timeout,
        api_key=os.environ.get("API_KEY", ""),
        seed=given.seed,
        header=given.header,
        burst=given.burst,
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        summary = run(load, stop, given.out, follow if given.follow else lambda _: None)
    except LoadError as error:
        sys.stderr.write(f"load: {error}\n")
        return 2
    sys.stdout.write(json.dumps(summary.plain(), ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
