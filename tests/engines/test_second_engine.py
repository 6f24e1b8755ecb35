"""A second engine is a table, a template folder and a metric catalogue: the folder `toy`, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from generate import defines, settings
from llmops import checks, engines
from llmops.examine import releases
from llmops.findings import Severity
from llmops.release import Inputs, from_manifests
from llmops.render import Renderer, Target

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).with_name("toy")
DIGEST = "@sha256:" + "4f53cda18c2baa0c" * 4


@pytest.fixture(autouse=True)
def own_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_DATA", str(TOY / "data"))


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `toy-inference` beside the charts, with what the generators write from its table."""
    root = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__", "*.tgz")
    for folder in ("charts", "scripts/llmops/data"):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    shutil.copytree(TOY / "data", root / "scripts/llmops/data", dirs_exist_ok=True)
    made = root / "charts/toy-inference"
    shutil.copytree(TOY / "toy-inference", made)
    shutil.copytree(ROOT / "charts/vllm-inference/files", made / "files")
    # What llm-serving reads is spelled as in vllm-inference.
    usual = yaml.safe_load((ROOT / "charts/vllm-inference/values.yaml").read_text(encoding="utf-8"))
    own: dict[str, Any] = {
        "version": "2.1.0",
        "maxModelLen": 4096,
        "parallelism": {"tensor": 1, "pipeline": 1},
    }
    values = usual | {
        "engine": usual["engine"] | own,
        "image": {"repository": "toys/engine", "digest": DIGEST[1:]},
    }
    (made / "values.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    (made / "values.schema.json").write_text(
        '{"properties": {"engine": {"type": "object"}}}', encoding="utf-8"
    )
    defines.generate(root)
    settings.generate(root)
    return made


def rules(text: str) -> dict[str, str]:
    found = checks.run(from_manifests(text, "given.yaml", "1.35")).findings
    return {one.rule: one.message for one in found}


def pod(image: str, *arguments: str, command: list[str] | None = None) -> str:
    container = {"name": "x", "image": image, "args": list(arguments)} | (
        {"command": command} if command else {}
    )
    return yaml.safe_dump(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [container]}}
    )


def test_its_images_are_judged_by_its_own_table() -> None:
    assert (
        "Toy 2.0.3 is open to TOY-1" in rules(pod("mirror.example/toys/engine:2.0.3"))["image/unsafe-engine"]
    )
    assert "image/unsafe-engine" not in rules(pod("toy-engine:2.1.0"))
    assert "image/unsafe-engine" in rules(pod("vllm/vllm-openai:v0.9.2"))


@pytest.mark.parametrize(
    "command", [None, ["toy-server", "run"], ["sh", "-c", "exec toy-server run m --contxt 1"]]
)
def test_its_flags_are_judged_by_its_own_table(command: list[str] | None) -> None:
    arguments = [] if command and "-c" in command else ["m", "--contxt=1", "--port=1"]
    found = rules(pod("toys/engine:2.1.0", *arguments, command=command))
    assert "Toy 2.1.0 has no flag --contxt" in found["engine/unknown-flag"]


def test_queries_may_ask_for_what_its_catalogue_has() -> None:
    def rule(expression: str) -> str:
        rule = {"alert": "A", "expr": expression}
        spec = {"groups": [{"name": "g", "rules": [rule]}]}
        kind = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": {"name": "x"}}
        return yaml.safe_dump({**kind, "spec": spec})

    assert "promql/unknown-metric" not in rules(rule("sum(toy:running) > 9"))
    assert "toy has no such metric" in rules(rule("sum(toy:runing) > 9"))["promql/unknown-metric"]
    # Of the version in the manifests: this name came with 2.1.0.
    both = f"{rule('sum(rate(toy:tokens_total[5m])) > 9')}---\n"
    assert "promql/unknown-metric" in rules(both + pod("toys/engine:2.0.0"))
    assert "promql/unknown-metric" not in rules(both + pod("toys/engine:2.1.0"))


def test_a_scrape_of_another_path_is_a_finding() -> None:
    labelled = yaml.safe_load(pod("toys/engine:2.1.0"))
    labelled["metadata"]["labels"] = {"app": "toy"}
    labelled["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 9000}]
    monitor = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": "x"},
        "spec": {"selector": {"matchLabels": {"app": "toy"}}, "podMetricsEndpoints": [{"port": "http"}]},
    }
    found = rules(yaml.safe_dump_all([labelled, monitor]))
    assert "runs Toy, which answers nothing under /metrics" in found["graph/scrape-path-unknown"]
    monitor["spec"]["podMetricsEndpoints"] = [{"port": "http", "path": "/stats"}]  # type: ignore[index]
    assert "graph/scrape-path-unknown" not in rules(yaml.safe_dump_all([labelled, monitor]))


def test_a_release_of_it_renders_and_is_judged(chart: Path, renderer: Renderer, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    llm = {
        "engine": "toy",
        "model": {"name": "m", "source": "hf://org/m", "revision": "0" * 40},
        "gpu": {"product": "L4", "budget": 8},
        "environment": {"name": "dev", "namespace": "llm"},
    }
    file.write_text(yaml.safe_dump({"global": {"llm": llm}, "workload": "Deployment"}), encoding="utf-8")
    (report,) = releases([Inputs(chart, (file,), Target("m", "llm", "1.35"))], renderer, ["1.35"])
    view = report.release.view
    assert view.engine is engines.engine("toy")
    assert view.served.text("engine.version") == "2.1.0"
    assert [(one.rule, one.message) for one in report.findings if one.severity is Severity.ERROR] == []
    (workload,) = [obj for obj in report.release.objects if obj.kind == "Deployment"]
    container = workload.data["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "toys/engine:2.1.0" + DIGEST
    assert container["ports"] == [{"name": "http", "containerPort": 9000}]
    assert {obj.kind for obj in report.release.objects} >= {
        "Deployment",
        "Service",
        "NetworkPolicy",
        "ServiceAccount",
    }
