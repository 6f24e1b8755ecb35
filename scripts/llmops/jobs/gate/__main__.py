"""Judges canaries for Argo Rollouts: `python -m llmops.jobs.gate --prometheus URL --folder DIR`.

POST /v1/verdict asks about a gate step, POST /v1/results takes what a smoke or quality job found, and
GET /v1/evidence/NAMESPACE/RELEASE tells what was measured and why it was decided so.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from llmops.jobs.gate.series import Source
from llmops.jobs.gate.server import Server
from llmops.jobs.gate.service import Gate
from llmops.jobs.gate.state import Memory


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m llmops.jobs.gate", description=__doc__)
    made.add_argument(
        "--prometheus",
        default=environment.get("PROMETHEUS_URL", ""),
        help="URL of Prometheus (PROMETHEUS_URL); a bearer token is read from PROMETHEUS_TOKEN",
    )
    made.add_argument("--host", default="", help="address to listen on; all if not given")
    made.add_argument("--port", type=int, default=8080, help="port (%(default)s); 0 takes a free one")
    made.add_argument("--folder", type=Path, help="where rollouts and their looks are kept over restarts")
    made.add_argument(
        "--timeout", type=float, default=5, help="seconds for one answer of Prometheus (%(default)s)"
    )
    return made


def _stop(*_: object) -> NoReturn:
    raise SystemExit(0)


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = parser(os.environ).parse_args(arguments)
    if not parsed.prometheus.startswith(("http://", "https://")):
        sys.stderr.write("--prometheus is missing: write a URL such as http://prometheus.monitoring:9090\n")
        return 2
    source = Source(parsed.prometheus, os.environ.get("PROMETHEUS_TOKEN", ""), parsed.timeout)
    try:
        server = Server((parsed.host, parsed.port), Gate(source, Memory(parsed.folder)))
    except OSError as error:
        sys.stderr.write(f"port {parsed.port} cannot be listened on: {error.strerror}\n")
        return 2
    # As process 1 of a container it would not get a signal that it does not handle.
    signal.signal(signal.SIGTERM, _stop)
    sys.stderr.write(f"listening on port {server.server_address[1]}\n")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
