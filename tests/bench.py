"""Times what users wait for, each against a yardstick of the same run, since machines are noisy.

`make bench` prints: render of the umbrella in this process, the helm executable on the same release, and the whole
main command. Minimum and median over several runs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from llmops.release import archive
from llmops.render import Target
from llmops.render.binary import HelmRenderer
from llmops.render.sdk import SdkRenderer

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "values/models/qwen3-8b"
LAYERS = [
    ROOT / "values/environments/prod.yaml",
    MODEL / "values.yaml",
    MODEL / "envs/prod/values.yaml",
    MODEL / "envs/prod/release.yaml",
]


def milliseconds(run: Callable[[], object], times: int) -> list[float]:
    run()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def main() -> int:
    helm = Path(os.environ.get("LLMOPS_HELM4") or Path(os.environ["LLMOPS_CACHE"]) / "bin/helm")
    layers = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in LAYERS]
    target = Target("qwen3-8b")
    bare, whole = archive(ROOT / "charts/llm-stack", schemas=False), archive(ROOT / "charts/llm-stack")
    command = [sys.executable, "-m", "llmops.cli", "plan", str(MODEL), "--env", "prod"]
    rows = {
        "render llm-stack in process": milliseconds(lambda: SdkRenderer().render(bare, layers, target), 40),
        "render llm-stack, helm executable": milliseconds(
            lambda: HelmRenderer(helm).render(whole, layers, target), 8
        ),
        "make run (the command, warm)": milliseconds(
            lambda: subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL), 8
        ),
    }
    yardstick = min(rows["render llm-stack, helm executable"])
    for name, taken in rows.items():
        figures = f"min {min(taken):7.1f} ms  median {statistics.median(taken):7.1f} ms"
        sys.stdout.write(f"{name:36} {figures}  {min(taken) / yardstick:5.2f} x helm executable\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
