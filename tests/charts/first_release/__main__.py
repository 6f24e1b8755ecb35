"""python -m tests.charts.first_release: writes identities.yaml, what the first charts made of releases.yaml.

Needs the history (a shallow clone has none). The charts are those of the commit below, rendered as they were then;
kept is only what an upgrade must find again: names, selectors, labels of pods, ports, GPUs and who keeps an object.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from llmops.release import archive
from llmops.render import Target
from llmops.render.manifest import parse
from llmops.render.sdk import SdkRenderer

HERE = Path(__file__).parent
COMMIT = "29578627ed410c6e3a3cc7d83305c8ed67814802"  # Toolkit complete for the first release
KEPT = ("helm.sh/resource-policy", "helm.sh/hook")
# Of a spec; the pod template has a function of its own.
FIELDS = (
    "replicas",
    "selector",
    "podSelector",
    "ports",
    "type",
    "clusterIP",
    "serviceName",
    "volumeClaimTemplates",
    "entryPoints",
)


def releases() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((HERE / "releases.yaml").read_text(encoding="utf-8")))


def identity(obj: dict[str, Any]) -> dict[str, Any]:
    """The facts of one object that an upgrade must find again."""
    metadata, spec = obj["metadata"], obj.get("spec") or {}
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key in KEPT}
    facts = {key: spec[key] for key in FIELDS if key in spec}
    if template := spec.get("template"):
        containers = [
            {
                "name": one["name"],
                "image": one["image"],
                "resources": {"limits": one["resources"].get("limits", {})},
            }
            for one in template["spec"]["containers"]
        ]
        facts["template"] = {
            "metadata": {"labels": template["metadata"].get("labels", {})},
            "spec": {"containers": containers},
        }
    kept = {"name": metadata["name"], **({"annotations": annotations} if annotations else {})}
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": kept,
        **({"spec": facts} if facts else {}),
    }


def identities(charts: Path, one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    rendered = SdkRenderer().render(
        archive(charts / one["chart"]), [one["values"]], Target(name=one["release"])
    )
    for path, text in sorted(rendered.templates.items()):
        yield from (identity(obj.data) for obj in parse(text, path))


def main() -> None:
    packed = subprocess.run(["git", "archive", COMMIT, "charts"], capture_output=True, check=True)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tar:
            tar.extractall(folder, filter="data")
        found = {one["release"]: list(identities(Path(folder, "charts"), one)) for one in releases()}
    head = f"# Made from releases.yaml by `python -m tests.charts.first_release`, with the charts of {COMMIT[:7]}.\n"
    (HERE / "identities.yaml").write_text(
        head + yaml.safe_dump(found, sort_keys=False, width=120), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
