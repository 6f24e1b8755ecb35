"""Programs that listen, each with what it took before the attack and must still know after it."""

from __future__ import annotations

import contextlib
import itertools
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.attack.canaries import CANARIES, NAMESPACE, prometheus, question
from tests.attack.estate import decided, estate, program
from tests.attack.programs import Running, Service
from tests.services.api_server import api_server
from tests.services.relay.fakes import address as robot_address
from tests.services.relay.fakes import robot
from tests.services.test_results import RESULT


@contextlib.contextmanager
def _gate(folder: Path) -> Iterator[Running]:
    """The gate as its own namespace's holder of a token sees it: what strangers get is refused before it is read."""
    with (
        prometheus() as url,
        api_server(*((NAMESPACE, one.release) for one in CANARIES), ("team-b", "llama")) as api,
        estate(folder, url, api) as found,
    ):
        tokens = itertools.cycle((api.token(NAMESPACE), api.token("team-b"), api.job(NAMESPACE), ""))
        yield Running(found.program, lambda: next(tokens), lambda: decided(found))


@contextlib.contextmanager
def _results(folder: Path) -> Iterator[Running]:
    with program("results", folder, "--forget-after=900000d") as found:
        known = [line for line in _page(found.url) if "first" in line]
        if not known:
            _post(found.url, {**RESULT, "release": "first"})
        yield Running(
            found, str, lambda: "shown" if any("first" in line for line in _page(found.url)) else "lost"
        )


@contextlib.contextmanager
def _relay(folder: Path) -> Iterator[Running]:
    """The relay before a robot that takes everything; what it took before must have reached the chat, or still wait."""
    with robot("slack") as chat:
        address = folder / "url"
        address.write_text(robot_address("slack", chat.url), encoding="utf-8")
        known = json.dumps({"name": "chat", "kind": "slack", "url_file": str(address)})
        with program("relay", folder, f"--receiver={known}") as found:
            if not _taken(found.url):
                body = json.dumps(ALERTS).encode()
                request = urllib.request.Request(f"{found.url}/alertmanager/chat", body)  # noqa: S310
                urllib.request.urlopen(request, timeout=20).close()  # noqa: S310
            yield Running(found, str, lambda: "taken" if _taken(found.url) else "lost")


def _taken(url: str) -> bool:
    """Whether the relay counts a notification that it took: it counts on disk, over all starts."""
    lines = [line for line in _page(url) if line.startswith("llm_relay_notifications_total{")]
    return any(float(line.rpartition(" ")[2]) > 0 for line in lines)


@contextlib.contextmanager
def _feedback(folder: Path) -> Iterator[Running]:
    clients = folder / "clients.jsonl"
    client = {"token": _TOKEN, "namespace": NAMESPACE, "release": "sound", "model": "demo"}
    clients.write_text(json.dumps(client) + "\n", encoding="utf-8")
    with program("feedback", folder, f"--clients={clients}") as found:
        if not _counted(found.url):
            request = urllib.request.Request(  # noqa: S310
                f"{found.url}/v1/feedback",
                json.dumps(OPINION).encode(),
                {"Authorization": f"Bearer {_TOKEN}", "x-llm-version": "first"},
            )
            urllib.request.urlopen(request, timeout=20).close()  # noqa: S310
        tokens = itertools.cycle((_TOKEN, _TOKEN, "x" * 32, ""))
        yield Running(found, lambda: next(tokens), lambda: "counted" if _counted(found.url) else "lost")


def _counted(url: str) -> bool:
    return any('version="first"' in line and line.endswith((" 1", " 1.0")) for line in _page(url))


def _page(url: str) -> list[str]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=20) as answer:  # noqa: S310
        return list(answer.read().decode().splitlines())


def _post(url: str, document: Any) -> None:
    body = json.dumps(document).encode()
    urllib.request.urlopen(urllib.request.Request(f"{url}/results", body), timeout=20).close()  # noqa: S310


_ANY = {
    **question(CANARIES[0]),
    "release": "sound",
    "canary": "eeee1",
    "kind": "smoke",
    "document": {"checks": [{"name": "a", "ok": True}]},
}
_QUERY = "/api/v1/query"
_TOKEN = "t" * 32
OPINION = {"request_id": "chatcmpl-1", "rating": "down", "reason": "slow"}
ALERTS = {
    "version": "4",
    "groupKey": '{}:{alertname="first"}',
    "status": "firing",
    "receiver": "chat",
    "groupLabels": {"alertname": "first"},
    "commonLabels": {"alertname": "first", "severity": "critical"},
    "commonAnnotations": {"summary": "first"},
    "externalURL": "http://alertmanager.example.com",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "first", "severity": "critical"},
            "annotations": {"summary": "first"},
            "startsAt": "2026-10-01T12:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": "a1b2",
        }
    ],
}
SERVICES = (
    Service("results", "drift-cronjob", ("/results", "/metrics", "/healthz", "/x"), RESULT, _results),
    Service(
        "gate",
        "canary-gate",
        (_QUERY, _QUERY, "/v1/results", f"/v1/evidence/{NAMESPACE}/sound", "/"),
        _ANY,
        _gate,
    ),
    Service(
        "relay",
        "alert-rules",
        (
            "/alertmanager/chat",
            "/alertmanager/chat",
            "/events/chat",
            "/test/chat",
            "/dead-letters/retry",
            "/",
        ),
        ALERTS,
        _relay,
    ),
    Service(
        "feedback", "drift-cronjob", ("/v1/feedback", "/v1/feedback", "/metrics", "/x"), OPINION, _feedback
    ),
)
