"""Theme `semantics`: what the API server refuses in an object though its fields and types are in order.

The rules themselves stand in `llmops.kubernetes.semantics`; here each gets its name and its reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from llmops.checks.registry import ERROR, defect, memoized, rule
from llmops.findings import Finding
from llmops.kubernetes import schema, semantics
from llmops.references import kind_of, mapping, walk
from llmops.release import Release
from llmops.render.manifest import Object

_ANALYSES = tuple(
    ("argoproj.io", kind) for kind in ("AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun")
)
_Found = dict[str, list[tuple[Object, semantics.Problem]]]


def _found(release: Release) -> _Found:
    """The problems of all objects by their theme; `graph/rollout-service-missing` has those of `services`."""
    found: _Found = defaultdict(list)
    for obj in release.objects:
        for problem in _problems(obj, release):
            found[problem.theme].append((obj, problem))
    return found


def _problems(obj: Object, release: Release) -> list[semantics.Problem]:
    """The problems of one object that the schema does not report already."""
    minor = schema.minor_of(release.kube_version)
    try:
        problems = [*semantics.problems(obj.data, minor), *_of_jobs(obj, release.kube_version)]
    except (AttributeError, KeyError, TypeError, ValueError):
        # A value of a wrong type has no meaning; the schema reports it.
        if schema.violations(obj, release.kube_version):
            return []
        raise
    if not problems:
        return []
    reported = {violation.pointer for violation in schema.violations(obj, release.kube_version)}
    return [one for one in problems if one.pointer not in reported]


def _of_jobs(obj: Object, kube_version: str) -> Iterator[semantics.Problem]:
    """What the API server will refuse in the Jobs that an analysis creates; nobody looks at them before.

    An argument ({{args.x}}) is filled in when the analysis starts, so what holds one is not judged.
    """
    if kind_of(obj) not in _ANALYSES:
        return
    for pointer, spec in walk(obj.data, "/spec/metrics/*/provider/job/spec"):
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "analysis"},
            "spec": mapping(spec),
        }
        for one in _problems_of_job(job, kube_version):
            at = pointer + one.pointer.removeprefix("/spec")
            if "{{" not in str(obj.get(at) or ""):
                yield one._replace(
                    pointer=at, message=f"{one.message.removesuffix('.')}, in the Job of the metric."
                )


def _problems_of_job(job: dict[str, Any], kube_version: str) -> list[semantics.Problem]:
    try:
        return semantics.problems(job, schema.minor_of(kube_version))
    except (AttributeError, KeyError, TypeError, ValueError):
        # A field of a wrong type, which the analysis' own schema leaves open.
        found = schema.violations(Object(job), kube_version)
        if not found:
            raise
        return [semantics.Problem("analysis", one.pointer, one.message, one.fix) for one in found]


def _theme(code: str, name: str, reason: str, fix: str) -> None:
    """Registers semantics/<name>: every problem of that theme."""

    def check(release: Release) -> Iterator[Finding]:
        for obj, problem in memoized(_found, release).get(name, ()):
            yield defect(obj, problem.pointer, problem.message, fix=problem.fix)

    check.__name__ = name.replace("-", "_")
    check.__doc__ = reason
    rule(code, severity=ERROR, fix=fix)(check)


_theme(
    "LK201",
    "name",
    "A name has the form that its kind allows: most are DNS names, a Service's is a label of at most 63 characters.",
    "Write lower-case letters, digits and '-'.",
)
_theme(
    "LK202",
    "metadata",
    "Labels, annotations, finalizers and owners have forms of their own; the API server refuses the whole object.",
    "Correct the key or value.",
)
_theme(
    "LK203",
    "selector",
    "A selector that is empty, malformed or does not pick the workload's own pods is refused at creation, and most\n"
    "selectors cannot be changed later.",
    "Select the labels of the pod template.",
)
_theme(
    "LK204",
    "required",
    "A field whose type is in order may still not be empty.",
    "Write the field.",
)
_theme(
    "LK205",
    "value",
    "Words and numbers have their sets and bounds, which the schema does not hold.",
    "Write a value that the API knows.",
)
_theme(
    "LK206",
    "quantity",
    "Amounts have a form and a sign; a request is at most its limit; what cannot be overcommitted, such as a GPU, is\n"
    "whole and has equal request and limit.",
    "Correct the amount.",
)
_theme(
    "LK207",
    "union",
    "Of several fields that exclude each other exactly one may be set.",
    "Keep one of them.",
)
_theme(
    "LK208",
    "duplicate",
    "Names, ports and paths in a list stand there once.",
    "Rename one of the two, or leave it out.",
)
_theme(
    "LK209",
    "port",
    "A port is 1 to 65535, a port's name is short, lower-case and unique; several ports of a Service need names.",
    "Correct the port.",
)
_theme(
    "LK210",
    "probe",
    "A probe or hook has one handler and numbers that make sense; liveness succeeds at once; an init container that\n"
    "ends has none.",
    "Correct the probe.",
)
_theme(
    "LK211",
    "environment",
    "A variable has one source, and a source names a field, key or resource that can stand there.",
    "Correct the variable.",
)
_theme(
    "LK212",
    "volume",
    "A volume has one complete source, and a mount names a volume of its pod at a path of its own.",
    "Correct the volume or its mount.",
)
_theme(
    "LK213",
    "scheduling",
    "Affinity, tolerations and spreading have operators, weights and keys that go together.",
    "Correct the constraint.",
)
_theme(
    "LK214",
    "security-context",
    "Settings that contradict each other, or belong to another operating system, are refused.",
    "Correct the security context.",
)
_theme(
    "LK215",
    "workload",
    "Workloads fix their pods' restart policy, and a rolling update needs room: surge and unavailable are not both 0.",
    "Correct the workload.",
)
_theme(
    "LK216",
    "schedule",
    "A schedule has five fields within their bounds; the time zone stands in its own field.",
    "Correct the schedule.",
)
_theme(
    "LK217",
    "network",
    "Services, Ingresses and policies have fields that belong to one type only, and addresses, hosts and paths of\n"
    "a form.",
    "Correct the field.",
)
_theme(
    "LK218",
    "scaling",
    "An autoscaler has bounds in order and for each metric one complete source with a target that fits it.",
    "Correct the autoscaler.",
)
_theme(
    "LK219",
    "access",
    "A rule of a Role names verbs, groups and resources; a binding names a role and subjects that exist in its scope.",
    "Correct the rule or binding.",
)
_theme(
    "LK220",
    "data",
    "Keys of ConfigMaps and Secrets are file names, binary values are base64, and a Secret of a type has its keys.",
    "Correct the key or value.",
)
_theme(
    "LK221",
    "policy",
    "An admission policy matches something, says something, and names only what its expressions know.",
    "Correct the policy.",
)
_theme(
    "LK222",
    "rollout",
    "The Rollouts controller refuses these at run time: the object is stored, no pod ever starts, and only its status\n"
    "says InvalidSpec.",
    "Correct the strategy.",
)
_theme(
    "LK223",
    "analysis",
    "The Rollouts controller refuses such a metric when the analysis starts, which aborts the canary.",
    "Correct the metric.",
)
