"""Shows what drift, evaluation and feedback jobs found to Prometheus: POST /results takes one, GET /metrics gives all.

It keeps the last results of each release. Metrics of a release are absent until its next run when both the exporter
and its folder are lost.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from llmops.jobs import JobError
from llmops.jobs.times import seconds
from llmops.services import exposition
from llmops.services.events import EventError, secret_of
from llmops.services.http import Handler, Limits, RefusalError, serve
from llmops.services.results.retrain import Policy
from llmops.services.results.store import FullError, Results
from llmops.services.results.trigger import Trigger

_REVIEW_SECONDS = 60.0
_BODY = 256 * 1024  # bytes: the outcome of two hundred tasks


def routes(results: Results, trigger: Trigger | None = None) -> list[tuple[str, str, Handler]]:
    def metrics(_: Request, __: bytes) -> Response:
        own = trigger.text() if trigger else ""
        return Response(results.text() + own, media_type=exposition.CONTENT_TYPE)

    def add(_: Request, body: bytes) -> Response:
        try:
            results.add(body)
        except FullError:
            raise RefusalError(507, "there is no room for one more release") from None
        except OSError as error:
            # It is shown from memory all the same, and would be lost by a restart: the job must know.
            raise RefusalError(500, f"the result cannot be kept: {error.strerror}") from None
        if trigger:
            reviewed.set()
        return Response(status_code=204)

    reviewed = _reviews(trigger) if trigger else threading.Event()
    return [("GET", "/metrics", metrics), ("POST", "/results", add)]


def _reviews(trigger: Trigger) -> threading.Event:
    """Reviews once a minute, and whenever the event that it returns is set: no job waits for a webhook."""
    now = threading.Event()

    def forever() -> None:
        while True:
            try:
                trigger.review()
            except OSError as error:
                sys.stderr.write(f"what was asked for cannot be kept: {error.strerror}\n")
            now.wait(_REVIEW_SECONDS)
            now.clear()

    threading.Thread(target=forever, daemon=True, name="retraining").start()
    return now


def _trigger(results: Results, parsed: argparse.Namespace) -> Trigger | None:
    """The trigger that the command line asks for. JobError or EventError where it is not whole."""
    if not parsed.retrain_url:
        return None
    secret = os.environ.get("RETRAIN_SECRET", "")
    if parsed.folder is None or not secret:
        raise JobError(
            "--retrain-url needs --folder, which keeps its budget, and the variable RETRAIN_SECRET"
        )
    key = secret_of(secret)
    policy = Policy(
        seconds(parsed.retrain_cooldown),
        parsed.retrain_budget,
        manual=parsed.retrain_approval,
        approved=frozenset(parsed.retrain_approved),
        new_data=parsed.retrain_on_new_data,
    )
    return Trigger(results, parsed.retrain_url, key, parsed.folder / "retrain.state", policy)


def main(arguments: Sequence[str] | None = None) -> int:
    made = argparse.ArgumentParser(prog="python -m llmops.services.results", description=__doc__)
    made.add_argument("--host", default="", help="address to listen on; all if not given")
    made.add_argument("--port", type=int, default=8080, help="port (%(default)s); 0 takes a free one")
    made.add_argument("--folder", type=Path, help="where results are kept over restarts")
    made.add_argument("--forget-after", default="10d", help="age at which a result is dropped (%(default)s)")
    retrain = made.add_argument_group("asking for retraining")
    retrain.add_argument(
        "--retrain-url", metavar="URL", help="webhook that gets an event, signed with $RETRAIN_SECRET"
    )
    retrain.add_argument(
        "--retrain-cooldown", default="7d", help="between two requests of a model (%(default)s)"
    )
    retrain.add_argument(
        "--retrain-budget", type=int, default=2, help="requests of a model in a month (%(default)s)"
    )
    retrain.add_argument(
        "--retrain-on-new-data", action="store_true", help="another digest of the training set asks, too"
    )
    retrain.add_argument(
        "--retrain-approval", action="store_true", help="a person has to approve each request"
    )
    retrain.add_argument(
        "--retrain-approved", nargs="*", default=[], metavar="KEY", help="requests that are approved"
    )
    parsed = made.parse_args(arguments)
    try:
        results = Results(parsed.folder, forget_after=seconds(parsed.forget_after))
        trigger = _trigger(results, parsed)
    except (JobError, EventError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return serve(routes(results, trigger), parsed.host, parsed.port, Limits(body=_BODY))


if __name__ == "__main__":
    sys.exit(main())
