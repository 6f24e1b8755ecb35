"""Theme `waiver`: is a waiver still in force, and does it still answer for anything?"""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.registry import ERROR, WARNING, rule
from llmops.checks.waivers import Review, Waiver
from llmops.findings import Finding

_LONGEST_TERM = 2 * 366  # days


@rule(
    "LV201",
    severity=ERROR,
    fix="Repair what the waiver accepted and delete it, or give a new reason and date.",
    per_release=False,
)
def expired(review: Review) -> Iterator[Finding]:
    """A waiver is a promise with a date; after its last day the defect counts again."""
    for waiver in review.waivers:
        if waiver.expires < review.today:
            yield _about(review, waiver, "expires", f"the waiver of {waiver.rule} ended on {waiver.expires}.")


@rule("LV202", severity=WARNING, fix="Delete the waiver.", per_release=False)
def unused(review: Review) -> Iterator[Finding]:
    """A waiver that matches no finding in any environment hides the next defect of that kind."""
    folder = review.model_dir / "envs"
    there = {env.name for env in folder.iterdir() if env.is_dir()} if folder.is_dir() else set()
    for waiver in review.waivers:
        looked_everywhere = ({waiver.environment} if waiver.environment else there) <= review.environments
        judged = waiver.rule not in review.disabled and waiver.expires >= review.today
        if waiver not in review.used and looked_everywhere and judged:
            yield _about(review, waiver, "rule", f"the waiver of {waiver.rule} matches no finding.")


@rule("LV203", severity=WARNING, fix="Write a day within the next two years.", per_release=False)
def endless(review: Review) -> Iterator[Finding]:
    """A waiver that outlives everybody who knows its reason is a rule switched off for this model."""
    for waiver in review.waivers:
        if (waiver.expires - review.today).days > _LONGEST_TERM:
            message = (
                f"the waiver of {waiver.rule} expires on {waiver.expires}, more than two years from now."
            )
            yield _about(review, waiver, "expires", message)


def _about(review: Review, waiver: Waiver, field: str, message: str) -> Finding:
    index = review.waivers.index(waiver)
    return Finding(
        rule="",
        severity=ERROR,
        message=message,
        kind=waiver.kind,
        name=waiver.name or review.model_dir.name,
        path=f"/{index}/{field}",
        source=waiver.source,
    )
