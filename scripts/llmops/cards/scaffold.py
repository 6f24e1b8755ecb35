"""The files of a new model in a tree of values, as texts with comments; no waiver, no revision and no digest."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from llmops import release
from llmops.findings import InputError
from llmops.render.manifest import read_values
from llmops.values import Values

_NAME = re.compile(r"[a-z]([-a-z0-9.]{0,51}[a-z0-9])?")
_RELEASE = """# Which version runs here: `llmops release set MODEL --env {env}` writes it.
global:
  llm:
    model: {{revision: ""}}
vllm-inference:
  image: {{digest: ""}}
"""


def check_name(name: str) -> None:
    """InputError for a name that no release could have: Services are called by it."""
    if not _NAME.fullmatch(name):
        meant = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")
        raise InputError(
            f"{name!r} is no name of a model: write at most 53 of a-z, 0-9, '-' and '.', a letter first"
            + (f", for example {meant}" if _NAME.fullmatch(meant) else "")
        )


def model_values(
    name: str, source: str, product: str, budget: int, quantization: str, served: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of values.yaml: what all environments share."""
    model = {"name": name, "source": source, **({"quantization": quantization} if quantization else {})}
    return {
        "global": {
            "llm": {
                "model": model,
                "components": {"monitoring": True, "alerts": True},
                "replicas": {"min": 2, "max": 2},
                "gpu": {"product": product, "budget": budget},
                "slo": {"e2eP95Seconds": 10, "ttftP95Seconds": 2},
            }
        },
        "vllm-inference": dict(served),
    }


def environment_values(facts: Path) -> tuple[str, dict[str, Any]]:
    """(why, values) of envs/ENV/values.yaml: a canary with gates where the environment has a router and a gate."""
    values = Values(read_values(facts).data)
    router = values.served.text("trafficRouter")
    if router not in ("", "none") and values.llm.text("environment.gate.url"):
        own: dict[str, Any] = {"vllm-inference": {"strategy": {"steps": "careful"}}}
        if not values.llm.get("environment.gateway.authenticates"):
            own["vllm-inference"]["engine"] = {"apiKey": {"secret": "llm-api-key"}}
        return "Updates are canaries, judged by the gate of this cluster.", own
    one = {
        "global": {"llm": {"replicas": {"min": 1, "max": 1}}},
        "vllm-inference": {"workload": "Deployment"},
    }
    return "One server; an update takes one spare set of GPUs for as long as it runs.", one


def texts(
    values: Mapping[str, Any],
    notes: tuple[str, ...],
    environments: Mapping[str, tuple[str, Mapping[str, Any]]],
    config: Mapping[str, Any] | None,
    schema: str = "",
) -> dict[str, str]:
    """Path below the model's folder → text. `schema` is where an editor finds the schema, from values.yaml."""
    found = {"values.yaml": _yaml(values, notes, schema)}
    if config is not None:
        found["config.json"] = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    for env, (why, own) in environments.items():
        found[f"envs/{env}/values.yaml"] = _yaml(own, (why,), f"../../{schema}" if schema else "")
        found[f"envs/{env}/release.yaml"] = _RELEASE.format(env=env)
    return found


def write(folder: Path, files: Mapping[str, str]) -> None:
    """All files or none. InputError for a folder that is there already, and where nobody may write."""
    if folder.exists():
        raise InputError(
            "the folder is there already: choose another name, delete it, or edit its files", str(folder)
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as scratch:
            whole = Path(scratch) / folder.name
            for name, text in files.items():
                (whole / name).parent.mkdir(parents=True, exist_ok=True)
                (whole / name).write_text(text, encoding="utf-8")
            shutil.move(whole, folder)
    except OSError as error:
        raise InputError(f"cannot write it: {error.strerror}; nothing was written", str(folder)) from None


def environments_of(folder: Path, chosen: tuple[str, ...]) -> dict[str, Path]:
    """The files of facts of the chosen environments, or of all. InputError where one is missing."""
    facts = release.environments_beside(folder)
    known = {file.stem: file for file in sorted(facts.glob("*.yaml"))} if facts else {}
    if not known:
        raise InputError(
            "no folder `environments` beside the folder of models; make one first", str(folder.parent)
        )
    for env in chosen:
        if env not in known:
            raise InputError(f"no environment {env!r}; there are {', '.join(known)}", str(facts))
    return {env: file for env, file in known.items() if not chosen or env in chosen}


def _yaml(values: Mapping[str, Any], notes: tuple[str, ...], schema: str) -> str:
    head = [f"# yaml-language-server: $schema={schema}"] if schema else []
    head += [f"# {note}" for note in notes]
    body = yaml.safe_dump(json.loads(json.dumps(values)), sort_keys=False, allow_unicode=True, width=120)
    return "\n".join([*head, body])
