"""What alerts and events say, in English or Chinese, as blocks of Markdown that a robot shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.redaction import visible
from llmops.services.relay.receivers import SEVERITIES

# Characters of one text of an alert. What is longer no chat shows.
_LONGEST = 4000
_LONGEST_LINK = 1024
_LINK = re.compile(r"https?://[!-~]+")
_STATUS = {
    "en": {"firing": "FIRING", "resolved": "RESOLVED", "event": "EVENT"},
    "zh": {"firing": "告警", "resolved": "已恢复", "event": "事件"},
}
_SEVERITY = {
    "en": {"critical": "critical", "warning": "warning", "info": "info"},
    "zh": {"critical": "严重", "warning": "警告", "info": "提示"},
}
_SINCE = {"en": "since", "zh": "开始于"}
_RUNBOOK = {"en": "Runbook", "zh": "处理手册"}
_DETAILS = {"en": "Details", "zh": "详情"}
# Labels that the first line of an alert or its route says already.
_SAID = frozenset({"alertname", "severity", "service", "prometheus"})


@dataclass(frozen=True)
class Block:
    """One alert or event: its first line, its text, and a link that no cut takes away."""

    head: str
    text: str = ""
    label: str = ""
    link: str = ""


@dataclass(frozen=True)
class Notification:
    """What came in one request. `group` says which earlier one it follows, `state` tells it from that one."""

    title: str
    severity: str
    blocks: tuple[Block, ...]
    group: str = ""
    state: str = ""


def from_alertmanager(document: Mapping[str, Any], language: str) -> Notification:
    """Alertmanager's webhook, version 4: one notification for a group, a block for each of its alerts. ValueError."""
    alerts = document.get("alerts")
    if not isinstance(alerts, list) or not alerts or not all(isinstance(one, dict) for one in alerts):
        raise ValueError("alerts must be a list of objects, as Alertmanager's webhook has it")
    blocks, firing, severities, state = [], 0, [], []
    for one in alerts:
        labels, annotations = _texts(one.get("labels")), _texts(one.get("annotations"))
        status = "resolved" if one.get("status") == "resolved" else "firing"
        severity = labels.get("severity", "")
        if status == "firing":
            firing += 1
            severities.append(severity)
        blocks.append(_alert(one, labels, annotations, status, language))
        state.append(
            "\0".join(
                (status, str(one.get("fingerprint") or sorted(labels.items())), str(one.get("startsAt")))
            )
        )
    name = _line(
        _texts(document.get("groupLabels")).get("alertname")
        or _texts(alerts[0].get("labels")).get("alertname", "")
    )
    words = _STATUS[language]
    counts = [f"{words['firing']} {firing}"] if firing else []
    if resolved := len(alerts) - firing:
        counts.append(f"{words['resolved']} {resolved}")
    return Notification(
        title=f"[{', '.join(counts)}] {name}",
        severity=next((one for one in SEVERITIES if one in severities), ""),
        blocks=tuple(blocks),
        group=str(document.get("groupKey", ""))[:_LONGEST],
        state="\n".join(sorted(state)),
    )


def from_event(document: Mapping[str, Any], language: str) -> Notification:
    """An event of Argo CD, Argo Rollouts or a program of ours, {title, message, severity, url, ...}. ValueError."""
    message = document.get("message")
    if not isinstance(message, str) or not message.strip():
        raise ValueError(
            'message must be a text, e.g. {"title": "Sync failed", "message": "...", "severity": "warning"}'
        )
    severity = document.get("severity", "info")
    if severity not in SEVERITIES:
        raise ValueError(f"severity must be one of {', '.join(SEVERITIES)}")
    title = _line(str(document.get("title") or document.get("kind") or "event"))
    about = {
        key: value
        for key, value in _texts(document).items()
        if key in ("namespace", "rollout", "application", "commit")
    }
    head = f"[{_STATUS[language]['event']}] {_SEVERITY[language][severity]} {title}"
    text = "\n".join(filter(None, (_text(message), _labels(about))))
    block = Block(head, text, _DETAILS[language], _link(str(document.get("url", ""))))
    return Notification(title=f"[{_STATUS[language]['event']}] {title}", severity=severity, blocks=(block,))


def _alert(
    alert: Mapping[str, Any],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    status: str,
    language: str,
) -> Block:
    severity = labels.get("severity", "")
    severity = _SEVERITY[language].get(severity, _line(severity))
    head = f"[{_STATUS[language][status]}] {severity} {_line(labels.get('alertname', ''))}"
    suffix = "_zh" if language == "zh" else ""
    summary = annotations.get(f"summary{suffix}") or annotations.get("summary", "")
    description = annotations.get(f"description{suffix}") or annotations.get("description", "")
    about = {key: value for key, value in labels.items() if key not in _SAID}
    since = f"{_SINCE[language]} {_line(str(alert.get('startsAt', '')))[:19]}Z"
    lines = (_text(summary), _text(description), _labels(about), since if alert.get("startsAt") else "")
    return Block(
        head, "\n".join(filter(None, lines)), _RUNBOOK[language], _link(annotations.get("runbook_url", ""))
    )


def _labels(labels: Mapping[str, str]) -> str:
    return " ".join(f"{_line(key)}={_line(value)}" for key, value in sorted(labels.items()))


def _texts(value: Any) -> dict[str, str]:
    """A map of texts as a stranger wrote it; what is none is left out."""
    if not isinstance(value, dict):
        return {}
    return {key: one for key, one in value.items() if isinstance(one, str)}


def _text(value: str) -> str:
    """Nothing in it is a mention, a link that says another address, or a character that is not seen."""
    plain = visible(value[:_LONGEST], lines=False).replace("<", "‹").replace(">", "›").replace("](", "] (")
    return re.sub(r"@(?=all\b|所有人|everyone|channel|here)", "＠", plain).strip()


def _line(value: str) -> str:
    return " ".join(_text(value[:100]).split())


def _link(value: str) -> str:
    return (
        value
        if len(value) <= _LONGEST_LINK and _LINK.fullmatch(value) and not set("<>()[]|\"'`\\") & set(value)
        else ""
    )
