"""The cases are strict: an alert with one comparison turned round, or one selector dropped, fails some of them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.alerts.test_alerts import SPECS, layer, suites, terse
from tests.charts.conftest import Render

pytestmark = pytest.mark.real

TURNED = {">": "<", "<": ">", "==": "!=", "<=": ">"}


def mutants(expr: str) -> Iterator[str]:
    for found in re.finditer(r"(?<=\s)(>|<|==|<=) (?!bool)", expr):
        yield expr[: found.start(1)] + TURNED[found[1]] + expr[found.end(1) :]
    for found in re.finditer(r"{[^}]+}", expr):
        yield expr[: found.start()] + expr[found.end() :]


@pytest.mark.parametrize("name", SPECS)
def test_a_wrong_alert_is_noticed(name: str, render: Render, promtool_path: Path, tmp_path: Path) -> None:
    spec = SPECS[name]
    values = layer(spec, {})
    (tmp_path / "tests.yaml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], **suites(name, values)}), encoding="utf-8"
    )
    rule = terse(render("alert-rules", spec.get("values", {})).one("PrometheusRule"), name)
    (group,) = rule["spec"]["groups"]
    (alert,) = group["rules"]
    wrong = list(mutants(alert["expr"]))
    assert wrong
    for expr in wrong:
        rules = {"groups": [{**group, "rules": [{**alert, "expr": expr}]}]}
        (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
        done = subprocess.run(
            [str(promtool_path), "test", "rules", "tests.yaml"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "FAILED" in done.stdout + done.stderr, f"no case fails for\n{expr}"
        assert "exp:" in done.stdout + done.stderr, done.stdout + done.stderr
