"""The gate's HTTP: the query API of Prometheus for questions of Argo Rollouts, /v1/results for what Jobs found.

Argo Rollouts asks through its Prometheus provider: unlike the web provider, which counts any 200 without JSON as a
success, it takes nothing for an answer that is not one of Prometheus' own (docs/gates.md).
"""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from llmops import redaction
from llmops.jobs import JobError
from llmops.services import exposition
from llmops.services.gate.cluster import Cluster, looks_like_account
from llmops.services.gate.page import page
from llmops.services.gate.question import (
    RESULT,
    VERDICT,
    Release,
    read_query,
    read_question,
    read_release,
    read_result,
    read_result_question,
)
from llmops.services.gate.service import ConflictError, Gate
from llmops.services.http import Admission, Handler, RefusalError

VALUES = {"pass": 1, "wait": 0, "fail": -1, "inconclusive": 2}
"""What the analyses of the chart look for. No other value means anything to them."""


def admission(cluster: Cluster | None) -> Admission:
    """Refuses everybody who cannot be somebody, before a thread or the API server has to do with it."""

    def admit(request: Request) -> None:
        if cluster is None:
            raise RefusalError(
                401, "outside a cluster nobody can be told from anybody: there is /healthz only"
            )
        token = _bearer(request)
        if request.scope["path"] != "/metrics" and not (
            token and (cluster.asks_for(token) or looks_like_account(token))
        ):
            raise RefusalError(401, "who asks must be Argo Rollouts or a Job of a release: see docs/gates.md")

    return admit


def routes(
    gate: Gate, cluster: Cluster | None, now: Callable[[], float] = time.time
) -> list[tuple[str, str, Handler]]:
    def asker(request: Request) -> str | None:
        return cluster.asks_for(_bearer(request)) if cluster else None

    def poster(request: Request) -> str | None:
        return cluster.posts_for(_bearer(request)) if cluster else None

    def query(request: Request, body: bytes) -> Response:
        namespace = asker(request)
        if namespace is None:
            raise RefusalError(401, "questions are asked with the token of the release's namespace")
        text = body.decode("utf-8", "replace") if request.method == "POST" else request.url.query
        asked = urllib.parse.parse_qs(text, max_num_fields=20).get("query", [""])[-1]
        try:
            name, labels = read_query(asked)
            if labels.get("namespace") != namespace:
                raise RefusalError(403, "a namespace asks about its own releases only")
            verdict = answers(name, labels)
        except ValueError as error:
            return _error(400, "bad_data", str(error))
        except JobError as error:
            # With another status the controller would not show the sentence.
            return _error(422, "execution", str(error))
        except ConflictError as error:
            return _error(409, "conflict", str(error))
        sample = {"metric": {"__name__": name}, "value": [round(now(), 3), str(VALUES[verdict["outcome"]])]}
        data = {"resultType": "vector", "result": [sample]}
        return JSONResponse({"status": "success", "data": data, "warnings": [json.dumps(verdict)]})

    def answers(name: str, labels: dict[str, str]) -> dict[str, Any]:
        if name == VERDICT:
            question = read_question(labels)
            known(question.release)
            answer = gate.verdict(question)
            return {**answer["gates"][labels["gate"]], "step": answer["step"], "look": answer["look"]}
        if name == RESULT:
            asked = read_result_question(labels)
            known(asked.release)
            return gate.result(asked)
        raise ValueError(f"there is no {name}: ask for {VERDICT} or {RESULT}")

    def known(release: Release) -> None:
        if cluster and not cluster.knows(release):
            raise ValueError(f"there is no Rollout {release.name} in the namespace {release.namespace}")

    def post(request: Request, body: bytes) -> Response:
        namespace = poster(request)
        if namespace is None:
            raise RefusalError(401, "a result is posted with the Job's own token for the gate")
        result = read_result(body)
        if result.release.namespace != namespace:
            raise RefusalError(403, "a namespace posts results of its own releases only")
        known(result.release)
        gate.post(result)
        return Response(status_code=204)

    def evidence(request: Request, _: bytes) -> Response:
        release = read_release(**request.path_params)
        namespace = asker(request) or poster(request)
        if namespace is None:
            raise RefusalError(401, "evidence is shown to who holds a token of its namespace")
        if namespace != release.namespace:
            raise RefusalError(403, "a namespace sees the evidence of its own releases only")
        return JSONResponse(gate.evidence(release))

    def metrics(_: Request, __: bytes) -> Response:
        return Response(
            page(gate.memory, now(), cluster.gated if cluster else ()), media_type=exposition.CONTENT_TYPE
        )

    return [
        ("GET", "/api/v1/query", query),
        ("POST", "/api/v1/query", query),
        ("POST", "/v1/results", post),
        ("GET", "/v1/evidence/{namespace}/{name}", evidence),
        ("GET", "/metrics", metrics),
    ]


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and len(token) <= 8192 else ""


def _error(status: int, kind: str, sentence: str) -> Response:
    """As Prometheus refuses a query; its client shows the sentence of 400 and 422."""
    return JSONResponse(
        {"status": "error", "errorType": kind, "error": redaction.clean_data(sentence)}, status
    )
