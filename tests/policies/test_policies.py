"""The toolkit says of an object what the API server said of it: its answers are stored with the objects."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import yaml

from llmops import checks
from llmops.kubernetes import admission
from llmops.kubernetes.schema import violations
from llmops.render.manifest import Object
from tests.checks.cases import manifests
from tests.policies import corpus

CASES = corpus.stored()
NAMES = [one.name for one in admission.policies()]


def called(case: dict[str, Any]) -> str:
    return f"{case['object']['kind']}-{case['object']['metadata']['name']}"


@pytest.mark.parametrize("case", CASES, ids=called)
def test_toolkit_and_api_server_say_the_same_words(case: dict[str, Any]) -> None:
    assert corpus.judged(case["object"]) == case["said"]


def test_every_policy_was_seen_to_refuse_and_to_let_pass() -> None:
    assert len(CASES) >= 100
    refused = Counter(name for case in CASES for name in case["said"])
    assert sorted(refused) == NAMES
    for policy in admission.policies():
        passed = [
            case
            for case in CASES
            if policy.matches(case["object"]["apiVersion"].rpartition("/")[0], case["object"]["kind"])
            and policy.name not in case["said"]
        ]
        assert passed, policy.name


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_is_an_object_that_the_api_server_takes(name: str) -> None:
    file = admission.folder() / f"{name}.yaml"
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    for version in ("1.34.0", "1.35.0", "1.36.0", "1.37.0"):
        assert list(violations(Object(data), version)) == []


def test_what_policies_share_they_share_word_for_word() -> None:
    """Which objects hold pods, and where, is one thing for all policies about pods."""
    shared = [stated["specs"] for one in admission.policies() if "specs" in (stated := dict(one.variables))]
    assert len(shared) >= 7
    assert len(set(shared)) == 1


def test_a_defect_is_found_at_its_place_in_every_container_and_template() -> None:
    template = {
        "containers": [
            {
                "name": "a",
                "image": "a:1",
                "env": [{"name": "A", "value": "b"}, {"name": "HF_TOKEN", "value": "x"}],
            },
            {"name": "b", "image": "b:1", "env": [{"name": "API_KEY", "value": "x"}]},
        ],
        "initContainers": [{"name": "c", "image": "c:1", "env": [{"name": "DB_PASSWORD", "value": "x"}]}],
    }
    data = {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": {"name": "x"},
        "spec": {
            "leaderWorkerTemplate": {
                "leaderTemplate": {"spec": template},
                "workerTemplate": {"spec": {"containers": [template["containers"][1]]}},
            }
        },
    }
    outcome = checks.run(manifests(yaml.safe_dump(data)))
    found = {one.path: one.message for one in outcome.findings if one.rule == "policy/literal-secret"}
    below, stands = "/spec/leaderWorkerTemplate", "stands in the environment as text."
    assert found == {
        f"{below}/leaderTemplate/spec/containers/0/env/1/value": f"the secret HF_TOKEN {stands}",
        f"{below}/leaderTemplate/spec/containers/1/env/0/value": f"the secret API_KEY {stands}",
        f"{below}/leaderTemplate/spec/initContainers/0/env/0/value": f"the secret DB_PASSWORD {stands}",
        f"{below}/workerTemplate/spec/containers/0/env/0/value": f"the secret API_KEY {stands}",
    }


@pytest.mark.parametrize(
    "spec",
    [
        {},
        None,
        [],
        "text",
        {"containers": None},
        {"containers": {}},
        {"containers": [None, 1, {"env": [None]}]},
    ],
)
def test_an_object_of_a_wrong_shape_is_left_to_the_schema(spec: Any) -> None:
    for kind, api in (("Pod", "v1"), ("Deployment", "apps/v1"), ("Rollout", "argoproj.io/v1alpha1")):
        data = {"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, "spec": spec}
        found = {one.rule for one in checks.run(manifests(yaml.safe_dump(data))).findings}
        assert not {rule for rule in found if rule.startswith("policy/")}


def test_an_expression_that_fails_denies_unless_its_policy_ignores_failures() -> None:
    policy = {
        "metadata": {"name": "x"},
        "spec": {
            "matchConstraints": {"resourceRules": [{"apiGroups": [""], "resources": ["pods"]}]},
            "variables": [{"name": "far", "expression": "object.spec.far.away"}],
            "validations": [
                {"expression": "!has(object.spec.far) || variables.far == 1", "message": "too far"}
            ],
        },
    }

    def judged(spec: dict[str, Any]) -> list[str]:
        return admission.policy_of(policy).judge(admission.Subject({"kind": "Pod", "spec": spec}))

    assert judged({}) == []
    assert judged({"far": {"away": 1}}) == []
    assert judged({"far": {"away": 2}}) == ["too far"]
    assert "has no value" in judged({"far": {}})[0]
    policy["spec"]["failurePolicy"] = "Ignore"
    assert judged({"far": {}}) == []
