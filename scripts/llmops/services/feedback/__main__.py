"""Takes feedback: POST /v1/feedback {request_id, rating: up|down, reason, version}; GET /metrics counts it by version.

A caller is known by its bearer token, which stands for one release. No prompt and no answer is taken, so none is kept.
"""

from __future__ import annotations

import argparse
import hmac
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from llmops.services import exposition
from llmops.services.feedback.opinions import Client, Opinions, read_clients
from llmops.services.http import Handler, Limits, RefusalError, serve

_BODY = 4096  # bytes of an opinion
_HEADER = "x-llm-version"


def client_of(clients: Mapping[str, Client], request: Request) -> Client:
    """Who asks. RefusalError. Every token is compared, so that time tells nothing."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
    found = [client for token, client in clients.items() if hmac.compare_digest(token.encode(), given)]
    if not found:
        raise RefusalError(401, "feedback needs the bearer token of a release")
    return found[0]


def routes(opinions: Opinions, clients: Mapping[str, Client]) -> list[tuple[str, str, Handler]]:
    def metrics(_: Request, __: bytes) -> Response:
        return Response(opinions.text(), media_type=exposition.CONTENT_TYPE)

    def add(request: Request, body: bytes) -> Response:
        try:
            new = opinions.add(client_of(clients, request), body, request.headers.get(_HEADER, ""))
        except OSError as error:
            raise RefusalError(500, f"the feedback cannot be kept: {error.strerror}") from None
        # Who sends it again because the answer was lost is told the same.
        return Response(status_code=204 if new else 200)

    return [("GET", "/metrics", metrics), ("POST", "/v1/feedback", add)]


def main(arguments: Sequence[str] | None = None) -> int:
    made = argparse.ArgumentParser(prog="python -m llmops.services.feedback", description=__doc__)
    made.add_argument("--host", default="", help="address to listen on; all if not given")
    made.add_argument("--port", type=int, default=8080, help="port (%(default)s); 0 takes a free one")
    made.add_argument("--folder", type=Path, help="where counts are kept over restarts")
    made.add_argument(
        "--clients",
        type=Path,
        required=True,
        metavar="FILE",
        help="JSON Lines: token, namespace, release, model",
    )
    parsed = made.parse_args(arguments)
    try:
        clients = read_clients(parsed.clients)
        opinions = Opinions(parsed.folder / "feedback.jsonl" if parsed.folder else None)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2

    def admit(request: Request) -> None:
        """Before a body is read."""
        if request.url.path != "/metrics":
            client_of(clients, request)

    return serve(routes(opinions, clients), parsed.host, parsed.port, Limits(body=_BODY), admit)


if __name__ == "__main__":
    sys.exit(main())
