"""What a robot is sent: every alert with its link, within the vendor's limits, signed, in the receiver's language."""

from __future__ import annotations

import json
import urllib.parse
from email.message import Message
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.services.relay import robots, split
from llmops.services.relay.messages import Block, Notification, from_alertmanager, from_event
from llmops.services.relay.receivers import KINDS, Receiver
from llmops.services.relay.robots import (
    CONFIGURATION,
    CONTENT,
    LIMITS,
    RATE_LIMIT,
    SENT,
    SERVER,
    UNKNOWN,
    Text,
    judge,
)

WORST = Receiver(
    "worst", "dingtalk", "url", "secret", keyword="关" * 64, mention_users=("u" * 48,) * 20, mention_all=True
)


def alert(name: str, number: int = 0, **more: Any) -> dict[str, Any]:
    labels = {"alertname": name, "severity": "critical", "namespace": "llm-prod", "release": f"demo-{number}"}
    annotations = {
        "summary": f"{name} of demo-{number}",
        "summary_zh": f"demo-{number} 的 {name}",
        "description": "Its p95 is high.",
        "description_zh": "p95 过高。",
        "runbook_url": f"https://docs.example.com/{name.lower()}.md",
    }
    return {
        "status": "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": "2026-01-09T00:00:30.123Z",
        "fingerprint": f"{name}-{number}",
    } | more


def webhook(*alerts: dict[str, Any], group: str = "") -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": group or f"{{}}:{{alertname={alerts[0]['labels']['alertname']!r}}}",
        "status": "firing",
        "groupLabels": {"alertname": alerts[0]["labels"]["alertname"]},
        "alerts": list(alerts),
    }


hostile = st.text(st.characters(codec=None, categories=None), max_size=200).map(lambda text: text * 20)
names = st.dictionaries(st.sampled_from(["alertname", "severity", "release", "x"]), hostile, max_size=4)
alerts = st.fixed_dictionaries(
    {
        "labels": names,
        "annotations": st.fixed_dictionaries(
            {
                "summary": hostile,
                "description": hostile,
                "runbook_url": st.integers(1, 900).map(
                    lambda length: "https://docs.example.com/" + "r" * length
                ),
            }
        ),
    },
    optional={"status": st.sampled_from(["firing", "resolved", 3, None]), "startsAt": hostile},
)


@settings(max_examples=30, deadline=None)
@given(st.lists(alerts, min_size=1, max_size=6), st.sampled_from(KINDS), st.sampled_from(["en", "zh"]))
def test_no_message_is_too_long_and_none_loses_a_link(found: list[Any], kind: str, language: str) -> None:
    to = Receiver(**{**WORST.__dict__, "kind": kind, "language": language})
    notification = from_alertmanager({"alerts": found}, language)
    texts = split.parts(to, notification)
    for text in texts:
        _, body = robots.request(to, text, "https://robot.example.com/x", "s" * 64, 1e9)
        counted = json.loads(body)["markdown"]["content"].encode() if kind == "wecomRobot" else body
        assert len(counted) <= LIMITS[kind].size
    everything = "\n".join(text.body for text in texts)
    at = 0
    for block in notification.blocks:
        assert block.link
        at = everything.index(block.link, everything.index(block.head, at))


def test_a_group_is_one_message_and_a_large_one_is_numbered() -> None:
    to = Receiver("team", "wecomRobot", "url")
    (one,) = split.parts(
        to, from_alertmanager(webhook(alert("LLMTargetDown"), alert("LLMTargetDown", 1)), "en")
    )
    assert one.title == "[FIRING 2] LLMTargetDown"
    assert one.severity == "critical"
    many = split.parts(
        to, from_alertmanager(webhook(*(alert("LLMTargetDown", each) for each in range(60))), "en")
    )
    assert len(many) > 1
    assert [text.title for text in many] == [
        f"[FIRING 60] LLMTargetDown ({number}/{len(many)})" for number in range(1, len(many) + 1)
    ]
    assert [text.count("release=demo-") for text in ["".join(one.body for one in many)]] == [60]


def test_the_languages() -> None:
    document = webhook(alert("LLMTargetDown"), alert("LLMTargetDown", 1, status="resolved"))
    (english,) = split.parts(Receiver("a", "feishu", "url"), from_alertmanager(document, "en"))
    (chinese,) = split.parts(Receiver("a", "feishu", "url"), from_alertmanager(document, "zh"))
    assert english.title == "[FIRING 1, RESOLVED 1] LLMTargetDown"
    assert chinese.title == "[告警 1, 已恢复 1] LLMTargetDown"
    assert "Its p95 is high." in english.body
    assert "p95 过高。" in chinese.body
    assert "[处理手册](https://docs.example.com/llmtargetdown.md)" in chinese.body


def test_an_alert_cannot_call_people_or_plant_links() -> None:
    planted = alert("X")
    planted["annotations"]["summary"] = (
        "<@all> <at id=all></at> @all <!channel> [free](https://evil.example.com) @所有人"
    )
    planted["annotations"]["runbook_url"] = "https://docs.example.com/)[evil](https://evil.example.com"
    for kind in KINDS:
        (text,) = split.parts(Receiver("a", kind, "url"), from_alertmanager(webhook(planted), "en"))
        for mark in ("<@all>", "<at", "@all", "<!", "](", "@所有人", "|"):
            assert mark not in text.body, kind


def test_mentions_are_of_the_severities_that_ask_for_them() -> None:
    for kind, there in [
        ("dingtalk", '"isAtAll":true'),
        ("wecomRobot", "<@" + "u" * 48 + ">"),
        ("feishu", "<at id=all></at>"),
        ("slack", "<!channel>"),
    ]:
        to = Receiver(**{**WORST.__dict__, "kind": kind})
        for severity in ("critical", "warning"):
            _, body = robots.request(to, Text("t", "b", severity), "https://h/", "", 1.0)
            assert (there in body.decode()) is (severity == "critical"), (kind, severity)


def test_signatures_are_those_of_the_vendors() -> None:
    """Worked out with openssl: printf 'TIME\\nSECRET' | openssl dgst -sha256 -hmac SECRET -binary | base64."""
    url, _ = robots.request(
        Receiver("a", "dingtalk", "u", "s"), Text("t", "b"), "https://h/r?access_token=x", "SECabc", 1e9
    )
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
    assert query["timestamp"] == ["1000000000000"]
    assert query["access_token"] == ["x"]
    assert query["sign"] == ["LusvlrKEEE/HGWqOKcs5TaQdd7aicGhsSjziGO8KJhw="]
    _, body = robots.request(Receiver("a", "feishu", "u", "s"), Text("t", "b"), "https://h/r", "SECabc", 1e9)
    document = json.loads(body)
    assert (document["timestamp"], document["sign"]) == (
        "1000000000",
        "2XKiloKEjErO0mtw+zLxqSbAlVA9/f5sACvBVrF8uio=",
    )


@pytest.mark.parametrize(
    ("kind", "status", "body", "outcome"),
    [
        ("dingtalk", 200, '{"errcode":0,"errmsg":"ok"}', SENT),
        ("dingtalk", 200, '{"errcode":310000,"errmsg":"sign not match"}', CONFIGURATION),
        ("dingtalk", 200, '{"errcode":130101,"errmsg":"send too fast"}', RATE_LIMIT),
        ("dingtalk", 200, '{"errcode":-1,"errmsg":"busy"}', SERVER),
        ("dingtalk", 200, '{"errcode":40035,"errmsg":"json"}', CONTENT),
        ("dingtalk", 200, '{"errcode":777,"errmsg":"news"}', UNKNOWN),
        ("dingtalk", 200, "<html>log in</html>", CONFIGURATION),
        ("dingtalk", 200, "[]", CONFIGURATION),
        ("dingtalk", 200, '{"errcode":false}', CONFIGURATION),
        ("dingtalk", 200, "", CONFIGURATION),
        ("dingtalk", 502, '{"errcode":0}', SERVER),
        ("dingtalk", 302, '{"errcode":0}', UNKNOWN),
        ("wecomRobot", 200, '{"errcode":45009,"errmsg":"freq"}', RATE_LIMIT),
        ("wecomRobot", 200, '{"errcode":93000,"errmsg":"url"}', CONFIGURATION),
        ("wecomRobot", 200, '{"errcode":60020,"errmsg":"ip"}', CONFIGURATION),
        ("wecomRobot", 200, '{"errcode":40058,"errmsg":"long"}', CONTENT),
        ("feishu", 200, '{"code":0,"msg":"success"}', SENT),
        ("feishu", 200, '{"StatusCode":0,"StatusMessage":"success"}', SENT),
        ("feishu", 200, '{"code":19024,"msg":"Key Words Not Found"}', CONFIGURATION),
        ("feishu", 200, '{"code":9499,"msg":"too many request"}', RATE_LIMIT),
        ("feishu", 400, '{"code":9499,"msg":"Bad Request"}', CONTENT),
        ("feishu", 200, '{"code":11232,"msg":"frequency limited"}', RATE_LIMIT),
        ("slack", 200, "ok", SENT),
        ("slack", 200, "invalid_token", CONFIGURATION),
        ("slack", 400, "invalid_payload", CONTENT),
        ("slack", 404, "no_service", CONFIGURATION),
        ("slack", 429, "", RATE_LIMIT),
        ("slack", 500, "rollup_error", SERVER),
        ("teams", 202, "", SENT),
        ("teams", 200, "Webhook message delivery failed with error: HTTP error 429", RATE_LIMIT),
        ("webhook", 204, "", SENT),
        ("webhook", 401, "", CONFIGURATION),
        ("webhook", 422, "", CONTENT),
    ],
)
def test_what_an_answer_means(kind: str, status: int, body: str, outcome: str) -> None:
    assert judge(kind, status, Message(), body.encode()).outcome == outcome


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("30", 30), ("99999999", 3600), ("Fri, 31 Dec 1999 23:59:59 GMT", 0), ("-5", 0), ("²", 0)],
)
def test_retry_after(header: str, seconds: float) -> None:
    headers = Message()
    headers["Retry-After"] = header
    assert judge("slack", 429, headers, b"").wait == seconds


def test_events_of_other_programs() -> None:
    event = {
        "kind": "reverted",
        "message": "card abc was taken back",
        "namespace": "llm",
        "rollout": "demo",
        "url": "https://git.example.com/pull/1",
    }
    (text,) = split.parts(Receiver("a", "webhook", "url"), from_event(event, "en"))
    assert text.title == "[EVENT] reverted"
    for part in ("card abc was taken back", "rollout=demo", "(https://git.example.com/pull/1)"):
        assert part in text.body
    for wrong in ({}, {"message": 3}, {"message": "x", "severity": "fatal"}):
        with pytest.raises(ValueError, match="must be"):
            from_event(wrong, "en")


def test_waiting_messages_become_one() -> None:
    to = Receiver("a", "wecomRobot", "url")
    texts = [Text(f"title {number}", "x" * 1000, "warning" if number else "info") for number in range(6)]
    together, count = split.joined(to, texts)
    assert count == 4
    assert together.title == "title 0 +3"
    assert together.severity == "warning"
    assert robots.size(to, together) <= 4096


def test_a_block_as_long_as_a_book_keeps_its_end() -> None:
    long = Notification(
        "t", "critical", (Block("head", "词" * 4000, "Runbook", "https://docs.example.com/" + "r" * 900),)
    )
    (text,) = split.parts(Receiver("a", "wecomRobot", "url"), long)
    assert text.body.endswith("r" * 900 + ")")
    assert "…" in text.body
