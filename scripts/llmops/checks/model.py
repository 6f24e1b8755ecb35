"""Theme `model`: what the values say about the model itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmops.checks.registry import ERROR, rule, values_defect
from llmops.findings import Finding
from llmops.references import mapping, text
from llmops.release import Release

MODEL = "/global/llm/model"
_COMMIT = re.compile(r"[0-9a-f]{40}")


@rule(
    severity=ERROR,
    fix="Write the commit of the model repository, 40 hex digits, into global.llm.model.revision.",
)
def unpinned_revision(release: Release) -> Iterator[Finding]:
    """A branch or no revision loads whatever the repository holds that day, other weights and code included.

    Two replicas of one release may then answer differently, and a rollback does not restore the old weights.
    """
    model = mapping(mapping(mapping(release.values.get("global")).get("llm")).get("model"))
    source, revision = text(model.get("source")), model.get("revision")
    if not source.startswith("hf://") or (isinstance(revision, str) and _COMMIT.fullmatch(revision)):
        return
    given = f"is {revision!r}, no commit" if revision else "is empty"
    yield values_defect(release, f"{MODEL}/revision", f"the revision of {source} {given}.")
