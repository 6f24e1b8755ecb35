"""`llmops alerts`: what is watched, and whether somebody is told."""

from __future__ import annotations

import json
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import click

from llmops.commands.options import PATH, Selection, renderer
from llmops.commands.output import say
from llmops.findings import InputError, RefusedError

_CHART = Path("charts/alert-rules")
_LARGEST = 64 * 1024


@click.group()
def alerts() -> None:
    """Looks at alerts, and at who is told of them."""


@alerts.command("list")
@click.option(
    "--chart", type=PATH, default=_CHART, show_default=True, help="A chart that renders PrometheusRules."
)
@click.option(
    "-f", "--values", "files", type=PATH, multiple=True, help="Values file; repeatable, later ones win."
)
def alerts_list(chart: Path, files: tuple[Path, ...]) -> None:
    """One line for each alert: name, severity, how long it must hold, and what it says."""
    from llmops import release
    from llmops.checks.refusals import taken

    (inputs,) = Selection(chart=chart, files=files).inputs()
    rendered = taken(release.render(inputs, renderer("sdk")))
    rules = [
        rule
        for one in rendered.objects
        if one.data.get("kind") == "PrometheusRule"
        for group in one.data["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    if not rules:
        raise RefusedError(f"{chart} renders no alert: every key of `alerts` is off")
    width = max(len(rule["alert"]) for rule in rules)
    for rule in rules:
        say(f"{rule['alert']:{width}}  {rule['labels']['severity']:8}  {rule['for']:>4}  {_summary(rule)}")


def _summary(rule: dict[str, Any]) -> str:
    return " ".join(str(rule["annotations"]["summary"]).split())


@alerts.command("test")
@click.argument("receiver")
@click.option(
    "--relay",
    default="http://127.0.0.1:8080",
    show_default=True,
    help="The relay, e.g. behind kubectl port-forward.",
)
def alerts_test(receiver: str, relay: str) -> None:
    """Send one message to RECEIVER (its name and way, oncall-dingtalk) and show what the robot says.

    Exit status 1 when it was not taken.
    """
    from llmops.jobs.exchange import ExchangeError, exchange

    if urllib.parse.urlsplit(relay).scheme not in ("http", "https"):
        raise InputError(f"--relay must be a URL such as http://127.0.0.1:8080, not {relay}")
    url = f"{relay.rstrip('/')}/test/{urllib.parse.quote(receiver, safe='')}"
    try:
        answer = exchange(url, timeout=30.0, limit=_LARGEST, body=b"")
    except ExchangeError as error:
        raise InputError(
            f"the relay at {relay} does not answer ({error}); first kubectl port-forward svc/llm-alert-relay 8080"
        ) from None
    text = answer.body.decode("utf-8", "replace")
    try:
        found = json.loads(text)
        line = f"{found['receiver']} ({found['kind']}): {found['outcome']}: {found['says']}"
    except (ValueError, TypeError, KeyError):
        raise InputError(f"the relay at {relay} says {answer.status}: {text.strip()[:300]}") from None
    say(line)
    sys.exit(0 if found["outcome"] == "sent" else 1)
