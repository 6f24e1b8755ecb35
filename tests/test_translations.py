"""Pages in Chinese stay level with the English ones: same headings, commands, tables, links and pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "docs/first-cluster.md"]


def outline(text: str) -> list[str]:
    """Levels of headings, rows of tables, and lines of code without their comments, in order."""
    found, code = [], False
    for line in text.splitlines():
        if line.startswith("```"):
            code = not code
            found.append("```")
        elif code:
            # A comment, or what stands beside a file of a tree, is for readers of one language.
            found.append(re.split(r"\s+# |(?<=\S)\s{2,}", line)[0].rstrip())
        elif heading := re.match(r"#+ ", line):
            found.append(heading[0])
        elif line.startswith("|"):
            found.append("|" * line.count("|"))
    return found


def targets(text: str) -> set[str]:
    """What the page leads to; pages that exist in both languages count as one."""
    return {found.replace(".zh.md", ".md") for found in re.findall(r"\]\(([^)]+)\)", text)}


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_say_the_same(page: str) -> None:
    english = (ROOT / page).read_text(encoding="utf-8")
    chinese = (ROOT / page.replace(".md", ".zh.md")).read_text(encoding="utf-8")
    assert outline(chinese) == outline(english)
    assert targets(chinese) == targets(english)
