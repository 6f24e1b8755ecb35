"""CEL rules of definitions: defaults first, words of CEL's own escaped, and nothing said where nobody can tell."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes import schema
from llmops.kubernetes.definition_rules import broken

LEAST_AND_MOST: dict[str, Any] = {
    "properties": {
        "spec": {
            "properties": {"min": {"type": "integer"}, "max": {"type": "integer", "default": 3}},
            "x-kubernetes-validations": [{"rule": "self.min <= self.max", "message": "min is above max"}],
        }
    }
}


def pointers(definition: dict[str, Any], data: Any) -> list[str]:
    return [one.pointer for one in broken(definition, data)]


def test_a_default_is_there_before_a_rule_looks() -> None:
    assert pointers(LEAST_AND_MOST, {"spec": {"min": 4}}) == ["/spec"]
    assert pointers(LEAST_AND_MOST, {"spec": {"min": 3}}) == []
    assert pointers(LEAST_AND_MOST, {"spec": {"min": 4, "max": None}}) == ["/spec"]
    assert pointers(LEAST_AND_MOST, {"spec": {"min": 4, "max": 5}}) == []


def test_what_has_no_value_is_left_to_the_api_server() -> None:
    assert pointers(LEAST_AND_MOST, {"spec": {}}) == []
    for rule in ("self.min == oldSelf.min", "isURL(self.name)", "self.min ="):
        assert pointers({"x-kubernetes-validations": [{"rule": rule}]}, {"min": 1, "name": "x"}) == []


def test_a_word_of_cel_is_a_field_all_the_same() -> None:
    rules = [{"rule": "self.__namespace__ != 'default' && self.a__dash__b"}]
    fields = {"properties": {"namespace": {}, "a-b": {}}, "x-kubernetes-validations": rules}
    assert pointers(fields, {"namespace": "default", "a-b": True}) == [""]
    assert pointers(fields, {"namespace": "llm", "a-b": True}) == []


def test_items_and_free_keys_are_judged_one_by_one() -> None:
    small = {"x-kubernetes-validations": [{"rule": "self < 5"}]}
    fields = {"properties": {"list": {"items": small}, "map": {"additionalProperties": small}}}
    assert pointers(fields, {"list": [1, 7], "map": {"a/b": 9, "c": 1}}) == ["/list/1", "/map/a~1b"]


def test_every_rule_of_a_real_definition_can_be_read() -> None:
    """A rule that does not compile here would be silent for ever: the Gateway API has the most of them."""
    route: dict[str, Any] = {
        "spec": {
            "parentRefs": [{"name": "edge", "namespace": "a"}, {"name": "edge", "namespace": "a"}],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "v1"}}],
                    "timeouts": {"request": "10s", "backendRequest": "1h"},
                    "backendRefs": [{"name": "qwen"}],
                    "filters": [{"type": "URLRewrite"}, {"type": "RequestRedirect"}],
                }
            ],
        }
    }
    definition = schema.definition("gateway.networking.k8s.io/v1", "HTTPRoute", "1.35.0")
    found = pointers(definition, route)
    for place in ("parentRefs", "rules/0/matches/0/path", "rules/0/timeouts", "rules/0/backendRefs/0"):
        assert f"/spec/{place}" in found
    assert "/spec/rules/0/filters" in found
    assert "/spec/rules/0/filters/0" in found
