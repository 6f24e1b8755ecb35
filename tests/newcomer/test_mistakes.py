"""Mistakes of newcomers: none is silent, and each is told with file, line, key and what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.render import Renderer
from tests.newcomer.judged import HERE, findings, missed, planted

CASES = yaml.safe_load((HERE / "mistakes.yaml").read_text(encoding="utf-8"))
OPEN = yaml.safe_load((HERE / "open.yaml").read_text(encoding="utf-8")) or []
"""Mistakes that are not told well yet."""

FINE = {
    "a number without quotes": ('cpu: "4"', "cpu: 4"),
    "a boolean as YAML 1.1 has it": ("monitoring: true", "monitoring: yes"),
    "a comment in Chinese": ("# Qwen3-4B on one L40S.", "# \u7b2c\u4e00\u4e2a\u6a21\u578b"),
    "lines as Windows ends them": ("\n", "\r\n"),
    "a byte order mark": ("# Qwen3-4B", "\ufeff# Qwen3-4B"),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["mistake"].replace(" ", "-"))
def test_a_mistake_is_told_where_it_stands_with_what_to_write(
    case: dict[str, Any], tmp_path: Path, renderer: Renderer
) -> None:
    values = planted(case, tmp_path)
    lacking = missed(case, findings(values, case.get("env", "prod"), renderer), values)
    assert bool(lacking) == (case["mistake"] in OPEN), "\n".join(lacking) or "take it out of open.yaml"


def test_the_list_is_whole() -> None:
    names = [case["mistake"] for case in CASES]
    assert len(set(names)) == len(names) == 75
    assert set(OPEN) <= set(names)


@pytest.mark.parametrize("name", FINE)
def test_what_is_no_mistake_is_taken(name: str, tmp_path: Path, renderer: Renderer) -> None:
    values = planted({}, tmp_path)
    file = values / "models/mine/values.yaml"
    old, new = FINE[name]
    file.write_bytes(file.read_text(encoding="utf-8").replace(old, new).encode())
    assert findings(values, "all", renderer) == []
