"""Pages for users: versions as pinned, links that lead somewhere, targets that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def test_versions_of_the_evidence_are_those_that_are_built() -> None:
    rows = re.findall(r"\| ([0-9]+\.[0-9.]+) \| tools/([a-z-]+) \|", (ROOT / "docs/evidence.md").read_text())
    assert len(rows) >= 12
    for version, folder in rows:
        pins = (ROOT / "tools" / folder / "go.mod").read_text()
        assert re.search(rf" v{re.escape(version)}( |$)", pins, re.MULTILINE), (version, folder)


@pytest.mark.parametrize("page", NAMES)
def test_links_lead_to_files(page: str) -> None:
    file = ROOT / page
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8"))
    gone = [one for one in targets if "://" not in one and not (file.parent / one).exists()]
    assert gone == []


@pytest.mark.parametrize("page", NAMES)
def test_make_targets_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    known = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    text = (ROOT / page).read_text(encoding="utf-8")
    # In code only: `make X Y` and lines of a block.
    code = re.findall(r"(?:^|`)make ([a-z][a-z0-9 -]*)", text, re.MULTILINE)
    named = {word for line in code for word in line.split() if not word.endswith("-")}
    assert sorted(named - known) == []
