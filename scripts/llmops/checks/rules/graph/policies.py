"""Policies over pods: do they select any, and what do they then allow?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from llmops.checks.reading.analysis_runs import number
from llmops.checks.reading.backends import owners_of, ports_named, some
from llmops.checks.reading.missing_names import runs_pods
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.checks.rules.graph.monitors import POD_MONITOR, SERVICE_MONITOR, Target, Targets
from llmops.checks.rules.graph.routes import ROUTES
from llmops.findings import Finding
from llmops.kubernetes.kinds import AUTOSCALERS, SCALABLE, SERVICE, Kind
from llmops.labels import Selecting
from llmops.references import Graph, Pods, kind_of, mapping, sequence, walk
from llmops.release import Release
from llmops.render.manifest import Object

NETWORK_POLICY: Kind = ("networking.k8s.io", "NetworkPolicy")
DISRUPTION_BUDGET: Kind = ("policy", "PodDisruptionBudget")


@rule(
    "LG117", severity=ERROR, fix="Set spec.podSelector to labels that a pod template in {namespace} carries."
)
def network_policy_selects_nothing(release: Release) -> Iterator[Finding]:
    """A NetworkPolicy that selects no pod protects none; the pods it was meant for stay open."""
    yield from _selects_nothing(release, graph(release), NETWORK_POLICY, "/spec/podSelector")


@rule("LG118", severity=ERROR, fix="Set spec.selector to labels that a pod template in {namespace} carries.")
def pdb_selects_nothing(release: Release) -> Iterator[Finding]:
    """A PodDisruptionBudget that selects no pod lets a node drain take every replica at once."""
    yield from _selects_nothing(release, graph(release), DISRUPTION_BUDGET, "/spec/selector")


def _selects_nothing(release: Release, objects: Graph, kind: Kind, pointer: str) -> Iterator[Finding]:
    for obj in objects.of_kind(kind):
        for at, selector in walk(obj.data, pointer):
            # An empty selector takes every pod of the namespace, those of other releases too.
            asks = mapping(selector).get("matchLabels") or mapping(selector).get("matchExpressions")
            space = objects.namespace_of(obj)
            if not asks or objects.selected(mapping(selector), space):
                continue
            if runs_pods(release, objects, space, mapping(selector)):
                yield defect(obj, at, f"the selector of this {kind[1]} matches no pod template.")


@rule(
    "LG119",
    severity=WARNING,
    fix="Let one pod go at a time: maxUnavailable: 1, or minAvailable below the replicas.",
)
def pdb_blocks_drain(release: Release) -> Iterator[Finding]:
    """A PodDisruptionBudget that never lets a pod go stops every node drain, and with it upgrades of the cluster."""
    objects = graph(release)
    for budget in objects.of_kind(DISRUPTION_BUDGET):
        spec = mapping(budget.data.get("spec"))
        selected = objects.selected(mapping(spec.get("selector")), objects.namespace_of(budget))
        if not selected or not spec.get("selector"):
            continue
        owners = owners_of(selected)
        if str(spec.get("maxUnavailable")) in ("0", "0%"):
            message = f"maxUnavailable is {spec['maxUnavailable']}: no pod of {owners} may ever be evicted."
            yield defect(budget, "/spec/maxUnavailable", message)
        least = spec.get("minAvailable")
        total = _pods(objects, selected)
        if least == "100%" or (isinstance(least, int) and least > 0 and total is not None and least >= total):
            message = f"minAvailable is {least}, and {owners} has {total} pods: none may be evicted."
            yield defect(budget, "/spec/minAvailable", message.replace("has None pods", "needs every pod"))


@rule("LG120", severity=ERROR, fix="Allow the port in an ingress rule of the NetworkPolicy.")
def network_policy_shuts_port(release: Release) -> Iterator[Finding]:
    """A pod that a NetworkPolicy selects is closed but for the ports that some policy opens.

    A port that a monitor scrapes or a route leads to, and that no policy opens for anybody, answers nobody.
    """
    objects = graph(release)
    openings = objects.derived(Openings)
    judged: dict[tuple[int, str], list[tuple[Pods, int | str, list[Object]]]] = {}
    seen: set[tuple[int, int, str]] = set()
    for asker, pointer, targets in wanted(objects) if openings else ():
        protocol = "UDP" if asker.kind == "IngressRouteUDP" else "TCP"
        if (id(targets), protocol) not in judged:
            judged[id(targets), protocol] = list(_shut(openings, targets, protocol))
        for pods, port, over in judged[id(targets), protocol]:
            key = (id(asker), id(pods.owner), str(port))
            if key not in seen:
                seen.add(key)
                names = some(one.name for one in over)
                message = f"the port {port} of {pods.owner.kind} {pods.owner.name} is shut by NetworkPolicy {names}."
                yield defect(asker, pointer, message)


def _shut(
    openings: Openings, targets: Iterable[Target], protocol: str
) -> Iterator[tuple[Pods, int | str, list[Object]]]:
    """(pods, port, policies) of targets that some policy closes and none opens."""
    for pods, port in targets:
        over, numbers = openings.over(pods), ports_named(pods, port)
        if over and numbers and not any(openings.of(pods, number, protocol) for number in numbers):
            yield pods, port, over


def wanted(objects: Graph) -> Iterator[tuple[Object, str, tuple[Target, ...]]]:
    """(who, where, targets) of everything in the release that means to reach pods."""
    known = objects.derived(Targets)
    for monitor in objects.of_kind(POD_MONITOR, SERVICE_MONITOR):
        for pointer, targets in known.of_monitor(monitor):
            yield monitor, pointer, targets
    for route in objects.of_kind(*ROUTES):
        for edge in objects.edges_of(route):
            if edge.kind == SERVICE and edge.target is not None:
                yield route, edge.pointer, known.of_service(edge.target, edge.port)


def _about_ingress(policy: Object) -> bool:
    types = sequence(policy.get("/spec/policyTypes"))
    return not types or "Ingress" in types


Opening = tuple[Object, str, dict[str, Any]]
"""A NetworkPolicy, the pointer of one of its rules, and that rule."""


class Openings:
    """Which policies select pods, and which of their rules open a port; found once for all pods that are alike."""

    def __init__(self, objects: Graph) -> None:
        policies = [one for one in objects.of_kind(NETWORK_POLICY) if _about_ingress(one)]
        selector = lambda one: mapping(one.get("/spec/podSelector"))  # noqa: E731
        self._policies = Selecting(policies, objects.namespace_of, selector)
        self._over: dict[tuple[str, str, frozenset[str]], list[Object]] = {}
        self._opened: dict[tuple[int, str, int, str], list[Opening]] = {}

    def __bool__(self) -> bool:
        return bool(self._policies)

    def over(self, pods: Pods) -> list[Object]:
        """The policies about what comes in that select the pods."""
        key = (pods.namespace, repr(sorted(pods.labels.items(), key=str)), pods.runtime_labels)
        if key not in self._over:
            self._over[key] = self._policies.over(pods.namespace, pods.labels, pods.runtime_labels)
        return self._over[key]

    def of(self, pods: Pods, number: int, protocol: str = "TCP") -> list[Opening]:
        """The rules that open a port of the pods, to whomever."""
        over = self.over(pods)
        # A rule may name a port, and which one that is the containers say.
        named = repr([container.get("ports") for _, container in pods.containers()])
        key = (id(over), named, number, protocol)
        if key not in self._opened:
            self._opened[key] = [
                (one, at, rule_) for one in over for at, rule_ in _opened(one, pods, number, protocol)
            ]
        return self._opened[key]


def _opened(policy: Object, pods: Pods, number: int, protocol: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The ingress rules, with their pointers, that open a port of the pods, to whomever."""
    for pointer, rule_ in walk(policy.data, "/spec/ingress/*"):
        ports = [mapping(one) for one in sequence(mapping(rule_).get("ports"))]
        if not ports or any(_covers(one, pods, number, protocol) for one in ports):
            yield pointer, mapping(rule_)


def _covers(port: dict[str, Any], pods: Pods, number: int, protocol: str) -> bool:
    first, last = port.get("port"), port.get("endPort")
    if (port.get("protocol") or "TCP") != protocol:
        return False
    if first is None or (isinstance(last, int) and isinstance(first, int) and first <= number <= last):
        return True
    return isinstance(first, int | str) and number in ports_named(pods, first)


def _pods(objects: Graph, selected: list[Pods]) -> int | None:
    """How many pods a budget is over at least; None when nobody says."""
    total = 0
    for one in selected:
        scalers = [edge.source for edge in objects.edges_to(one.owner, *AUTOSCALERS)]
        count = number(one.owner.get("/spec/replicas"))
        if scalers:
            count = number(
                scalers[0].get("/spec/minReplicas") or scalers[0].get("/spec/minReplicaCount") or 1
            )
        elif count is None and kind_of(one.owner) in SCALABLE:
            count = 1
        if count is None:
            return None
        total += count
    return total
