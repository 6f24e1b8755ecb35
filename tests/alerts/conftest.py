"""`mismatches(tests, rules)` asks promtool about rule unit tests; `render` gives the rules of a chart."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.conftest import render
from tests.conftest import program

__all__ = ["render"]

Mismatches = Callable[[dict[str, Any], list[dict[str, Any]]], str]


@pytest.fixture(scope="session")
def promtool_path() -> Path:
    return program("LLMOPS_PROMTOOL", "bin/promtool")


@pytest.fixture
def mismatches(promtool_path: Path, tmp_path: Path) -> Mismatches:
    """What `promtool check rules` and `promtool test rules` find, in promtool's own words; "" where all is as expected.

    `tests` is a promtool test file as a dict, without `rule_files`: {"evaluation_interval": "15s", "tests": [...]}.
    `rules` are PrometheusRule objects; their groups are loaded in the order given.
    """

    def run(tests: dict[str, Any], rules: list[dict[str, Any]]) -> str:
        files = []
        for index, rule in enumerate(rules):
            path = tmp_path / f"rules-{index}.yaml"
            path.write_text(yaml.safe_dump({"groups": rule["spec"]["groups"]}), encoding="utf-8")
            files.append(path.name)
        if not files:
            raise ValueError("promtool needs at least one PrometheusRule")
        # A rate of 10 comes out as 9.999999999999998.
        suite = {"rule_files": files, "fuzzy_compare": True, **tests}
        (tmp_path / "tests.yaml").write_text(yaml.safe_dump(suite, sort_keys=False), encoding="utf-8")
        for command in (["check", "rules", "--lint=all", *files], ["test", "rules", "tests.yaml"]):
            done = subprocess.run(
                [str(promtool_path), *command], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                return f"promtool {' '.join(command)}\n{done.stdout}{done.stderr}"
        return ""

    return run
