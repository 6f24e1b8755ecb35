"""Argo Rollouts' AnalysisTemplates: limits, durations, providers."""

from __future__ import annotations

import re
from typing import Any

from llmops.kubernetes.semantics.rollouts import DURATION, as_map
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    each,
    missing,
    number,
    shown,
)

_PROVIDERS = ("prometheus", "job", "web", "wavefront", "kayenta", "datadog", "newRelic", "cloudWatch", "graphite",
              "influxdb", "skywalking")  # fmt: skip


def _limit(value: Any) -> int:
    """A limit as the controller reads it: what is no number is 0."""
    if number(value) is not None:
        return int(value)
    return int(value) if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value) else 0


def _metric(value: Any, at: str, out: Report) -> None:
    if not isinstance(value, dict):
        return
    total, failures = _limit(value.get("count")), _limit(value.get("failureLimit"))
    successes, unclear = _limit(value.get("consecutiveSuccessLimit")), _limit(value.get("inconclusiveLimit"))
    for name, given, least in (
        ("consecutiveSuccessLimit", successes, 0),
        ("failureLimit", failures, -1),
        ("inconclusiveLimit", unclear, 0),
        ("consecutiveErrorLimit", _limit(value.get("consecutiveErrorLimit")), 0),
    ):
        if given < least:
            out.add(
                "analysis",
                f"{at}/{name}",
                f"must be at least {least}, not {given}",
                f"Write {least} or more.",
            )
    if failures == -1 and successes == 0:
        said = "is -1, which needs a consecutiveSuccessLimit"
        out.add("analysis", f"{at}/failureLimit", said, "Write consecutiveSuccessLimit, or 0 or more.")
    if total > 0:
        least = max(failures, 0) + max(successes, 0)
        if total < least:
            said = f"is {total}, less than failureLimit and consecutiveSuccessLimit together, {least}"
            out.add("analysis", f"{at}/count", said, f"Write {least} or more.")
        if total < unclear:
            said = f"is {unclear}, more than count {total}"
            out.add("analysis", f"{at}/inconclusiveLimit", said, f"Write at most {total}.")
    if total > 1 and not value.get("interval"):
        out.add("analysis", f"{at}/interval", f"is missing, but count is {total}", "Write interval.")
    for name in ("interval", "initialDelay"):
        written = value.get(name)
        if isinstance(written, str) and written and not _readable(written):
            out.add("analysis", f"{at}/{name}", f"is {shown(written)}, no duration", "Write it as 30s or 5m.")
    provider = as_map(value.get("provider"))
    found = [name for name in _PROVIDERS if provider.get(name) is not None] + list(
        as_map(provider.get("plugin"))
    )
    if len(found) != 1:
        said = f"names {len(found)} providers of exactly one"
        out.add(
            "analysis",
            f"{at}/provider",
            said,
            "Write one provider; for each other write a metric of its own.",
        )


def _readable(duration: str) -> bool:
    # A query's argument stands for a duration that is not known yet.
    return bool(DURATION.fullmatch(duration)) or "{{" in duration


def _metrics(spec: Any, at: str, out: Report) -> None:
    if not spec.get("metrics") and not spec.get("templates"):
        missing(out, f"{at}/metrics", "analysis")


analysis: Check = Struct({"spec": Struct({"metrics": each(_metric, unique="name")}, _metrics)})
