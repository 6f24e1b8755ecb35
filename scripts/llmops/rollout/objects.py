"""The objects that tell of one rollout: read through kubectl, or from a file that kubectl wrote."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops.findings import InputError
from llmops.references import mapping, sequence, text
from llmops.render.manifest import parse, read_text

HASH = "rollouts-pod-template-hash"
# The controller puts this label on everything that belongs to a version, so it finds all three kinds.
BELONGING = "replicasets.apps,analysisruns.argoproj.io,pods"
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Objects:
    """A Rollout and what it owns, as plain mappings."""

    rollout: dict[str, Any]
    replica_sets: tuple[dict[str, Any], ...] = ()
    runs: tuple[dict[str, Any], ...] = ()
    pods: tuple[dict[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """Name of the Rollout."""
        return text(mapping(self.rollout.get("metadata")).get("name"))

    @property
    def namespace(self) -> str:
        """Namespace of the Rollout."""
        return text(mapping(self.rollout.get("metadata")).get("namespace")) or "default"


def from_file(path: Path, name: str = "", namespace: str = "") -> Objects:
    """The rollout of a file of YAML or JSON; `name` may be left out where the file holds one Rollout only."""
    objects = [one.data for one in parse(read_text(path), str(path))]
    return choose(objects, name, namespace, str(path))


def from_cluster(name: str, namespace: str, kubeconfig: str = "") -> Objects:
    """The rollout as the cluster has it. InputError when there is no kubectl, no such rollout, or no answer."""
    rollout = _kubectl(["get", "rollouts.argoproj.io", name], namespace, kubeconfig)
    owned = _kubectl(["get", BELONGING, "-l", HASH], namespace, kubeconfig)
    return choose([rollout, *_items(owned)], name, namespace, "")


def runs_of_cluster(namespace: str = "", kubeconfig: str = "") -> list[dict[str, Any]]:
    """The AnalysisRuns of a namespace, or of all of them. InputError as for `from_cluster`."""
    return _items(_kubectl(["get", "analysisruns.argoproj.io"], namespace, kubeconfig))


def choose(objects: Sequence[dict[str, Any]], name: str, namespace: str, source: str) -> Objects:
    """Picks one Rollout of many objects, and what belongs to it."""
    found = [
        one
        for one in objects
        if one.get("kind") == "Rollout"
        and name in ("", _meta(one, "name"))
        and (not namespace or _meta(one, "namespace") in ("", namespace))
    ]
    if not found:
        wanted = f"no Rollout {name!r}" if name else "no Rollout"
        raise InputError(
            f"there is {wanted} in it; save it with kubectl get rollouts,{BELONGING} -o yaml", source
        )
    if len(found) > 1:
        names = ", ".join(sorted(_meta(one, "name") for one in found))
        raise InputError(f"there are several Rollouts in it ({names}); say which: NAME", source)
    rollout = found[0]
    owner, home = _meta(rollout, "name"), _meta(rollout, "namespace")
    same_namespace = [one for one in objects if _meta(one, "namespace") == home]
    sets = _owned(same_namespace, "ReplicaSet", "Rollout", {owner})
    return Objects(
        rollout,
        sets,
        _owned(same_namespace, "AnalysisRun", "Rollout", {owner}),
        _owned(same_namespace, "Pod", "ReplicaSet", {_meta(one, "name") for one in sets}),
    )


def label(obj: Mapping[str, Any], key: str) -> str:
    """A label's value, or an empty string."""
    return text(mapping(mapping(obj.get("metadata")).get("labels")).get(key))


def _owned(
    objects: Iterable[dict[str, Any]], kind: str, owner: str, names: set[str]
) -> tuple[dict[str, Any], ...]:
    return tuple(
        one
        for one in objects
        if one.get("kind") == kind
        and any(
            mapping(ref).get("kind") == owner and mapping(ref).get("name") in names
            for ref in sequence(mapping(one.get("metadata")).get("ownerReferences"))
        )
    )


def _meta(obj: Mapping[str, Any], key: str) -> str:
    return text(mapping(obj.get("metadata")).get(key))


def _items(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one for one in sequence(answer.get("items")) if isinstance(one, dict)]


def _kubectl(arguments: list[str], namespace: str, kubeconfig: str) -> dict[str, Any]:
    where = ["-n", namespace] if namespace else ["--all-namespaces"]
    command = ["kubectl", *arguments, *where, "-o", "json", "--request-timeout=20s"]
    if kubeconfig:
        command += ["--kubeconfig", kubeconfig]
    answer = run(command)
    try:
        return mapping(json.loads(answer))
    except json.JSONDecodeError:
        raise InputError(f"kubectl {' '.join(arguments[:3])} did not answer with JSON") from None


def run(command: Sequence[str]) -> str:
    """What a command line of kubectl prints. InputError, in its last words, where it fails or is not there."""
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except FileNotFoundError:
        raise InputError(
            "there is no kubectl on PATH: install it, or save the objects and give them with --from FILE"
        ) from None
    except subprocess.TimeoutExpired:
        raise InputError(
            f"kubectl gave no answer within {TIMEOUT_SECONDS} s: is the cluster there?"
        ) from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"kubectl {_verb(command)} failed: {said}")
    return done.stdout


def _verb(command: Sequence[str]) -> str:
    """The first three words of a command line that are neither kubectl nor an option with its value."""
    words = list(command[1:])
    while words and words[0].startswith("-"):
        words = words[2:]
    return " ".join(words[:3])
