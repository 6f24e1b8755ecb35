"""What a contributor writes by hand in each recipe, for an example of each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

VALUES = "charts/vllm-inference/values.yaml"
METRICS = "scripts/llmops/data/metrics"


def replace(file: Path, old: str, new: str) -> None:
    """AssertionError where the text is not there: then the example has to follow the tree."""
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{file} has no {old!r}"
    file.write_text(text.replace(old, new), encoding="utf-8")


def after(file: Path, line: str, new: str) -> None:
    """Adds lines below the first line that begins so."""
    text = file.read_text(encoding="utf-8")
    found = next((one for one in text.splitlines(keepends=True) if one.startswith(line)), None)
    assert found is not None, f"{file} has no line that begins with {line!r}"
    file.write_text(text.replace(found, found + new, 1), encoding="utf-8")


def rule(root: Path) -> None:
    file = root / "scripts/llmops/checks/rules/graph/my_defect.py"
    replace(file, '"replace this condition"', '"1"')
    replace(
        file,
        "What goes wrong in the cluster, and for whom, when an object has this defect.",
        "A key of 1 is odd.",
    )


def engine_flag(root: Path) -> None:
    key = "  # -- (int) Most log probabilities of a token that a request may ask for\n"
    schema = '  maxLogprobs: null # @schema type: [integer, "null"]; minimum: 0; maximum: 1000\n'
    after(root / VALUES, "  maxNumSeqs: null", key + schema)
    row = "  - {key: maxLogprobs, flag: --max-logprobs, since: 0.33.0}\n"
    after(root / "scripts/llmops/data/engines/vllm.yaml", "  - {key: maxNumSeqs,", row)
    after(root / "charts/vllm-inference/ci/everything-values.yaml", "  maxNumSeqs: 64", "  maxLogprobs: 20\n")


def alert(root: Path) -> None:
    for file in ("charts/alert-rules/files/slo.yaml", "tests/alerts/cases/llmmyalert.yaml"):
        replace(root / file, "llm:to_be_replaced", "llm:requests_waiting:sum")
    replace(root / "tests/alerts/cases/llmmyalert.yaml", "demo: replace this", "demo: what a person sees")


def panel(root: Path) -> None:
    call = (
        '        lines("Waiting and running", "Requests of all servers, by version.", "short",\n'
        '              target(f"sum by ({HASH}) (llm:requests_waiting:sum{{{MODEL}}})", "waiting")),\n'
    )
    after(root / "scripts/generate/dashboards.py", "    load = [", call)


def metric(root: Path) -> None:
    name = "vllm:prefix_cache_hits_total"
    after(root / METRICS / "vllm.yaml", "  preemptions:", f"  prefixCacheHits: {name}\n")
    rule = (
        "        - record: llm:prefix_cache_hits:rate5m\n"
        "          expr: sum {{ $by }} (rate({{ $signal.prefixCacheHits }}{ {{- $own -}} }[5m]))\n"
    )
    rules = root / "charts/monitoring/templates/model/recording-rules.yaml"
    after(rules, "          expr: sum {{ $by }} (rate({{ $signal.preemptions }}", rule)
    row = (
        '  - {name: "llm:prefix_cache_hits:rate5m", type: gauge,'
        " labels: [namespace, release, model_name, rollouts_pod_template_hash],\n"
        '     help: "Prompt tokens per second that were found in the cache."}\n'
    )
    after(root / METRICS / "llm.yaml", "metrics:", row)


def model(root: Path) -> None:
    models = root / "values/models"
    shutil.copytree(models / "qwen3-8b", models / "my-model")
    replace(models / "my-model/values.yaml", "name: qwen3-8b", "name: my-model")
    config = models / "my-model/config.json"
    figures = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps({**figures, "vocab_size": 151_000}, indent=2) + "\n", encoding="utf-8")


def gpu_type(root: Path) -> None:
    file = root / "scripts/llmops/data/gpus.yaml"
    row = (
        "RTX6000-96GB:\n  usableGiB: 94.5\n  reportedMiB: 97280\n  measured: false\n  bandwidthGBs: 1597\n"
        "  nodeLabels: [NVIDIA-RTX-PRO-6000-Example]\n"
    )
    file.write_text(file.read_text(encoding="utf-8").rstrip() + "\n" + row, encoding="utf-8")


EDITS: dict[str, Callable[[Path], None]] = {
    "A rule": rule,
    "An engine flag": engine_flag,
    "An alert": alert,
    "A panel": panel,
    "A metric": metric,
    "A model": model,
    "A GPU type": gpu_type,
}
