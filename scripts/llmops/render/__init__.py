"""From a chart and values to manifests: one protocol, two implementations, and YAML read as Go reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

DEFAULT_KUBE_VERSION = "1.35.0"


@dataclass(frozen=True)
class Target:
    """What a release is installed as and into. `kube_version` is X.Y.Z; `api_versions` are g/v or g/v/Kind."""

    name: str
    namespace: str = "default"
    kube_version: str = DEFAULT_KUBE_VERSION
    api_versions: tuple[str, ...] = ()
    is_upgrade: bool = False


@dataclass(frozen=True)
class Rendered:
    """Templates' output. Keys are Helm's template paths (`llm-stack/charts/vllm-inference/templates/x.yaml`).

    `templates` holds hooks and leaves out NOTES, partials and empty output; `crds` holds the chart's crds/.
    `values` are what templates saw, where the renderer knows them: None means that nobody asked Helm yet.
    """

    templates: Mapping[str, str]
    crds: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""
    values: dict[str, Any] | None = field(default=None, compare=False)


class Renderer(Protocol):
    """Renders a chart archive (.tgz bytes, dependencies inside) with layers of values, later ones winning."""

    name: str

    def render(
        self, archive: bytes, layers: Sequence[Mapping[str, Any]], target: Target, *, notes: bool = False
    ) -> Rendered:
        """Raises RefusedError when the chart refuses the values, InputError when it cannot be loaded."""
        ...
