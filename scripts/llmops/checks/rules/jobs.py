"""Theme `jobs`: does what is planned ever run?"""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.references import text
from llmops.release import Release

_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@rule("LK601", severity=ERROR, fix="Write a day that one of the months has.")
def never_runs(release: Release) -> Iterator[Finding]:
    """The API server takes a date that no year has, such as 30 February; the CronJob is there and never runs.

    With a day of the week beside it, one of the two is enough.
    """
    for job in graph(release).of_kind(("batch", "CronJob")):
        schedule = text(job.get("/spec/schedule"))
        fields = schedule.split()
        if len(fields) == 5 and fields[4] in ("*", "?") and _never(fields[2], fields[3]):
            yield defect(job, "/spec/schedule", f"no year has the day {fields[2]} of month {fields[3]}.")


def _never(days: str, months: str) -> bool:
    """Whether plain lists of days and months have no day in common; anything else is not judged."""
    if not all(part.isdecimal() for part in (*days.split(","), *months.split(","))):
        return False
    longest = max((_DAYS[int(month) - 1] for month in months.split(",") if 1 <= int(month) <= 12), default=31)
    return all(longest < int(day) <= 31 for day in days.split(","))
