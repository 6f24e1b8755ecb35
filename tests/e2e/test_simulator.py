"""llm-d-inference-sim, somebody else's reading of vLLM's API and metrics: our programs understand it too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from lab import ROOT, cache
from lab.cluster.waiting import until
from tests.e2e.test_gateway import free_port, listens

CATALOGUE = ROOT / "scripts/llmops/data/metrics/vllm.yaml"


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    """Its address; requests take 20 ms to the first token and 5 ms to each further one."""
    program, port = cache() / "bin/llm-d-inference-sim", free_port()
    assert program.exists(), "the simulator is not built: python tools/setup.py cluster simulator"
    flags = [
        "--model=demo",
        "--served-model-name=demo",
        f"--port={port}",
        "--max-num-seqs=64",
        "--mode=random",
    ]
    flags += ["--force-dummy-tokenizer", "--time-to-first-token=20ms", "--inter-token-latency=5ms"]
    # It wants to know the pod it runs in.
    environment = os.environ | {"POD_NAME": "sim", "POD_NAMESPACE": "default"}
    process = subprocess.Popen(
        [str(program), *flags], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: listens(port) or process.poll() is not None, "the start of the simulator", seconds=30)
        assert process.poll() is None, "the simulator ended; start it by hand to see why"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def test_the_smoke_test_of_the_chart_passes(simulator: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "charts/vllm-inference/files/smoke.py")],
        env=os.environ | {"ENGINE_URL": simulator, "MODEL_NAME": "demo", "TIMEOUT_SECONDS": "10"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "6 of 6 checks passed", done.stdout + done.stderr


def test_the_load_generator_counts_no_loss(simulator: str, tmp_path: Path) -> None:
    out = tmp_path / "load.jsonl"
    command = [
        sys.executable,
        "-m",
        "lab.load",
        f"--url={simulator}",
        "--model=demo",
        f"--out={out}",
    ]
    subprocess.run(
        [*command, "--rate=20", "--seconds=5"], cwd=ROOT, check=True, capture_output=True, timeout=60
    )
    summary = json.loads(out.with_suffix(".summary.json").read_text())
    assert (summary["sent"], summary["lost"]) == (100, 0)


def test_its_metrics_stand_in_our_catalogue_with_type_and_labels(simulator: str) -> None:
    with urllib.request.urlopen(f"{simulator}/metrics", timeout=10) as answer:  # noqa: S310 it is ours
        families = list(text_string_to_metric_families(answer.read().decode()))
    rows = {row["name"]: row for row in yaml.safe_load(CATALOGUE.read_text())["metrics"]}
    # Exposition: a counter's family name lacks _total, and a histogram may be called NAME_total.
    seen = {
        f"{family.name}_total" if family.type == "counter" else family.name: family
        for family in families
        if family.name.startswith("vllm:") and not family.name.endswith("_created")
    }
    assert len(seen) >= 10
    # Where it differs from vLLM 0.33: a name that vLLM dropped, one without its prefix request_, a label misspelt.
    assert set(seen) - set(rows) == {"vllm:time_per_output_token_seconds", "vllm:max_num_generation_tokens"}
    strange: dict[str, set[str]] = {}
    for name in set(seen) & set(rows):
        assert seen[name].type == rows[name]["type"], name
        labels = {label for sample in seen[name].samples for label in sample.labels} - {"le"}
        if extra := labels - set(rows[name]["labels"]):
            strange[name] = extra
    assert strange == {"vllm:request_success_total": {"finish_reason"}}
