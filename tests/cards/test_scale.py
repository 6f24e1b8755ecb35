"""Two hundred models in four environments: gate and status of all, on one look."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable

import pytest

from llmops.cards import status
from llmops.cards import tree as values
from tests.cards.tree import MODEL, Tree, card

pytestmark = [pytest.mark.real, pytest.mark.long]

MODELS, SECONDS = 200, 20


def test_gate_and_status_of_two_hundred_models_take_less_than_twenty_seconds_of_processor(
    tree: Tree, record_property: Callable[[str, object], None]
) -> None:
    one = tree
    shutil.copytree(one.model / "envs/staging", one.model / "envs/test")
    one.commit("A fourth environment")
    one.promote("test", version="1.1.0")
    for number in range(1, MODELS):
        name = f"{MODEL}-{number}"
        shutil.copytree(one.model, one.model.parent / name)
        for version in ("1.0.0", "1.1.0"):
            folder = one.model.parent / name / "versions" / version
            text = (folder / "eval-results.json").read_text()
            one.write(folder / "model-card.yaml", card(version, text, metadata={"name": name}))
            (folder / "approval.yaml").unlink()
    one.commit("Two hundred models")
    for number in range(1, MODELS):
        for version in ("1.0.0", "1.1.0"):
            part = f"versions/{version}/approval.yaml"
            shutil.copy(one.model / part, one.model.parent / f"{MODEL}-{number}" / part)
    one.commit("Approved", who="bob", sign=True)
    folders = values.model_folders(one.model.parent)
    before = spent()
    rows = status.rows(one.judge(), folders)
    seconds = spent() - before
    record_property("seconds of processor", round(seconds, 1))
    assert len(rows) == 4 * MODELS
    # Of copies the release names the card of the original: every one of them was looked at.
    assert {(row.model == MODEL, row.gate) for row in rows} == {(True, "passed"), (False, "refused")}
    assert seconds < SECONDS, seconds


def spent() -> float:
    """Seconds of processor of this process and of the programs that it started."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
