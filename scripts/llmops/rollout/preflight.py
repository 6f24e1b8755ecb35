"""Is in a cluster what releases need? Asked by kubectl, and nothing is written.

Rights: get of namespaces, secrets, configmaps, persistentvolumeclaims and classes by name (no value is read), list of
nodes, and the API's own list of what it serves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from llmops.capacity import gpu_products
from llmops.findings import InputError
from llmops.references import mapping, sequence
from llmops.report.needs import Need

Run = Callable[[Sequence[str]], str]
"""A command line of kubectl → what it prints; InputError with its last words where it fails."""

_LABEL = "nvidia.com/gpu.product"
_TIMEOUT = "--request-timeout=5s"
# Words of kubectl and of the API server, and what they mean.
_SAID = {"Forbidden": "forbidden", "NotFound": "missing", "not found": "missing", "could not find": "missing"}
_NOT_ASKED = ("Image", "Host")


@dataclass(frozen=True)
class Answer:
    """`state` is there, missing, or forbidden: then nobody knows, and `said` names the right."""

    need: Need
    state: str
    said: str = ""


def ask(needs: Iterable[Need], run: Run, kubeconfig: str = "") -> Iterator[Answer]:
    """What the cluster says of each need that it can be asked about. InputError where it cannot be reached."""
    kubectl = ["kubectl", *(["--kubeconfig", kubeconfig] if kubeconfig else []), _TIMEOUT]

    @cache
    def answer(*words: str) -> tuple[str, str]:
        try:
            return "there", run([*kubectl, *words])
        except InputError as error:
            said = error.message.rpartition("failed: ")[2]
            state = next((state for sign, state in _SAID.items() if sign in said), "")
            if not state:
                raise
            return state, said

    for need in needs:
        if need.kind in _NOT_ASKED:
            continue
        if need.kind == "API":
            version, _, kind = need.name.partition(" ")
            state, said = answer("get", "--raw", f"/apis/{version}")
            if state == "there" and kind not in _kinds(said):
                state = "missing"
        elif need.kind == "GPU":
            state, said = answer("get", "nodes", "-o", "json")
            if state == "there":
                state, said = _gpus(need, said)
        else:
            where = ["-n", need.namespace] if need.namespace else []
            state, said = answer("get", need.kind.lower(), need.name, *where, "-o", "name")
        yield Answer(need, state, said if state == "forbidden" or need.kind == "GPU" else "")


def _kinds(answer: str) -> set[str]:
    return {str(mapping(one).get("kind")) for one in sequence(_json(answer).get("resources"))}


def _gpus(need: Need, answer: str) -> tuple[str, str]:
    """Allocatable GPUs of the nodes that carry the product's label."""
    labels = gpu_products.product(need.name).node_labels
    count = 0
    for node in map(mapping, sequence(_json(answer).get("items"))):
        if mapping(mapping(node.get("metadata")).get("labels")).get(_LABEL) in labels:
            allocatable = str(
                mapping(mapping(node.get("status")).get("allocatable")).get("nvidia.com/gpu", "0")
            )
            count += int(allocatable) if allocatable.isdecimal() else 0
    return (
        ("there", f"{count} allocatable") if count else ("missing", "no node has the label and a GPU to give")
    )


def _json(answer: str) -> dict[str, object]:
    try:
        return mapping(json.loads(answer))
    except ValueError:
        raise InputError("kubectl did not answer with JSON") from None
