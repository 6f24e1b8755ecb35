"""values.schema.json and README.md of each chart, by helm-values-schema-json and helm-docs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from generate import nested_rows
from llmops.findings import InputError

# Umbrellas bundle the schemas of their components, so they come last.
ORDER = (
    "llm-common",
    "llm-serving",
    "vllm-inference",
    "gpu-hpa",
    "monitoring",
    "alert-rules",
    "drift-cronjob",
    "canary-gate",
    "reverter",
    "llm-policies",
    "llm-stack",
    "llm-platform",
    "llm-gitops",
)


def tool(bin_dir: Path, name: str) -> str:
    path = bin_dir / name
    if not path.exists():
        raise InputError(
            f"{path} is not there; run `make setup-tools`, which builds it from tools/chart-docs"
        )
    return str(path)


def run(command: list[str], cwd: Path) -> None:
    """Runs a generator; its own words are shown only when it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise InputError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()}", str(cwd))


def require(schema: dict[str, Any]) -> None:
    """Makes every key required that has a default other than null, through all levels of a chart's own values.

    Writing null deletes a default; a template would then read nothing, or 0.
    """
    properties = schema.get("properties", {})
    needed = [
        key for key, child in properties.items() if key != "global" and "null" not in child.get("type", ())
    ]
    if needed:
        schema["required"] = needed
    for key, child in properties.items():
        if key != "global":
            require(child)


def relax(schema: dict[str, Any]) -> None:
    """Takes `required` out of a component's schema inside an umbrella's, whose own values.yaml lacks those defaults.

    Helm judges the component's values by its own schema as well, so nothing is lost.
    """
    if "properties" in schema and schema.get("title") in ORDER:
        schema.pop("required", None)
        for child in schema["properties"].values():
            _optional(child)


def _optional(schema: dict[str, Any]) -> None:
    schema.pop("required", None)
    for child in schema.get("properties", {}).values():
        _optional(child)


def generate(root: Path, bin_dir: Path) -> None:
    """Writes values.schema.json (charts with .schema.yaml) and README.md of every chart below `root`."""
    charts = root / "charts"
    for name in ORDER:
        if (charts / name / ".schema.yaml").exists():
            run([tool(bin_dir, "helm-values-schema-json")], charts / name)
            file = charts / name / "values.schema.json"
            schema = json.loads(file.read_text(encoding="utf-8"))
            for bundled in schema.get("$defs", {}).values():
                relax(bundled)
            require(schema)
            file.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
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
    for file in charts.glob("*/values.schema.json"):
        readme = file.with_name("README.md")
        rows = nested_rows.insert(
            readme.read_text(encoding="utf-8"), json.loads(file.read_text(encoding="utf-8"))
        )
        readme.write_text(rows, encoding="utf-8")
