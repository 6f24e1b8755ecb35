"""Events between programs: whom they are believed, and from whom they are not."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.services.events import Event, EventError, encode, secret_of, verify

NOW = 1767916830.0
KEY = secret_of("whsec_" + base64.b64encode(b"k" * 32).decode())
EVENT = Event(
    "run-1", "llm.retrain.requested", "llm-charts/results/llm/demo", NOW, {"release": "demo", "理由": "漂移"}
)


def sent(event: Event = EVENT, now: float = NOW) -> tuple[dict[str, str], bytes]:
    headers, body = encode(event, KEY, now)
    return {name.lower(): value for name, value in headers.items()}, body


def test_who_has_the_key_reads_what_was_sent() -> None:
    headers, body = sent()
    assert verify(headers, body, KEY, NOW + 299) == EVENT.data
    assert (headers["ce-specversion"], headers["ce-type"], headers["ce-id"]) == ("1.0", EVENT.type, "run-1")
    assert headers["ce-time"] == "2026-01-09T00:00:30Z"


def test_the_signature_is_that_of_the_standard() -> None:
    """HMAC-SHA256 over id, timestamp and body with dots between, in base64."""
    headers, body = sent()
    signed = b"run-1.1767916830." + body
    expected = base64.b64encode(hmac.digest(b"k" * 32, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_a_second_delivery_has_the_same_id_and_another_time() -> None:
    first, second = sent()[0], sent(now=NOW + 3600)[0]
    assert first["webhook-id"] == second["webhook-id"]
    assert first["ce-time"] == second["ce-time"]
    assert first["webhook-signature"] != second["webhook-signature"]


@pytest.mark.parametrize("late", [301, -301])
def test_an_old_event_is_not_believed(late: float) -> None:
    with pytest.raises(EventError, match="more than 300 s from now"):
        verify(*sent(), KEY, NOW + late)


@given(
    st.integers(0), st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "ce-id", "body"])
)
def test_whatever_is_changed_on_the_way_is_noticed(place: int, what: str) -> None:
    headers, body = sent()
    text = body.decode() if what == "body" else headers[what]
    at = place % len(text)
    changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
    if what == "body":
        body = changed.encode()
    else:
        headers[what] = changed
    with pytest.raises(EventError):
        verify(headers, body, KEY, NOW)


def test_a_sender_that_changes_its_key_signs_with_both() -> None:
    headers, body = sent()
    headers["webhook-signature"] = "v1,AAAA " + headers["webhook-signature"]
    assert verify(headers, body, KEY, NOW) == EVENT.data


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_abc", "secret", "whsec_" + base64.b64encode(b"k" * 23).decode()]
)
def test_a_secret_that_is_none_says_how_to_make_one_and_not_itself(text: str) -> None:
    with pytest.raises(
        EventError, match=r"^the secret is none: write whsec_ and base64 of at least 24 random bytes"
    ):
        secret_of(text)
