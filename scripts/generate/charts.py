"""values.schema.json and README.md of each chart, by helm-values-schema-json and helm-docs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from llmops.findings import InputError

# Umbrellas bundle the schemas of their components, so they come last.
ORDER = ("llm-common", "vllm-inference", "llm-stack")


def tool(bin_dir: Path, name: str) -> str:
    path = bin_dir / name
    if not path.exists():
        raise InputError(f"{path} is not there; run `make setup-tools`, which builds it from tools/chart-docs")
    return str(path)


def run(command: list[str], cwd: Path) -> None:
    """Runs a generator; its own words are shown only when it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise InputError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()}", str(cwd))


def generate(root: Path, bin_dir: Path) -> None:
    """Writes values.schema.json (charts with .schema.yaml) and README.md of every chart below `root`."""
    charts = root / "charts"
    for name in ORDER:
        if (charts / name / ".schema.yaml").exists():
            run([tool(bin_dir, "helm-values-schema-json")], charts / name)
    run(
        [
            tool(bin_dir, "helm-docs"),
            "--chart-search-root=.",
            "--template-files=README.md.gotmpl",
            "--skip-version-footer",
            "--sort-values-order=file",
            "--log-level=warning",
        ],
        charts,
    )
