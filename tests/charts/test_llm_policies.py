"""The chart llm-policies: each file a policy and its binding, and what the values change about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.findings import RefusedError
from llmops.kubernetes.schema import violations
from llmops.render.manifest import Object
from tests.charts.conftest import CHARTS, Objects, Render

CHART = "llm-policies"
FILES = {
    path.stem: yaml.safe_load(path.read_text("utf-8"))
    for path in (CHARTS / CHART / "policies").glob("*.yaml")
}
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"


def installed(render: Render, *values: dict[str, Any], name: str = "rules", **more: Any) -> Objects:
    return render(CHART, *values, name=name, bare=True, **more)


def binding(objects: Objects, policy: str) -> dict[str, Any]:
    return objects.one(BINDING, f"rules-{policy}")["spec"]


def test_each_file_is_a_policy_word_for_word_and_has_a_binding(render: Render) -> None:
    objects = installed(render)
    assert len(FILES) >= 10
    assert objects.kinds() == sorted((kind, f"rules-{name}") for name in FILES for kind in (POLICY, BINDING))
    for name, file in FILES.items():
        policy = objects.one(POLICY, f"rules-{name}")
        assert policy["spec"] == file["spec"]
        annotations = dict(file["metadata"]["annotations"])
        # The code is the toolkit's name for the rule.
        assert annotations.pop("llm-policies/code")
        assert policy["metadata"]["annotations"] == annotations
        assert binding(objects, name)["policyName"] == f"rules-{name}"


@pytest.mark.parametrize("version", ["1.30.0", "1.34.0", "1.35.0", "1.36.0", "1.37.0"])
def test_the_api_of_every_supported_version_takes_them(render: Render, version: str) -> None:
    known = max(version, "1.34.0")
    for item in installed(render, kube_version=version).items:
        assert list(violations(Object(item), known)) == []


@pytest.mark.parametrize(
    ("mode", "actions"), [("audit", ["Audit"]), ("warn", ["Warn", "Audit"]), ("enforce", ["Deny", "Audit"])]
)
def test_the_mode_is_for_all_and_for_one(render: Render, mode: str, actions: list[str]) -> None:
    objects = installed(render, {"mode": mode})
    assert {tuple(binding(objects, name)["validationActions"]) for name in FILES} == {tuple(actions)}
    other = installed(render, {"mode": "audit", "policies": {"image-tag": {"mode": mode}}})
    assert binding(other, "image-tag")["validationActions"] == actions
    assert binding(other, "image-digest")["validationActions"] == ["Audit"]


def test_a_policy_can_be_left_out(render: Render) -> None:
    objects = installed(render, {"policies": {"card-digest": {"mode": "off"}}})
    assert {name for _, name in objects.kinds()} == {
        f"rules-{name}" for name in FILES if name != "card-digest"
    }


def test_namespaces_are_chosen_by_a_label_or_by_name_and_per_policy(render: Render) -> None:
    match = binding(installed(render), "image-tag")["matchResources"]
    assert match["namespaceSelector"] == {"matchLabels": {"llm-policies/judged": "true"}}
    named = installed(render, {"namespaces": ["a", "b"], "policies": {"image-tag": {"namespaces": ["c"]}}})
    chosen = {name: binding(named, name)["matchResources"]["namespaceSelector"] for name in FILES}
    assert chosen["image-digest"] == {
        "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a", "b"]}]
    }
    assert chosen["image-tag"]["matchExpressions"][0]["values"] == ["c"]


def test_what_has_no_namespace_is_judged_only_when_asked(render: Render) -> None:
    scopes = [
        one["scope"] for one in binding(installed(render), "rbac-wildcard")["matchResources"]["resourceRules"]
    ]
    assert scopes == ["Namespaced"]
    values = {"clusterScoped": True, "policies": {"rbac-powers": {"clusterScoped": False}}}
    objects = installed(render, values)
    assert "resourceRules" not in binding(objects, "rbac-wildcard")["matchResources"]
    assert "resourceRules" in binding(objects, "rbac-powers")["matchResources"]


def test_a_policy_that_does_not_exist_is_refused_with_those_that_do(render: Render) -> None:
    with pytest.raises(
        RefusedError, match=r"policies\.image-digests: there is no such policy; .*image-digest"
    ):
        installed(render, {"policies": {"image-digests": {"mode": "off"}}})


def test_names_that_would_be_too_long_are_refused(render: Render) -> None:
    with pytest.raises(RefusedError, match="longer than 40"):
        installed(render, name="r" * 41)
    names = [item["metadata"]["name"] for item in installed(render, name="r" * 40).items]
    assert max(map(len, names)) <= 63


def test_notes_say_what_is_judged_and_how(render: Render) -> None:
    values = {"mode": "warn", "namespaces": ["llm-prod"], "policies": {"image-digest": {"mode": "enforce"}}}
    notes = installed(render, values, notes=True).notes
    assert "warn in llm-prod" in notes
    assert "image-digest: enforce" in notes
    assert "llm-policies/judged=true" in installed(render, notes=True).notes


def test_the_readme_lists_every_policy_with_the_rule_of_the_toolkit() -> None:
    readme = Path(CHARTS / CHART / "README.md").read_text(encoding="utf-8")
    for name, file in FILES.items():
        rule = file["metadata"]["annotations"].get("llm-policies/rule", f"policy/{name}")
        assert f"| {name} | {rule} |" in readme


A, B = (f"sha256:{digit * 64}" for digit in "ab")


def test_a_list_of_cards_is_a_policy_of_its_own_and_none_is_no_policy(render: Render) -> None:
    assert (POLICY, "rules-approved-cards") not in installed(render).kinds()
    objects = installed(
        render, {"approvedCards": [A, B], "policies": {"approved-cards": {"mode": "enforce"}}}
    )
    policy = objects.one(POLICY, "rules-approved-cards")["spec"]
    assert f'["{A}","{B}"]' in policy["validations"][0]["expression"]
    assert binding(objects, "approved-cards")["validationActions"] == ["Deny", "Audit"]
    # Pods are never judged: one that comes back in the middle of a canary is let in whatever the list says.
    judged = {one for rule in policy["matchConstraints"]["resourceRules"] for one in rule["resources"]}
    assert judged == {"rollouts", "deployments"}


def server(*cards: str) -> list[dict[str, Any] | None]:
    """A server before and after, each naming a card; an empty text names none."""
    return [
        {
            "metadata": {
                "labels": {"app.kubernetes.io/name": "vllm-inference"},
                "annotations": {"llm-stack/card-digest": card} if card else {"other": "x"},
            }
        }
        if card is not None
        else None
        for card in cards
    ]


CASES = {
    "made with a card of the list": (None, A, True),
    "made with another": (None, B, False),
    "made without one": (None, "", True),
    "changed to one of the list": (B, A, True),
    "changed to another": (A, B, False),
    "named none before": ("", B, False),
    "stays with one that left the list": (B, B, True),
}


@pytest.mark.parametrize("case", CASES)
def test_only_a_change_to_a_card_off_the_list_is_refused(render: Render, case: str) -> None:
    from cel_expr_python import cel

    before, after, admitted = CASES[case]
    spec = installed(render, {"approvedCards": [A]}).one(POLICY, "rules-approved-cards")["spec"]
    old, new = server(before, after)  # type: ignore[arg-type]
    known = {"object": new, "oldObject": old, "request": {"operation": "UPDATE" if old else "CREATE"}}
    env = cel.NewEnv(variables=dict.fromkeys(known, cel.Type.DYN))

    def holds(expression: str) -> bool:
        return bool(env.compile(expression).eval(data=known).value())

    judged = all(holds(one["expression"]) for one in spec["matchConditions"])
    assert (not judged or holds(spec["validations"][0]["expression"])) is admitted
