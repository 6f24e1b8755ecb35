"""The one node: containerd, kubelet, kube-proxy, and GPUs that it only says it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lab.cluster import client, namespaces, processes
from lab.cluster.control_plane import kube
from lab.cluster.images import Image, write_image
from lab.cluster.layout import (
    DNS_SERVICE_ADDRESS,
    DOMAIN,
    NAME,
    NODE,
    NODE_ADDRESS,
    POD_GATEWAY,
    POD_SUBNET,
    ClusterError,
    Layout,
)
from lab.cluster.waiting import until

PAUSE_IMAGE = "llm-charts.local/pause:1"
CNI_PLUGINS = Path("/usr/lib/cni")
IMPORT_SECONDS = 600
GPU_RESOURCE = "nvidia.com/gpu"
GPU_PRODUCT_LABEL = "nvidia.com/gpu.product"


def start_containerd(layout: Layout) -> None:
    """A containerd of its own; does not wait."""
    folder = layout.root / "containerd"
    (layout.config / "cni").mkdir(parents=True, exist_ok=True)
    (layout.config / "cni" / "10-pods.conflist").write_text(json.dumps(_network(layout), indent=1))
    config = layout.config / "containerd.toml"
    config.write_text(f"""version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{layout.containerd_socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # Without CAP_SYS_RESOURCE (many virtual machines, CI) runc dies when it shall protect a process from the OOM
  # killer: "can't get final child's PID from pipe: EOF".
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{layout.config}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
""")
    processes.start(layout, "containerd", namespaces.command(layout, ["containerd", "--config", config]))


def _network(layout: Layout) -> dict[str, Any]:
    # One cable per pod instead of a bridge: everything is routed, so the packet filter sees also what goes from
    # pod to pod, and the host needs no br_netfilter module.
    addresses = {
        "type": "host-local",
        "dataDir": str(layout.root / "cni" / "addresses"),
        "ranges": [[{"subnet": POD_SUBNET, "gateway": POD_GATEWAY}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    plugins = [{"type": "ptp", "ipMasq": False, "ipam": addresses}]
    return {"cniVersion": "0.4.0", "name": NAME, "plugins": plugins}


def ctr(layout: Layout, *arguments: str | Path, seconds: float = 60) -> str:
    """Runs containerd's own client on the images that the kubelet sees."""
    program = ["ctr", "--address", layout.containerd_socket, "--namespace", "k8s.io", *arguments]
    return namespaces.run_inside(layout, program, seconds)


def import_image(layout: Layout, archive: Path) -> None:
    """Loads a docker-archive; pods then use it with `imagePullPolicy: IfNotPresent` or `Never`."""
    # Its name carries its content; that of the real engine has gigabytes.
    done = layout.root / "imported" / archive.name
    if not done.exists():
        ctr(layout, "images", "import", archive.absolute(), seconds=IMPORT_SECONDS)
        done.parent.mkdir(exist_ok=True)
        done.touch()


def wait_containerd(layout: Layout) -> None:
    """Returns when containerd answers and holds the pause image."""
    process = processes.recorded(layout)["containerd"]
    log = layout.log / "containerd.log"

    def answers() -> bool:
        if not processes.alive(process):
            raise ClusterError(f"containerd ended; see {log}")
        try:
            ctr(layout, "version")
        except ClusterError:
            return False
        return True

    until(answers, "the start of containerd", seconds=30, hint=f"see {log}")
    pause = Image(PAUSE_IMAGE, entrypoint=("/pause",), files={"/pause": layout.bin / "pause"})
    import_image(layout, write_image(pause, layout.root / "images"))


def start_agents(layout: Layout) -> None:
    """Starts kubelet and kube-proxy; does not wait."""
    config = layout.config / "kubelet.json"
    config.write_text(json.dumps(_kubelet(layout), indent=1))
    kubelet = {
        "config": config,
        "kubeconfig": layout.pki / "node.kubeconfig",
        "hostname-override": NODE,
        "node-ip": NODE_ADDRESS,
        "root-dir": layout.root / "kubelet",
        "cert-dir": layout.root / "kubelet" / "pki",
    }
    processes.start(layout, "kubelet", kube(layout, "kubelet", kubelet))
    proxy = {
        "kubeconfig": layout.pki / "proxy.kubeconfig",
        "proxy-mode": "iptables",
        "cluster-cidr": POD_SUBNET,
        "hostname-override": NODE,
        "bind-address": "127.0.0.1",
        "healthz-bind-address": "127.0.0.1:10256",
        "metrics-bind-address": "127.0.0.1:10249",
        # 0: leave the machine's connection table as it is.
        "conntrack-max-per-core": 0,
        "conntrack-tcp-timeout-established": "0s",
        "conntrack-tcp-timeout-close-wait": "0s",
    }
    processes.start(layout, "kube-proxy", kube(layout, "kube-proxy", proxy))


def _kubelet(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "healthzBindAddress": "127.0.0.1",
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "node.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "node.key"),
        "clusterDomain": DOMAIN,
        "clusterDNS": [DNS_SERVICE_ADDRESS],
        # Nothing of the host's resolver reaches a pod; its servers could not be reached anyway.
        "resolvConf": "",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{NAME}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        # Requests for ephemeral storage are scheduled as anywhere else.
        "localStorageCapacityIsolation": True,
        "podLogsDir": str(layout.log / "pods"),
        "volumePluginDir": str(layout.root / "kubelet" / "volume-plugins"),
        "nodeStatusUpdateFrequency": "5s",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        # Images are imported and cannot be pulled again.
        "imageGCHighThresholdPercent": 100,
    }


def wait_ready(layout: Layout) -> None:
    """Returns when the node is Ready and pods can have the default service account."""
    process = processes.recorded(layout)["kubelet"]
    log = layout.log / "kubelet.log"

    def ready() -> bool:
        if not processes.alive(process):
            raise ClusterError(f"the kubelet ended; see {log}")
        try:
            node = client.request(layout, "GET", f"/api/v1/nodes/{NODE}")
            client.request(layout, "GET", "/api/v1/namespaces/default/serviceaccounts/default")
        except client.ApiError:
            return False
        conditions = node["status"].get("conditions", [])
        return {"Ready": "True"}.items() <= {each["type"]: each["status"] for each in conditions}.items()

    until(ready, "the node's registration", seconds=90, hint=f"see {log}")


def ensure_gpus(layout: Layout, count: int, product: str) -> None:
    """Makes the node say that it has `count` GPUs; scheduler and kubelet then honour requests. Safe to repeat.

    A kubelet that starts anew sets resources to 0 that no device plugin stands behind.
    """
    node = client.request(layout, "GET", f"/api/v1/nodes/{NODE}")
    wanted = str(count)
    status = node["status"]
    if any(status[part].get(GPU_RESOURCE) != wanted for part in ("capacity", "allocatable")):
        pointer = GPU_RESOURCE.replace("/", "~1")
        patch = [
            {"op": "add", "path": f"/status/{part}/{pointer}", "value": wanted}
            for part in ("capacity", "allocatable")
        ]
        client.request(layout, "PATCH", f"/api/v1/nodes/{NODE}/status", patch, client.JSON_PATCH)
    if node["metadata"].get("labels", {}).get(GPU_PRODUCT_LABEL) != product:
        labels = {"metadata": {"labels": {GPU_PRODUCT_LABEL: product}}}
        client.request(layout, "PATCH", f"/api/v1/nodes/{NODE}", labels, client.MERGE_PATCH)
