"""The robots: what each is sent, how long and how often, and what its answer means.

Limits and codes are as the vendors publish them; no real robot was asked. An answer whose code is not in the table is
tried again for some twenty minutes before its message is put aside.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any

from llmops.jobs.exchange import retry_after
from llmops.redaction import clean
from llmops.services.relay.receivers import Receiver

SENT, RATE_LIMIT, SERVER, CONFIGURATION, CONTENT, UNKNOWN, UNREACHABLE = (
    "sent",
    "rate_limit",
    "server",
    "configuration",
    "content",
    "unknown",
    "unreachable",
)
LONGEST_ASKED = 3600.0
"""Seconds that a robot may ask for."""
FAILURES = (RATE_LIMIT, SERVER, CONFIGURATION, CONTENT, UNKNOWN, UNREACHABLE)


@dataclass(frozen=True)
class Text:
    """A message of one receiver: `body` is Markdown as its chat understands it."""

    title: str
    body: str
    severity: str = ""


@dataclass(frozen=True)
class Answer:
    """`outcome` is one of the words above, `says` what the robot said, `wait` the seconds that it asked for."""

    outcome: str
    says: str = ""
    wait: float = 0.0


@dataclass(frozen=True)
class Limits:
    """Of one kind of robot: bytes of a message, and messages in a minute. `whole`: the bytes are those of the request,
    else of the text in it. `code` names the field of its answer that says 0 for success."""

    size: int
    per_minute: int
    whole: bool = True
    code: str = ""
    rate_limit: frozenset[int] = frozenset()
    server: frozenset[int] = frozenset()
    configuration: frozenset[int] = frozenset()
    content: frozenset[int] = frozenset()


LIMITS: Mapping[str, Limits] = {
    "dingtalk": Limits(
        size=20_000,
        per_minute=20,
        code="errcode",
        rate_limit=frozenset({130101, 130102, 410100, 90030, 90018}),
        server=frozenset({-1}),
        # 310000 is a missing keyword, a wrong signature or an address that is not let in.
        configuration=frozenset({310000, 300001, 300005, 400013, 400101, 400102, 400106, 40014}),
        content=frozenset({40035, 400105, 430101, 430102, 430103, 430104, 460101}),
    ),
    "wecomRobot": Limits(
        size=4096,
        per_minute=20,
        whole=False,
        code="errcode",
        rate_limit=frozenset({45009, 45033}),
        server=frozenset({-1, 6000}),
        configuration=frozenset({93000, 93004, 93008, 93017, 60020, 40014}),
        content=frozenset({40008, 40058, 44004, 45002, 40063, 47001}),
    ),
    "feishu": Limits(
        size=20_000,
        per_minute=100,
        code="code",
        rate_limit=frozenset({11232, 11233, 99991400}),
        server=frozenset({19000, 10000}),
        configuration=frozenset({19001, 19021, 19022, 19024, 19005, 19007}),
        content=frozenset({19002, 19003, 11246, 11247, 9499}),
    ),
    "slack": Limits(size=16_000, per_minute=60),
    "teams": Limits(size=26_000, per_minute=60),
    "webhook": Limits(size=64_000, per_minute=600),
}


def request(to: Receiver, text: Text, url: str, secret: str, now: float) -> tuple[str, bytes]:
    """URL and body of the request, signed as of `now`, seconds since 1970."""
    body = _body(to, text)
    if to.kind == "dingtalk" and secret:
        stamp = str(int(now * 1000))
        sign = base64.b64encode(
            hmac.digest(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256)
        ).decode()
        signed = urllib.parse.urlencode({"timestamp": stamp, "sign": sign})
        url += ("&" if "?" in url else "?") + signed
    if to.kind == "feishu" and secret:
        stamp = str(int(now))
        sign = base64.b64encode(hmac.digest(f"{stamp}\n{secret}".encode(), b"", hashlib.sha256)).decode()
        body |= {"timestamp": stamp, "sign": sign}
    return url, _bytes(body)


def size(to: Receiver, text: Text) -> int:
    """Bytes of a message as its robot counts them."""
    if to.kind == "wecomRobot":
        return len(_wecom(to, text).encode())
    # Signed messages of Feishu carry the signature in the body.
    return len(_bytes(_body(to, text))) + (120 if to.kind == "feishu" else 0)


def markdown(kind: str, head: str, text: str, label: str, link: str) -> str:
    """A block as the chat of that kind shows it."""
    strong = f"*{head}*" if kind == "slack" else f"**{head}**"
    lines = [strong, *text.split("\n")] if text else [strong]
    if link:
        lines.append(f"<{link}|{label}>" if kind == "slack" else f"[{label}]({link})")
    # Markdown joins lines; two blanks, or an empty line, end one.
    return {"dingtalk": "  \n", "teams": "\n\n"}.get(kind, "\n").join(lines)


def judge(kind: str, status: int, headers: Message, content: bytes) -> Answer:
    """What an answer means."""
    says = clean(" ".join(content[:2000].decode("utf-8", "replace").split()))[:300]
    wait = retry_after(headers, LONGEST_ASKED)
    limits = LIMITS[kind]
    if status == 429:
        return Answer(RATE_LIMIT, says, wait)
    if status >= 500:
        return Answer(SERVER, f"HTTP {status} {says}".strip(), wait)
    if limits.code:
        return _judge_code(limits, status, says, wait, content)
    if 200 <= status < 300:
        return _judge_words(kind, says)
    outcome = CONTENT if status in (400, 411, 413, 415, 422) else CONFIGURATION
    return Answer(outcome, f"HTTP {status} {says}".strip())


def _judge_code(limits: Limits, status: int, says: str, wait: float, content: bytes) -> Answer:
    try:
        document = json.loads(content)
        code = document.get(limits.code, document.get("StatusCode"))
    except (ValueError, AttributeError, RecursionError):
        code = None
    if isinstance(code, bool) or not isinstance(code, int):
        # A page of a proxy, or of another service: no robot lives at this URL.
        return Answer(
            CONTENT if status == 413 else CONFIGURATION, f"HTTP {status} without {limits.code}: {says}"
        )
    if code == 0 and status < 300:
        return Answer(SENT, says)
    if code in limits.rate_limit or (code == 9499 and "many" in says.lower()):
        return Answer(RATE_LIMIT, says, wait)
    for outcome in (SERVER, CONFIGURATION, CONTENT):
        if code in getattr(limits, outcome):
            return Answer(outcome, says)
    return Answer(UNKNOWN, says)


def _judge_words(kind: str, says: str) -> Answer:
    """Slack says ok. A connector of Teams answers 200 and names the status that it met in a sentence."""
    if kind == "slack" and says != "ok":
        return Answer(CONFIGURATION, f"it did not say ok: {says}")
    if kind == "teams" and "failed" in says.lower():
        return Answer(RATE_LIMIT if "429" in says else UNKNOWN, says)
    return Answer(SENT, says)


def _body(to: Receiver, text: Text) -> dict[str, Any]:
    mentions = to.mentions(text.severity)
    users: Sequence[str] = to.mention_users if mentions else ()
    everybody = to.mention_all and mentions
    if to.kind == "dingtalk":
        phones = [one for one in users if one.lstrip("+").replace("-", "").isdigit()]
        names = [one for one in users if one not in phones]
        # Only who stands in the text is shown as mentioned.
        called = " ".join(f"@{one}" for one in users)
        body = "  \n".join(filter(None, (_titled(to, text), called)))
        at = {"atMobiles": phones, "atUserIds": names, "isAtAll": everybody}
        return {"msgtype": "markdown", "markdown": {"title": text.title, "text": body}, "at": at}
    if to.kind == "wecomRobot":
        return {"msgtype": "markdown", "markdown": {"content": _wecom(to, text)}}
    if to.kind == "feishu":
        called = " ".join(
            [*(f"<at id={one}></at>" for one in users), *(["<at id=all></at>"] if everybody else [])]
        )
        body = "\n".join(filter(None, (_keyword(to, text.body), called)))
        header = {"title": {"tag": "plain_text", "content": text.title}, "template": _colour(text)}
        card = {"header": header, "elements": [{"tag": "div", "text": {"tag": "lark_md", "content": body}}]}
        return {"msg_type": "interactive", "card": card}
    if to.kind == "slack":
        called = " ".join([*(f"<@{one}>" for one in users), *(["<!channel>"] if everybody else [])])
        return {"text": "\n".join(filter(None, (f"*{text.title}*", text.body, called)))}
    if to.kind == "teams":
        blocks = [
            {"type": "TextBlock", "text": one, "wrap": True} for one in (f"**{text.title}**", text.body)
        ]
        content = {"type": "AdaptiveCard", "version": "1.4", "body": blocks}
        card = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
        return {"type": "message", "attachments": [card]}
    return {"title": text.title, "text": text.body, "severity": text.severity, "mentions": list(users)}


def _wecom(to: Receiver, text: Text) -> str:
    called = " ".join(f"<@{one}>" for one in to.mention_users) if to.mentions(text.severity) else ""
    return "\n".join(filter(None, (_titled(to, text), called)))


def _titled(to: Receiver, text: Text) -> str:
    return f"### {text.title}\n{_keyword(to, text.body)}"


def _keyword(to: Receiver, body: str) -> str:
    return f"{to.keyword}\n{body}" if to.keyword and to.keyword not in body else body


def _colour(text: Text) -> str:
    return {"critical": "red", "warning": "orange"}.get(text.severity, "blue")


def _bytes(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
