"""The comparison of two trees of charts finds what differs, and says where."""

from __future__ import annotations

import re
from pathlib import Path

from tests.render_equal import run

VALUES = "name: a\n"
TEMPLATE = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Values.name }}
data:
  one: "1"
"""


def tree(folder: Path, template: str) -> Path:
    chart = folder / "charts/small"
    files = {"Chart.yaml": "apiVersion: v2\nname: small\nversion: 0.1.0\n", "templates/x.yaml": template}
    for name, text in {**files, "values.yaml": "", "ci/default-values.yaml": VALUES}.items():
        (chart / name).parent.mkdir(parents=True, exist_ok=True)
        (chart / name).write_text(text, encoding="utf-8")
    return folder


def compared(tmp_path: Path, template: str, *allow: str) -> tuple[str, bool]:
    sides = tree(tmp_path / "before", TEMPLATE), tree(tmp_path / "after", template)
    lines, fine = run(*sides, ["1.35.0"], allow)
    return "\n".join(lines), fine


def test_equal_objects_are_equal_wherever_their_template_stands(tmp_path: Path) -> None:
    text, fine = compared(tmp_path, "\n---\n# moved\n---\n" + TEMPLATE + "\n")
    assert fine
    assert text == "1 renders, 0 differences, all meant"


def test_a_difference_names_object_place_and_both_sides(tmp_path: Path) -> None:
    text, fine = compared(tmp_path, TEMPLATE.replace('"1"', '"2"'))
    assert not fine
    assert 'ConfigMap/a /data/one\n  before: "1"\n  after:  "2"\n' in text
    assert "in 1 renders: charts/small/ci/default-values.yaml" in text


def test_not_even_a_quote_changes_unseen(tmp_path: Path) -> None:
    text, fine = compared(tmp_path, TEMPLATE.replace('"1"', "'1'"))
    assert not fine
    assert re.search(r"before: text .*one: .*\n  after:  text .*one: '1'", text)


def test_a_lost_object_and_a_refusal_are_differences(tmp_path: Path) -> None:
    text, fine = compared(tmp_path, '{{ fail "no" }}')
    assert not fine
    assert "before: an object\n  after:  nothing" in text
    assert "refused /\n  before: nothing\n  after:  no\n" in text


def test_what_is_meant_is_allowed_and_only_that(tmp_path: Path) -> None:
    changed = TEMPLATE.replace('"1"', '"2"')
    assert compared(tmp_path, changed, "ConfigMap/* /data/*")[1]
    text, fine = compared(tmp_path, changed, "ConfigMap/* /data/*", "Service/* /spec")
    assert not fine
    assert "NOT NEEDED: Service/* /spec" in text
