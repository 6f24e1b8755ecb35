"""GPUs of a pod: extended resources of device plugins, and devices that resource claims (DRA) ask for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmops.references import kind_of, mapping, sequence, text
from llmops.release import Release
from llmops.render.manifest import Object

# Whole GPUs and parts of them; not the memory or the cores that some plugins count beside.
_RESOURCE = re.compile(
    r"nvidia\.com/(gpu|mig-[^/]+)(\.shared)?"
    r"|amd\.com/(gpu|[a-z]+_nps\d+)"
    r"|huawei\.com/Ascend\d\w*(-\d+c[\w.]*)?"
    r"|gpu\.intel\.com/(i915|xe)|habana\.ai/gaudi|google\.com/tpu|aws\.amazon\.com/neuron(core|device)?"
)
# Device classes of GPUs are named by their drivers: gpu.nvidia.com, mig.nvidia.com, gpu.amd.com, npu.huawei.com.
_CLASS = re.compile(r"(gpu|mig|npu|tpu|gaudi|neuron)([.-].*)?")
# More GPUs than there are; Python reads no number of thousands of digits.
_DIGITS = 9
_TEMPLATE = ("resource.k8s.io", "ResourceClaimTemplate")
_GROUPED = ("leaderworkerset.x-k8s.io", "LeaderWorkerSet")


@dataclass(frozen=True)
class Offer:
    """What a release calls a GPU beside the usual names: its resource and device class (empty: none).

    `claims` are the GPUs of each claim template by name; None where the template leaves their number to the driver.
    """

    resource: str = ""
    device_class: str = ""
    claims: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Count:
    """GPUs of a pod or of a server. `unknown`: claims bring more of them, of a number that nobody says."""

    gpus: int = 0
    unknown: bool = False

    @property
    def any(self) -> bool:
        return self.gpus > 0 or self.unknown


def offer(release: Release) -> Offer:
    """The names that the values of a release give, and its claim templates."""
    llm = release.view.llm
    own = Offer(llm.text("gpu.resource"), llm.text("gpu.deviceClass"))
    templates = [one for one in release.objects if kind_of(one) == _TEMPLATE]
    claims = {one.name: _asked(sequence(one.get("/spec/spec/devices/requests")), own) for one in templates}
    return Offer(own.resource, own.device_class, claims)


def is_gpu(name: str, own: str = "") -> bool:
    """Whether a container's resource of that name is a GPU; `own` is the one that the values name."""
    return name == own or _RESOURCE.fullmatch(name) is not None


def of_server(obj: Object, specs: Iterable[Any], named: Offer) -> Count:
    """GPUs of one server of a workload, whose pods' `specs` are given: of a group of pods, all of them."""
    if kind_of(obj) != _GROUPED:
        return _sum(of_pod(spec, named) for spec in specs)
    leader, worker = (of_pod(spec, named) for spec in grouped(obj))
    others = max(0, group_size(obj) - 1)
    return Count(leader.gpus + others * worker.gpus, leader.unknown or (others > 0 and worker.unknown))


def grouped(obj: Object) -> tuple[Any, Any]:
    """Pod specs of leader and worker of a LeaderWorkerSet; without a template of its own the leader is a worker."""
    at = "/spec/leaderWorkerTemplate"
    worker = obj.get(f"{at}/workerTemplate/spec")
    return (
        worker if obj.get(f"{at}/leaderTemplate") is None else obj.get(f"{at}/leaderTemplate/spec")
    ), worker


def group_size(obj: Object) -> int:
    """Pods of a group; 1 where the manifest does not say, as the API server writes it."""
    size = obj.get("/spec/leaderWorkerTemplate/size")
    return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else 1


def of_pod(spec: Any, named: Offer) -> Count:
    """GPUs of one pod: those of its containers, and those of its claims. Fields of a wrong type count as absent."""
    plain = sum(
        count for one in sequence(mapping(spec).get("containers")) for count in _limits(one, named.resource)
    )
    return _sum(
        [Count(plain), *(_claim(one, named) for one in sequence(mapping(spec).get("resourceClaims")))]
    )


def _limits(container: Any, own: str) -> Iterator[int]:
    resources = mapping(mapping(container).get("resources"))
    amounts = {**mapping(resources.get("requests")), **mapping(resources.get("limits"))}
    for name, value in amounts.items():
        count = str(value)
        if is_gpu(str(name), own) and count.isascii() and count.isdecimal() and len(count) <= _DIGITS:
            yield int(count)


def _claim(claim: Any, named: Offer) -> Count:
    """A claim by a template of the release has its number; one by name, or of another release, has none."""
    template = text(mapping(claim).get("resourceClaimTemplateName"))
    gpus = named.claims.get(template)
    return Count(unknown=True) if gpus is None else Count(gpus)


def _asked(requests: Iterable[Any], own: Offer) -> int | None:
    """GPUs of a claim; None where a request takes all there are."""
    total = 0
    for request in map(mapping, requests):
        # v1beta1 has the fields of `exactly` one level up; of alternatives the largest counts.
        choices = sequence(request.get("firstAvailable")) or [mapping(request.get("exactly")) or request]
        gpus = [one for one in map(mapping, choices) if _is_class(text(one.get("deviceClassName")), own)]
        if any(one.get("allocationMode") == "All" for one in gpus):
            return None
        counts = [one.get("count", 1) for one in gpus]
        total += max((one for one in counts if isinstance(one, int)), default=0)
    return total


def _is_class(name: str, own: Offer) -> bool:
    return bool(name) and (name == own.device_class or _CLASS.fullmatch(name) is not None)


def _sum(counts: Iterable[Count]) -> Count:
    found = list(counts)
    return Count(sum(one.gpus for one in found), any(one.unknown for one in found))
