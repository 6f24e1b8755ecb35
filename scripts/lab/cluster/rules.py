"""PrometheusRules as rule files of a Prometheus without operator."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# What only Thanos Ruler reads; Prometheus refuses keys that it does not know.
FOREIGN = ("partial_response_strategy",)


def rule_file(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a rule file with one PrometheusRule's groups.

    The groups' own intervals are left out: Prometheus's `evaluation_interval` holds, so that a test waits for seconds.
    """
    dropped = (*FOREIGN, "interval")
    return {
        "groups": [
            {
                **{key: value for key, value in group.items() if key not in dropped},
                # An operator's API also takes a number as an expression.
                "rules": [{**each, "expr": str(each["expr"])} for each in group.get("rules", [])],
            }
            for group in rule["spec"].get("groups", [])
        ]
    }


def write(rules: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Writes each PrometheusRule to a file of its own and removes those of former calls; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for former in folder.glob("*.json"):
        former.unlink()
    files = []
    for rule in rules:
        metadata = rule["metadata"]
        # JSON is YAML; Prometheus takes it.
        file = folder / f"{metadata.get('namespace', 'default')}-{metadata['name']}.json"
        file.write_text(json.dumps(rule_file(rule), indent=1))
        files.append(file)
    return files
