"""Runbooks: a page for each alert in both languages, with commands, queries and keys that exist."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Context

from llmops.cli import main
from tests.alerts.conftest import Mismatches
from tests.charts.conftest import CHARTS, ROOT, Render

BOOKS = ROOT / "docs/runbooks"
PAGES = sorted(BOOKS.glob("*/*.md"))
SECTIONS = {
    "en": ["Meaning", "Impact", "Diagnosis", "Mitigation"],
    "zh": ["含义", "影响", "诊断", "处理"],
}
KUBECTL = {"cordon", "create", "delete", "describe", "drain", "exec", "get", "logs"}
KEYS = ("alert-rules", "vllm-inference", "gpu-hpa", "drift-cronjob")


def ids(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def names(render: Render) -> set[str]:
    groups = render("alert-rules").one("PrometheusRule")["spec"]["groups"]
    return {rule["alert"] for group in groups for rule in group["rules"]}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.S | re.M)


def inline(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    return re.findall(r"`([^`]+)`", text)


def commands(page: Path) -> Iterator[list[str]]:
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    lines += [
        code
        for code in inline(page)
        if code.split()[0] in ("kubectl", "helm", "llmops", "make") and " " in code
    ]
    for line in lines:
        yield shlex.split(line)


def verb(command: list[str]) -> str:
    """The first word after the program that is no flag; `-n NAMESPACE` takes two."""
    words = command[1:]
    while words[0] == "-n":
        words = words[2:]
    return words[0]


@pytest.mark.parametrize("language", SECTIONS)
def test_every_alert_has_a_page_and_every_page_an_alert(language: str, render: Render) -> None:
    assert {path.stem for path in (BOOKS / language).iterdir()} == {name.lower() for name in names(render)}


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_a_page_has_the_alert_as_title_and_the_four_sections(page: Path, render: Render) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    title = lines[0].removeprefix("# ")
    assert title in names(render)
    assert page.stem == title.lower()
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == SECTIONS[
        page.parent.name
    ]
    sections = re.split(r"^## .*$", page.read_text(encoding="utf-8"), flags=re.M)[1:]
    assert all(section.strip() for section in sections)


@pytest.mark.real
@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_exist(page: Path, helm4_path: Path) -> None:
    found = list(commands(page))
    assert found
    for command in found:
        match command[0]:
            case "kubectl":
                assert verb(command) in KUBECTL, command
            case "llmops":
                known = main.get_command(Context(main), command[1])
                assert known, command
                options = {name for option in known.params for name in option.opts}
                assert {word for word in command if word.startswith("--")} <= options, command
            case "helm":
                done = subprocess.run(
                    [str(helm4_path), verb(command), "--help"], capture_output=True, text=True, check=True
                )
                flags = {word.split("=")[0] for word in command if word.startswith("--")}
                assert all(flag in done.stdout for flag in flags), command
            case other:
                raise AssertionError(f"{other} is no program that a reader has")


@pytest.mark.parametrize("stem", sorted({path.stem for path in PAGES}))
def test_both_languages_name_the_same_commands_and_queries(stem: str) -> None:
    english, chinese = (BOOKS / language / f"{stem}.md" for language in ("en", "zh"))
    assert list(commands(english)) == list(commands(chinese))
    assert blocks(english, "promql") == blocks(chinese, "promql")
    assert re.search(r"[\u4e00-\u9fff]", english.read_text(encoding="utf-8")) is None


@pytest.mark.real
def test_queries_parse(mismatches: Mismatches) -> None:
    queries = sorted({query for page in PAGES for query in blocks(page, "promql")})
    rules = [{"record": f"runbook:query_{index}", "expr": query} for index, query in enumerate(queries)]
    assert rules
    assert not mismatches(
        {"tests": []},
        [{"kind": "PrometheusRule", "spec": {"groups": [{"name": "runbooks", "rules": rules}]}}],
    )


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_keys_of_values_exist(page: Path) -> None:
    shared = yaml.safe_load((CHARTS / "llm-common/global.schema.yaml").read_text(encoding="utf-8"))
    values = [yaml.safe_load((CHARTS / chart / "values.yaml").read_text(encoding="utf-8")) for chart in KEYS]
    for code in inline(page):
        if re.fullmatch(r"[a-z]\w*(\.\w+)+(: \w+)?", code):
            path = code.split(":")[0].split(".")
            known = (
                _in_schema(shared, path[1:])
                if path[0] == "global"
                else any(_in(tree, path) for tree in values)
            )
            assert known, code


def _in_schema(schema: dict[str, Any], path: list[str]) -> bool:
    for key in path:
        if key not in schema.get("properties", {}):
            return False
        schema = schema["properties"][key]
    return True


def _in(tree: Any, path: list[str]) -> bool:
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return False
        tree = tree[key]
    return True


def test_the_overview_lists_what_the_chart_has(render: Render) -> None:
    """docs/alerts.md: name, severity and `for` of every alert, in one table."""
    groups = render("alert-rules").one("PrometheusRule")["spec"]["groups"]
    chart = {
        (rule["alert"], rule["labels"]["severity"], rule["for"])
        for group in groups
        for rule in group["rules"]
    }
    text = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| (\w+) \| (critical|warning|info) \| (\w+) \|", text, re.M)) == chart
    assert f"200 models have {len(chart)} alerts" in text
