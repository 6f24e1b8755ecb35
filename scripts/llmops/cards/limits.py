"""What a version must reach in an environment: built-in limits, then the tree's gates.yaml, then the model's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmops.cards.documents import judge
from llmops.findings import InputError
from llmops.render.manifest import read_values
from llmops.untyped import mapping

FILE = "gates.yaml"
# First token within half a second, and one GPU of 16 GB, are what a chat of a small model is offered with.
BUILT_IN: dict[str, Any] = {
    "limits": {"accuracy": 0.85, "latency_p99_ms": 500, "memory_gb": 16},
    "environments": {
        "dev": {"status": "candidate", "secondPerson": False},
        "test": {"status": "candidate", "secondPerson": False},
        "staging": {"status": "approved", "secondPerson": False},
    },
}


@dataclass(frozen=True)
class Limits:
    """Of one model in one environment. `tasks` are least accuracies of tasks that do not count in the mean.

    `after` is the environment in which a version must have run before; empty for none.
    `sources` says for a limit which file set it; one that is absent there is built in.
    """

    accuracy: float
    latency_p99_ms: float
    memory_gb: float
    tasks: dict[str, float] = field(default_factory=dict)
    status: str = "approved"
    second_person: bool = True
    after: str = ""
    sources: dict[str, str] = field(default_factory=dict)


def read(model: Path, env: str) -> Limits:
    """The limits of a model's folder in an environment; an unknown environment is as strict as production.

    InputError for a file that its schema refuses, and for a model's own limits without a reason.
    """
    found: dict[str, Any] = {}
    tasks: dict[str, float] = {}
    sources: dict[str, str] = {}
    for data, source in (*_of_tree(model), *_of_model(model)):
        environment = mapping(mapping(data.get("environments")).get(env))
        for layer in (data, environment):
            for key, value in mapping(layer.get("limits")).items():
                found[key] = float(value)
                sources[key] = source
            tasks |= mapping(layer.get("tasks"))
        found |= {key: environment[key] for key in ("status", "secondPerson", "after") if key in environment}
    return Limits(
        found["accuracy"],
        found["latency_p99_ms"],
        found["memory_gb"],
        tasks,
        found.get("status", "approved"),
        found.get("secondPerson", True),
        found.get("after", ""),
        {key: source for key, source in sources.items() if source},
    )


def _of_tree(model: Path) -> list[tuple[dict[str, Any], str]]:
    layers: list[tuple[dict[str, Any], str]] = [(BUILT_IN, "")]
    # The file stands beside the folder of models, or of groups of them.
    for folder in list(model.absolute().parents)[:3]:
        if (file := folder / FILE).is_file():
            values = read_values(file)
            judge(values, "model-gates")
            return [*layers, (values.data, str(file))]
    return layers


def _of_model(model: Path) -> list[tuple[dict[str, Any], str]]:
    file = model / FILE
    if not file.exists():
        return []
    values = read_values(file)
    judge(values, "model-gates")
    if not values.data.get("reason"):
        raise InputError("limits of one model need a reason; write the key `reason`", values.at())
    return [(values.data, str(file))]
