"""Devices and memory of a server's pod, held against what its engine was told to use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmops.canary.pod_gpus import group_size
from llmops.checks.reading.quantities import in_bytes
from llmops.checks.reading.servers import SHARED_MEMORY, Server, servers
from llmops.checks.registry import ERROR, WARNING, defect, rule
from llmops.findings import Finding
from llmops.references import mapping, sequence, text
from llmops.release import Release

_PARALLEL = ("parallelism.tensor", "parallelism.pipeline", "parallelism.data")
# What says that further pods hold a part of the ranks.
_ELSEWHERE = (
    "--data-parallel-address", "--data-parallel-size-local", "-dpl", "--data-parallel-hybrid-lb", "-dpn", "-dpb",
    "--data-parallel-rank", "--data-parallel-external-lb", "--data-parallel-backend", "--distributed-executor-backend",
    "--nnodes", "-n",
)  # fmt: skip
# Shared memory of a container where nobody mounts any.
_UNMOUNTED = 64 * 2**20
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_NODES_DEVICES = "NVIDIA_VISIBLE_DEVICES"


@rule(
    "LM211",
    severity=ERROR,
    fix="Ask for as many GPUs as tensor, pipeline and data parallelism take together, or lower them.",
)
def gpus_below_parallelism(release: Release) -> Iterator[Finding]:
    """An engine that is to run on more GPUs than its container has ends at once, or waits for the others for ever.

    Counted are tensor times pipeline times data parallelism on one node, and GPUs by resources, claims and
    CUDA_VISIBLE_DEVICES. Groups of several pods are not judged, nor containers that have the node's devices without
    asking for them.
    """
    for server in servers(release):
        ranks, gpus = _ranks(server), _visible(server)
        if ranks is None or gpus is None or gpus >= ranks:
            continue
        word = next(filter(None, map(server.setting, _PARALLEL)), None)
        if word is None or (gpus == 0 and _without_asking(server)):
            continue
        message = f"{word.flag} makes it {ranks} GPUs, and the container {server.name} has {gpus}."
        yield defect(server.owner, word.pointer, message)


@rule(
    "LM212",
    severity=WARNING,
    fix="Raise the engine's parallelism to the GPUs, or ask for fewer.",
)
def gpus_left_idle(release: Release) -> Iterator[Finding]:
    """GPUs that a container holds and its engine does not use are idle, and nobody else can have them."""
    for server in servers(release):
        ranks, gpus = _ranks(server), _visible(server)
        if ranks and gpus and gpus > ranks and "resourceClaims" not in server.pods.spec:
            message = f"the container {server.name} holds {gpus} GPUs, and its engine uses {ranks}."
            yield defect(server.owner, f"{server.pointer}/resources", message)


@rule(
    "LM213",
    severity=WARNING,
    fix="Leave NVIDIA_VISIBLE_DEVICES out; the device plugin sets it to the GPUs that the container was given.",
)
def devices_past_the_scheduler(release: Release) -> Iterator[Finding]:
    """With this variable a container sees GPUs that the scheduler gave to others, whose memory it then takes."""
    for server in servers(release):
        given = server.variable(_NODES_DEVICES)
        if given and given not in ("none", "void"):
            pointer, _ = server.variables[_NODES_DEVICES]
            yield defect(
                server.owner, pointer, f"{_NODES_DEVICES} is {given!r}, whatever GPUs the pod was given."
            )


@rule(
    "LM214",
    severity=ERROR,
    fix="Mount at /dev/shm a volume emptyDir: {medium: Memory, sizeLimit: 8Gi}.",
)
def shared_memory_missing(release: Release) -> Iterator[Finding]:
    """Workers of one server talk through /dev/shm, of which a container has 64 MiB where nobody mounts more.

    NCCL then ends with "No space left on device", or a bus error, while the engine loads. Judged are engines that run
    on several GPUs of one pod, those of a group of pods as well.
    """
    for server in servers(release):
        ranks = _ranks(server)
        if ranks is None:
            # Other pods hold some: what is here are the GPUs of this one.
            ranks = min(server.count("parallelism.tensor") or 1, server.gpus.gpus)
        word = next(filter(None, map(server.setting, _PARALLEL)), None)
        if ranks < 2 or word is None or server.pods.spec.get("hostIPC") is True:
            continue
        volume = mapping(_volumes(server).get(SHARED_MEMORY))
        if not volume:
            message = (
                f"{ranks} GPUs ({word.flag}), and the container {server.name} mounts no {SHARED_MEMORY}."
            )
            yield defect(server.owner, f"{server.pointer}/volumeMounts", message)
        elif "emptyDir" in volume and mapping(volume["emptyDir"]).get("medium") != "Memory":
            message = f"{SHARED_MEMORY} of the container {server.name} is a folder on the node's disk."
            yield defect(server.owner, f"{server.pointer}/volumeMounts", message)
        elif (size := in_bytes(mapping(volume.get("emptyDir")).get("sizeLimit"))) and size <= _UNMOUNTED:
            message = f"{SHARED_MEMORY} of the container {server.name} holds {size / 2**20:g} MiB, as without a mount."
            yield defect(server.owner, f"{server.pointer}/volumeMounts", message)


@rule(
    "LM215",
    severity=ERROR,
    fix="Raise the memory limit beyond the volumes and what the engine itself takes, or lower sizeLimit.",
)
def memory_volume_above_limit(release: Release) -> Iterator[Finding]:
    """What is written to a volume of medium Memory counts as memory of the container that wrote it.

    Volumes that may hold as much as the container's limit get the server killed before they are full.
    """
    for server in servers(release):
        limit = in_bytes(mapping(mapping(server.container.get("resources")).get("limits")).get("memory"))
        held = {
            text(one.get("name")): in_bytes(mapping(one["emptyDir"]).get("sizeLimit"))
            for one in _volumes(server).values()
            if mapping(one.get("emptyDir")).get("medium") == "Memory"
        }
        total = sum(size or 0 for size in held.values())
        if limit and total >= limit:
            message = (
                f"volumes in memory may hold {total / 2**30:g} GiB ({', '.join(held)}), and the container "
                f"{server.name} may take {limit / 2**30:g} GiB."
            )
            yield defect(server.owner, f"{server.pointer}/resources/limits/memory", message)


def _ranks(server: Server) -> int | None:
    """GPUs that the engine uses in this container; None where other pods hold some, or nobody can say."""
    if server.flag(*_ELSEWHERE) or (server.owner.kind == "LeaderWorkerSet" and group_size(server.owner) > 1):
        return None
    product = 1
    for key in _PARALLEL:
        count = server.count(key)
        if count is None:
            return None
        product *= count
    return product


def _visible(server: Server) -> int | None:
    """GPUs that the engine sees; None where a claim leaves their number to its driver."""
    if server.gpus.unknown:
        return None
    listed = server.variable(_VISIBLE)
    chosen = len([one for one in listed.split(",") if one.strip()]) if listed else server.gpus.gpus
    return min(server.gpus.gpus, chosen)


def _without_asking(server: Server) -> bool:
    """Whether devices may be there without a resource: on processors, past the plugin, or by a privileged container."""
    context = mapping(server.container.get("securityContext"))
    return (
        _NODES_DEVICES in server.variables
        or bool(server.pods.spec.get("runtimeClassName"))
        or context.get("privileged") is True
        or "cpu" in text(server.container.get("image"))
        or server.flag("--device") is not None
    )


def _volumes(server: Server) -> dict[str, dict[str, Any]]:
    """The volumes of the container by the path that they are mounted at."""
    named = {
        text(mapping(one).get("name")): mapping(one) for one in sequence(server.pods.spec.get("volumes"))
    }
    mounts = map(mapping, sequence(server.container.get("volumeMounts")))
    return {
        text(one.get("mountPath")).rstrip("/"): named.get(text(one.get("name")), {"name": "?"})
        for one in mounts
    }
