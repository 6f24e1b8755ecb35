"""The metrics that an autoscaler may name are those that the platform's rules for the adapter make."""

from __future__ import annotations

import yaml

from llmops.checks.rules.scaling.complete import OFFERED
from tests.mutants import bases


def test_the_names_are_those_of_the_platform() -> None:
    (rules,) = (
        one.data["data"]["config.yaml"]
        for one in bases.rendered("platform").objects
        if one.kind == "ConfigMap" and one.name.endswith("adapter-rules")
    )
    assert sorted(one["name"]["as"] for one in yaml.safe_load(rules)["externalRules"]) == sorted(OFFERED)
