"""The gate's HTTP: POST /v1/verdict, /v1/results and /v1/results/verdict; GET /v1/evidence and /metrics."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from llmops.services import exposition
from llmops.services.gate.page import page
from llmops.services.gate.question import read_question, read_release, read_result
from llmops.services.gate.service import Gate
from llmops.services.http import Handler


def routes(gate: Gate) -> list[tuple[str, str, Handler]]:
    def verdict(_: Request, body: bytes) -> Response:
        return JSONResponse(gate.verdict(read_question(body)))

    def post(_: Request, body: bytes) -> Response:
        gate.post(read_result(body, posted=True))
        return Response(status_code=204)

    def result(_: Request, body: bytes) -> Response:
        return JSONResponse(gate.result(read_result(body, posted=False)))

    def evidence(request: Request, _: bytes) -> Response:
        return JSONResponse(gate.evidence(read_release(**request.path_params)))

    def metrics(_: Request, __: bytes) -> Response:
        return Response(page(gate.memory, time.time()), media_type=exposition.CONTENT_TYPE)

    return [
        ("POST", "/v1/verdict", verdict),
        ("POST", "/v1/results", post),
        ("POST", "/v1/results/verdict", result),
        ("GET", "/v1/evidence/{namespace}/{name}", evidence),
        ("GET", "/metrics", metrics),
    ]
