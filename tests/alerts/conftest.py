"""`promtool(tests, rules)` runs rule unit tests; `render` gives the rules of a chart."""

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

Promtool = Callable[[dict[str, Any], list[dict[str, Any]]], None]


@pytest.fixture(scope="session")
def promtool_path() -> Path:
    return program("LLMOPS_PROMTOOL", "bin/promtool")


@pytest.fixture
def promtool(promtool_path: Path, tmp_path: Path) -> Promtool:
    """Runs `promtool check rules` and `promtool test rules`; a failure shows promtool's own words.

    `tests` is a promtool test file as a dict, without `rule_files`: {"evaluation_interval": "15s", "tests": [...]}.
    `rules` are PrometheusRule objects; their groups are loaded in the order given.
    """

    def run(tests: dict[str, Any], rules: list[dict[str, Any]]) -> None:
        files = []
        for index, rule in enumerate(rules):
            assert rule["kind"] == "PrometheusRule", rule["kind"]
            path = tmp_path / f"rules-{index}.yaml"
            path.write_text(yaml.safe_dump({"groups": rule["spec"]["groups"]}), encoding="utf-8")
            files.append(path.name)
        assert files, "promtool needs at least one PrometheusRule"
        # A rate of 10 comes out as 9.999999999999998.
        suite = {"rule_files": files, "fuzzy_compare": True, **tests}
        (tmp_path / "tests.yaml").write_text(yaml.safe_dump(suite, sort_keys=False), encoding="utf-8")
        for command in (["check", "rules", "--lint=all", *files], ["test", "rules", "tests.yaml"]):
            done = subprocess.run(
                [str(promtool_path), *command], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"promtool {' '.join(command)}\n{done.stdout}{done.stderr}"

    return run
