"""Judges canaries for Argo Rollouts: `python -m llmops.services.gate --prometheus URL --folder DIR`.

POST /v1/verdict asks about a gate step, POST /v1/results takes what a smoke or quality job found, and
GET /v1/evidence/NAMESPACE/RELEASE tells what was measured and why it was decided so.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from llmops.services.gate.series import Source
from llmops.services.gate.server import routes
from llmops.services.gate.service import Gate
from llmops.services.gate.state import Memory
from llmops.services.http import serve


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m llmops.services.gate", description=__doc__)
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


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = parser(os.environ).parse_args(arguments)
    if not parsed.prometheus.startswith(("http://", "https://")):
        sys.stderr.write("--prometheus is missing: write a URL such as http://prometheus.monitoring:9090\n")
        return 2
    source = Source(parsed.prometheus, os.environ.get("PROMETHEUS_TOKEN", ""), parsed.timeout)
    return serve(routes(Gate(source, Memory(parsed.folder))), parsed.host, parsed.port)


if __name__ == "__main__":
    sys.exit(main())
