"""Asks Kubernetes' own policy code about random pods and compares: `python -m tests.kubernetes.pod_security_oracle`.

`--write` stores a small pod for each outcome, with the answers of Kubernetes, for the fast test.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmops.kubernetes import pod_security
from llmops.kubernetes.crds import cache_root
from tests.kubernetes.pods import pods, single

STORED = Path(__file__).with_name("pod_security_cases.jsonl")
NEWEST = (1, 37)  # of the policy that the oracle is built from: tools/pod-security/go.mod
# Versions of the profiles that refuse something else than the one before.
CHANGED = (8, 19, 22, 23, 25, 27, 29, 31, 32, 34, 35, 37)
# What the policy calls a refusal → our control.
REASONS = {
    "allowPrivilegeEscalation != false": "allow-privilege-escalation",
    "forbidden AppArmor profile": "app-armor-profile",
    "forbidden AppArmor profiles": "app-armor-profile",
    "non-default capabilities": "capabilities",
    "unrestricted capabilities": "capabilities",
    "host namespaces": "host-namespaces",
    "hostPort": "host-ports",
    "probe or lifecycle host": "host-probes-and-host-lifecycle",
    "privileged": "privileged",
    "procMount": "proc-mount",
    "runAsNonRoot != true": "run-as-non-root",
    "runAsUser=0": "run-as-user",
    "seLinuxOptions": "se-linux-options",
    "seccompProfile": "seccomp-profile",
    "forbidden sysctls": "sysctls",
    "hostPath volumes": "volume-types",
    "restricted volume types": "volume-types",
    "hostProcess": "windows-host-process",
}


def asked(questions: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The controls that Kubernetes' policy refuses of each pod."""
    program = cache_root() / "bin" / "pod-security"
    if not program.exists():
        sys.exit(
            f"{program} is not there; run `make test-pod-security`, which builds it from tools/pod-security"
        )
    lines = "".join(json.dumps(one) + "\n" for one in questions)
    done = subprocess.run([program], input=lines, capture_output=True, text=True, check=True)
    return [sorted({REASONS[reason] for reason in json.loads(line)}) for line in done.stdout.splitlines()]


def judged(question: dict[str, Any]) -> list[str]:
    """The controls that the toolkit refuses of a pod."""
    return sorted(
        pod_security.refusals(
            question["metadata"].get("annotations") or {},
            question["spec"],
            question["level"],
            pod_security.parse_version(question["version"], NEWEST),
        )
    )


def distilled(questions: Sequence[dict[str, Any]], answers: Sequence[list[str]]) -> list[dict[str, Any]]:
    """The smallest pod for each outcome and on both sides of each version that changed the policy, and every value."""
    smallest = sorted(zip(questions, answers, strict=True), key=lambda pair: len(json.dumps(pair[0])))
    best: dict[object, dict[str, Any]] = {}
    for question, answer in smallest:
        new = pod_security.parse_version(question["version"], NEWEST) >= (1, 35)
        if len(answer) <= 1:
            best.setdefault((question["level"], new, tuple(answer)), {**question, "refused": answer})
    alone = list(single())
    for index, (question, answer) in enumerate(zip(alone, asked(alone), strict=True)):
        best["alone", index] = {**question, "refused": answer}
    pods_only = [question for question, _ in smallest]
    for minor in CHANGED:
        before, after = (
            [{**question, "version": f"v1.{one}"} for question in pods_only] for one in (minor - 1, minor)
        )
        found = zip(before, asked(before), after, asked(after), strict=True)
        first, was, then, became = next(pair for pair in found if pair[1] != pair[3])
        best[minor, "before"] = {**first, "refused": was}
        best[minor, "after"] = {**then, "refused": became}
    return list({json.dumps(one, sort_keys=True): one for one in best.values()}.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    questions = list(pods(arguments.seed, arguments.pods))
    answers = asked(questions)
    wrong = [
        (question, answer, ours)
        for question, answer in zip(questions, answers, strict=True)
        if answer != (ours := judged(question))
    ]
    for question, answer, ours in wrong[:20]:
        print(f"Kubernetes {answer}, toolkit {ours}: {json.dumps(question)}")  # noqa: T201
    refused = sum(map(bool, answers))
    seen = Counter(control for answer in answers for control in answer)
    print(  # noqa: T201
        f"{len(questions)} pods of seed {arguments.seed}, {refused} refused by Kubernetes' policy, "
        f"{len(questions) - len(wrong)} judged alike in every control; "
        + ", ".join(f"{control} {count}" for control, count in sorted(seen.items()))
    )
    if arguments.write:
        STORED.write_text(
            "".join(json.dumps(one, sort_keys=True) + "\n" for one in distilled(questions, answers))
        )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
