"""Shows the results of drift and evaluation jobs to Prometheus: POST /results takes one, GET /metrics gives all.

It keeps the last results of each release. Metrics of a release are absent until its next run when both the exporter
and its folder are lost.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from llmops.jobs import JobError
from llmops.jobs.times import seconds
from llmops.services import exposition
from llmops.services.http import Handler, Limits, RefusalError, serve
from llmops.services.results.store import FullError, Results

_BODY = 256 * 1024  # bytes: the outcome of two hundred tasks


def routes(results: Results) -> list[tuple[str, str, Handler]]:
    def metrics(_: Request, __: bytes) -> Response:
        return Response(results.text(), media_type=exposition.CONTENT_TYPE)

    def add(_: Request, body: bytes) -> Response:
        try:
            results.add(body)
        except FullError:
            raise RefusalError(507, "there is no room for one more release") from None
        except OSError as error:
            # It is shown from memory all the same, and would be lost by a restart: the job must know.
            raise RefusalError(500, f"the result cannot be kept: {error.strerror}") from None
        return Response(status_code=204)

    return [("GET", "/metrics", metrics), ("POST", "/results", add)]


def main(arguments: Sequence[str] | None = None) -> int:
    made = argparse.ArgumentParser(prog="python -m llmops.services.results", description=__doc__)
    made.add_argument("--host", default="", help="address to listen on; all if not given")
    made.add_argument("--port", type=int, default=8080, help="port (%(default)s); 0 takes a free one")
    made.add_argument("--folder", type=Path, help="where results are kept over restarts")
    made.add_argument("--forget-after", default="10d", help="age at which a result is dropped (%(default)s)")
    parsed = made.parse_args(arguments)
    try:
        results = Results(parsed.folder, forget_after=seconds(parsed.forget_after))
    except JobError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return serve(routes(results), parsed.host, parsed.port, Limits(body=_BODY))


if __name__ == "__main__":
    sys.exit(main())
