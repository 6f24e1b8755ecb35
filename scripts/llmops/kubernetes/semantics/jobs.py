"""Jobs and CronJobs."""

from __future__ import annotations

import re
from typing import Any

from llmops.kubernetes.semantics import forms, pods
from llmops.kubernetes.semantics.cron import schedule, time_zone
from llmops.kubernetes.semantics.meta import empty, selector, selects_own_pods, times
from llmops.kubernetes.semantics.shapes import (
    INT64,
    Check,
    Report,
    Struct,
    choice,
    each,
    missing,
    must,
    number,
    shown,
    strict,
    text,
    whole,
)
from llmops.kubernetes.semantics.workloads import THEME, count, has_template, restarts


def _indexed(value: Any, at: str, out: Report) -> None:
    indexed = value.get("completionMode") == "Indexed"
    completions, parallel = value.get("completions"), value.get("parallelism")
    if indexed and completions is None and parallel is not None:  # both absent: the server writes 1 for both
        missing(out, f"{at}/completions", THEME)
    if indexed and (number(completions) or 0) > 10**5 and (number(parallel) or 0) > 10**4:
        out.add(THEME, f"{at}/parallelism", "is too much for so many completions", "Write at most 10000.")
    per_index, failed = value.get("backoffLimitPerIndex"), value.get("maxFailedIndexes")
    if per_index is not None and not indexed:
        out.add(
            THEME,
            f"{at}/backoffLimitPerIndex",
            "needs completionMode Indexed",
            "Write completionMode: Indexed.",
        )
    if failed is not None:
        if per_index is None:
            out.add(
                THEME, f"{at}/maxFailedIndexes", "needs backoffLimitPerIndex", "Write backoffLimitPerIndex."
            )
        if indexed and number(completions) is not None and (number(failed) or 0) > completions:
            out.add(
                THEME, f"{at}/maxFailedIndexes", f"must be at most completions, {completions}", "Lower it."
            )
    if value.get("successPolicy") is not None and not indexed:
        out.add(
            THEME, f"{at}/successPolicy", "needs completionMode Indexed", "Write completionMode: Indexed."
        )


def _suspended(value: Any, at: str, out: Report) -> None:
    if value.get("podFailurePolicy") is not None:
        template = value.get("template")
        spec = template.get("spec") if isinstance(template, dict) else None
        if isinstance(spec, dict) and spec.get("restartPolicy") not in ("Never", None, ""):
            where = f"{at}/template/spec/restartPolicy"
            out.add(THEME, where, "must be Never beside podFailurePolicy", "Write Never.")


def _failure_policy(value: Any, at: str, out: Report) -> None:
    """The rules of podFailurePolicy: one condition each, containers that exist, actions that go with the job."""
    policy = value.get("podFailurePolicy")
    rules = policy.get("rules") if isinstance(policy, dict) else None
    if value.get("podFailurePolicy") is not None and value.get("podReplacementPolicy") not in (
        None,
        "",
        "Failed",
    ):
        where = f"{at}/podReplacementPolicy"
        out.add(THEME, where, "must be Failed beside podFailurePolicy", "Write Failed, or leave it out.")
    template = value.get("template")
    spec = template.get("spec") if isinstance(template, dict) else None
    names = {
        one.get("name")
        for group in ("containers", "initContainers")
        for one in ((spec.get(group) if isinstance(spec, dict) else None) or ())
        if isinstance(one, dict)
    }
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if not isinstance(rule, dict):
            continue
        where = f"{at}/podFailurePolicy/rules/{index}"
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions")
        if (codes is not None) == bool(conditions):
            out.add("union", where, "needs either onExitCodes or onPodConditions", "Write one of the two.")
        if rule.get("action") == "FailIndex" and value.get("backoffLimitPerIndex") is None:
            out.add(
                THEME,
                f"{where}/action",
                "FailIndex needs backoffLimitPerIndex",
                "Write backoffLimitPerIndex.",
            )
        if isinstance(codes, dict) and (name := codes.get("containerName")) is not None and name not in names:
            said = f"is {shown(name)}, no container of the template"
            out.add(THEME, f"{where}/onExitCodes/containerName", said, "Name a container.")


def _codes(value: Any, at: str, out: Report) -> None:
    values = value.get("values")
    if not isinstance(values, list) or not values:
        missing(out, f"{at}/values", THEME)
        return
    numbers = [one for one in values if number(one) is not None]
    if len(numbers) > 255:
        out.add(THEME, f"{at}/values", "has more than 255 codes", "Write at most 255.")
    if len(set(numbers)) != len(numbers):
        out.add("duplicate", f"{at}/values", "has a code twice", "Write each once.")
    elif numbers != sorted(numbers):
        out.add(THEME, f"{at}/values", "is not sorted", "Sort the codes.")
    if value.get("operator") == "In" and 0 in numbers:
        out.add(THEME, f"{at}/values", "has 0, which is no failure", "Leave 0 out.")


_condition = Struct(
    {"type": text(forms.qualified, THEME), "status": choice("True", "False", "Unknown", theme=THEME)},
    required=("type",),
    theme=THEME,
)
_failure = Struct(
    {
        "rules": each(
            Struct(
                {
                    "action": choice("FailJob", "FailIndex", "Ignore", "Count", theme=THEME),
                    "onExitCodes": Struct(
                        {"operator": choice("In", "NotIn", theme=THEME)},
                        _codes,
                        required=("operator",),
                        theme=THEME,
                    ),
                    "onPodConditions": each(_condition),
                },
                required=("action",),
                theme=THEME,
            )
        )
    }
)


def _success(value: Any, at: str, out: Report) -> None:
    policy = value.get("successPolicy")
    if not isinstance(policy, dict):
        return
    rules = policy.get("rules")
    if not rules:
        missing(out, f"{at}/successPolicy/rules", THEME)
        return
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if not isinstance(rule, dict):
            continue
        where = f"{at}/successPolicy/rules/{index}"
        wanted, indexes = rule.get("succeededCount"), rule.get("succeededIndexes")
        if wanted is None and indexes is None:
            out.add("union", where, "needs succeededIndexes or succeededCount", "Write one of the two.")
        completions = number(value.get("completions"))
        total = _indexes(indexes, completions) if isinstance(indexes, str) else None
        if isinstance(indexes, str) and total is None:
            said = f"is {shown(indexes)}, no list of indexes below completions"
            out.add(THEME, f"{where}/succeededIndexes", said, "Write it as 0,2-4.")
        if isinstance(wanted, int):
            most = total if total is not None else completions
            if wanted < 1 or (most is not None and wanted > most):
                out.add(
                    THEME,
                    f"{where}/succeededCount",
                    f"must be 1 to {most}, not {wanted}",
                    f"Write at most {most}.",
                )


def _indexes(value: str, completions: int | None) -> int | None:
    """How many indexes a list such as 0,2-4 has; None when it is no such list."""
    total, last = 0, -1
    for item in value.split(",") if value else ():
        match = re.fullmatch(r"([0-9]+)(?:-([0-9]+))?", item, re.ASCII)
        if match is None:
            return None
        first = int(match[1])
        final = int(match[2]) if match[2] else first
        if (
            first <= last
            or (match[2] and final <= first)
            or (completions is not None and final >= completions)
        ):
            return None
        total, last = total + final - first + 1, final
    return total


def _own_selector(value: Any, at: str, out: Report) -> None:
    if value.get("manualSelector") is True:
        selects_own_pods(value, at, out)
    elif not empty(value.get("selector")):
        # The API server adds its own label to the selector, and to the pods what selects_own_pods sees.
        selects_own_pods(value, at, out)


_JOB: dict[str, Check] = {
    "template": pods.template,
    "selector": selector,
    "podFailurePolicy": _failure,
    **dict.fromkeys(
        ("parallelism", "completions", "backoffLimit", "ttlSecondsAfterFinished",
         "backoffLimitPerIndex", "maxFailedIndexes"),
        count,
    ),
    "activeDeadlineSeconds": whole(0, INT64, THEME),
    "completionMode": strict("NonIndexed", "Indexed", theme=THEME),
    "podReplacementPolicy": strict("Failed", "TerminatingOrFailed", theme=THEME),
    "managedBy": text(forms.prefixed, THEME),
}  # fmt: skip
_ENDING: tuple[Check, ...] = (
    has_template,
    restarts("OnFailure", "Never"),
    _indexed,
    _suspended,
    _failure_policy,
    _success,
)
job_spec: Check = Struct(_JOB, *_ENDING, _own_selector)
job: Check = Struct({"spec": job_spec})


def _cron_selector(value: Any, at: str, out: Report) -> None:
    if value.get("manualSelector") is True:
        out.add("selector", f"{at}/manualSelector", "is not allowed in a CronJob", "Leave it out.")
    elif value.get("selector") is not None:
        out.add("selector", f"{at}/selector", "is not allowed in a CronJob", "Leave selector out.")


cron_job: Check = Struct(
    {
        "spec": Struct(
            {
                "schedule": schedule,
                "timeZone": time_zone,
                "startingDeadlineSeconds": whole(0, INT64, "schedule"),
                "concurrencyPolicy": choice("Allow", "Forbid", "Replace", theme="schedule"),
                "jobTemplate": Struct(
                    {"metadata": times, "spec": Struct(_JOB, *_ENDING, _cron_selector)},
                    must(
                        lambda value: isinstance(value.get("spec"), dict),
                        "spec",
                        "is missing",
                        "Write spec.",
                        THEME,
                    ),
                ),
                **dict.fromkeys(
                    ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"),
                    whole(0, theme="schedule"),
                ),
            },
            required=("schedule",),
            theme="schedule",
        )
    }
)
