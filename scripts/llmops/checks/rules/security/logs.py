"""What people tell a model, in logs."""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.reading.command_line import lines
from llmops.checks.registry import WARNING, defect, rule
from llmops.findings import Finding
from llmops.release import Release


@rule(
    "LS101",
    severity=WARNING,
    fix="Write --max-log-len with the characters that may be kept, e.g. 0, beside it.",
)
def prompts_in_logs(release: Release) -> Iterator[Finding]:
    """With request logging and no limit whole prompts stand in the logs, with all that people told the model."""
    for pods, line in lines(release):
        limited = line.flags("--max-log-len")
        for word in line.flags("--enable-log-requests", "--enable-log-outputs"):
            if not limited:
                yield defect(pods.owner, word.pointer, f"{word.flag} has no limit.")
                break
