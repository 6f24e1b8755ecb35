"""Judges canaries for Argo Rollouts: `python -m llmops.services.gate --prometheus URL --folder DIR`.

It answers questions of the Rollouts controller as Prometheus answers queries, and takes at POST /v1/results what a
smoke or quality job found. `--show NAMESPACE/RELEASE` prints what was measured and why it was decided so, and ends.
Outside a cluster it answers /healthz and nobody else.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import NoReturn

from llmops import redaction
from llmops.jobs import JobError
from llmops.services.api_server import Api, in_cluster
from llmops.services.gate.cluster import Cluster, owner
from llmops.services.gate.question import read_release
from llmops.services.gate.series import Source
from llmops.services.gate.server import admission, routes
from llmops.services.gate.service import Gate
from llmops.services.gate.state import Memory
from llmops.services.http import serve

# Seconds between two looks at which Rollouts there are.
EVERY = 10.0


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
    made.add_argument(
        "--api-server", help="URL of the API server; that of the pod's own cluster if not given"
    )
    made.add_argument("--service-account", type=Path, help="folder with token and ca.crt for --api-server")
    made.add_argument("--show", metavar="NAMESPACE/RELEASE", help="print what --folder holds of it, and end")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = parser(os.environ).parse_args(arguments)
    if parsed.show:
        return _show(parsed.show, parsed.folder)
    if not parsed.prometheus.startswith(("http://", "https://")):
        sys.stderr.write("--prometheus is missing: write a URL such as http://prometheus.monitoring:9090\n")
        return 2
    api = in_cluster(os.environ)
    if parsed.api_server:
        api = Api(parsed.api_server, parsed.service_account or Path())
    cluster = Cluster(api, owner(api.account)) if api else None
    if cluster:
        Thread(target=_watch, args=(cluster,), daemon=True).start()
    else:
        sys.stderr.write("no service account of a cluster is here: every question is refused with 401\n")
    source = Source(parsed.prometheus, os.environ.get("PROMETHEUS_TOKEN", ""), parsed.timeout)
    gate = Gate(source, Memory(parsed.folder))
    return serve(routes(gate, cluster), parsed.host, parsed.port, admit=admission(cluster))


def _watch(cluster: Cluster) -> NoReturn:
    said = ""
    while True:
        try:
            cluster.refresh()
            words = ""
        except JobError as error:
            words = str(error)
        except Exception as error:
            words = f"Rollouts cannot be looked at: {type(error).__name__}"
        if words and words != said:
            sys.stderr.write(f"{redaction.clean_data(words)}\n")
            sys.stderr.flush()
        said = words
        time.sleep(EVERY)


def _show(name: str, folder: Path | None) -> int:
    namespace, _, release = name.partition("/")
    try:
        known = Memory(folder).rollouts(read_release(namespace, release))
    except ValueError as error:
        sys.stderr.write(f"{error}: write --show NAMESPACE/RELEASE\n")
        return 2
    sys.stdout.write(json.dumps({"rollouts": [one.evidence() for one in known]}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
