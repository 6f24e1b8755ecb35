"""Events between programs: CloudEvents over HTTP in binary mode, signed as Standard Webhooks say.

The id of an event is its idempotency key: who gets one twice acts once. https://cloudevents.io (1.0, HTTP binding 3.1),
https://www.standardwebhooks.com (symmetric signatures, v1).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from llmops.jobs.exchange import ExchangeError, exchange
from llmops.jobs.times import rfc3339
from llmops.services.json_body import read_object

RETRAIN_REQUESTED = "llm.retrain.requested"
SKEW_SECONDS = 300
_PREFIX, _LEAST_SECRET = "whsec_", 24
_LIMIT = 2**16
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class EventError(Exception):
    """An event was not taken, or is none of ours; one sentence."""


@dataclass(frozen=True)
class Event:
    """`time` is in Unix seconds, `data` a JSON object."""

    id: str
    type: str
    source: str
    time: float
    data: Mapping[str, Any]


def secret_of(text: str) -> bytes:
    """The key in a secret: `whsec_` and base64, or base64 alone, of at least 24 bytes. EventError."""
    try:
        key = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < _LEAST_SECRET:
        raise EventError(
            "the secret is none: write whsec_ and base64 of at least 24 random bytes (openssl rand -base64 32)"
        )
    return key


def encode(event: Event, key: bytes, now: float) -> tuple[dict[str, str], bytes]:
    """Headers and body of one delivery at `now`; a second delivery of the same event has the same id."""
    body = json.dumps(event.data, ensure_ascii=False, sort_keys=True).encode()
    stamp = str(int(now))
    headers = {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": event.id,
        "ce-type": event.type,
        "ce-source": event.source,
        "ce-time": rfc3339(event.time),
        "webhook-id": event.id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{_signature(key, event.id, stamp, body)}",
    }
    return headers, body


def verify(headers: Mapping[str, str], body: bytes, key: bytes, now: float) -> dict[str, Any]:
    """The data of an event that somebody with this key sent within five minutes of `now`. EventError.

    Names of headers are lower case, as ASGI has them.
    """
    name, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not _ID.fullmatch(name) or not re.fullmatch(r"[0-9]{1,12}", stamp):
        raise EventError("webhook-id and webhook-timestamp are needed")
    if abs(now - int(stamp)) > SKEW_SECONDS:
        raise EventError(f"webhook-timestamp is more than {SKEW_SECONDS} s from now")
    expected = _signature(key, name, stamp, body)
    given = [one[3:] for one in headers.get("webhook-signature", "").split() if one.startswith("v1,")]
    # A sender that changes its key signs with both for a while.
    if not any(hmac.compare_digest(expected.encode(), one.encode()) for one in given):
        raise EventError("webhook-signature does not fit")
    if headers.get("ce-id", name) != name:
        raise EventError("ce-id is not webhook-id, which the signature covers")
    try:
        return read_object(body)
    except ValueError as error:
        raise EventError(str(error)) from None


def send(url: str, event: Event, key: bytes, timeout: float = 10.0) -> None:
    """Delivers once. EventError where it was not taken; whoever wants it delivered tries again later."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise EventError(f"{url!r} is no URL of a webhook: write it like https://events.example.com/retrain")
    headers, body = encode(event, key, time.time())
    try:
        answer = exchange(url, timeout=timeout, limit=_LIMIT, headers=headers, body=body, proxied=True)
    except ExchangeError as error:
        raise EventError(f"the webhook did not answer: {error}") from None
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        raise EventError(f"the webhook answered HTTP {answer.status}")


def _signature(key: bytes, name: str, stamp: str, body: bytes) -> str:
    signed = b".".join((name.encode(), stamp.encode(), body))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
