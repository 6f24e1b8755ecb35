"""CustomResourceDefinitions that a program brings along."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.cluster import client, namespaces
from lab.cluster.layout import Layout
from lab.cluster.waiting import until


def apply(layout: Layout, files: Sequence[Path], resources: Sequence[str]) -> None:
    """Applies the files; returns when the API server serves the `resources`, GROUP/VERSION/PLURAL."""
    kubectl = [layout.bin / "kube", "kubectl", f"--kubeconfig={layout.kubeconfig}"]
    env = ["env", f"KUBECACHEDIR={layout.root / 'kubectl'}"]
    names = [f"--filename={file}" for file in files]
    namespaces.run_inside(layout, [*env, *kubectl, "apply", "--server-side", "--force-conflicts", *names])

    def served() -> bool:
        try:
            for resource in resources:
                client.request(layout, "GET", f"/apis/{resource}?limit=1")
        except client.ApiError:
            return False
        return True

    until(served, f"serving {', '.join(resources)}", seconds=20)
