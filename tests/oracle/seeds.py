"""Valid objects to start from: hand-written seeds, our charts' ci values, and the models of values/."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from llmops.release import Inputs, discover, render
from llmops.render import Target
from llmops.render.sdk import SdkRenderer

ROOT = Path(__file__).parents[2]
VERSION = "1.35"
NAMESPACE = "oracle"

Object = dict[str, Any]


def handwritten() -> list[Object]:
    """The objects of the files in seeds/."""
    folder = Path(__file__).parent / "seeds"
    return [one for file in sorted(folder.glob("*.yaml")) for one in yaml.safe_load_all(file.read_text())]


def rendered() -> list[Object]:
    """Every object of our charts with their ci values, and of our models; each with another shape once."""
    found: dict[str, Object] = {}
    for inputs in _inputs():
        for obj in render(inputs, SdkRenderer()).objects:
            data = copy.deepcopy(obj.data)
            if data["kind"] == "Pod":
                # Admission looks for the account of a Pod; that is no rule of the object.
                data["spec"].pop("serviceAccountName", None)
            found.setdefault(yaml.safe_dump(_shape(data)), data)
    return list(found.values())


def _inputs() -> Iterator[Inputs]:
    for values in sorted(ROOT.glob("charts/*/ci/*-values.yaml")):
        yield Inputs(values.parents[1], (values,), Target("demo", NAMESPACE, VERSION))
    yield from discover(
        ROOT / "values/models",
        env=None,
        environments=None,
        chart=ROOT / "charts/llm-stack",
        kube_version=VERSION,
    )


def _shape(value: Any) -> Any:
    """Kind and nested keys: of two objects with the same ones, one is enough."""
    if isinstance(value, dict):
        return {key: one if key == "kind" else _shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shape(one) for one in value]
    return None


def as_deployment(workload: Object) -> Object | None:
    """The pods of a Rollout or StatefulSet as the API server looks into them: in a Deployment.

    In either of the two it leaves them to the controller. None for what has no pods.
    """
    spec = workload.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("template"), dict):
        return None
    kept = {key: spec[key] for key in ("selector", "template") if key in spec}
    pods = kept["template"].get("spec")
    claims = [one.get("metadata", {}).get("name") for one in spec.get("volumeClaimTemplates") or ()]
    if claims and isinstance(pods, dict):
        volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
        known = [one for one in pods.get("volumes") or () if one.get("name") not in claims]
        kept["template"] = {**kept["template"], "spec": {**pods, "volumes": [*known, *volumes]}}
    metadata = {"name": "pods"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": kept}
