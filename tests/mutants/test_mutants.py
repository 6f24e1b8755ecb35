"""A part of the mistakes of `make test-mutants`, and that the releases they go into are fine as they are."""

from __future__ import annotations

import copy
import random

import pytest

from tests.mutants import bases
from tests.mutants.__main__ import GOAL, LEAST
from tests.mutants.operators import OBJECTS, VALUES
from tests.mutants.plant import DROP, Change, typo
from tests.mutants.run import PER_OPERATOR, judged, mutants, news, of_inputs, with_layer

pytestmark = pytest.mark.long

SAMPLE = 0.12


def test_our_releases_have_no_error() -> None:
    assert not [(name, one) for name in bases.inputs() for one in bases.known(name) if one[1] == "error"]


def test_there_are_mistakes_enough() -> None:
    rows = [row for rows in OBJECTS.values() for row in rows]
    assert len(rows) + sum(map(len, VALUES.values())) > LEAST / PER_OPERATOR


def test_a_sample_of_mistakes_is_reported() -> None:
    found = list(mutants(seed=3, share=SAMPLE))
    missed = [one for one in found if not one.reported]
    assert len(found) > 60
    assert len({one.sort for one in found}) > 15
    assert len(missed) <= (1 - GOAL) * len(found), missed


def test_a_release_without_a_mistake_is_no_mutant() -> None:
    """A share of 100 % would mean little if an untouched release had news as well."""
    for base in ("qwen3-8b prod", "platform"):
        objects = [copy.deepcopy(obj.data) for obj in bases.rendered(base).objects]
        assert news(base, judged(base, objects)) == ()
        file = bases.overlay_file("nothing", {})
        assert news(base, with_layer(base, file), of_inputs(base)) == ()


def test_a_change_spoils_one_place_and_says_which() -> None:
    objects = [
        {"kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}, {"port": 81}]}}
    ]
    draw = random.Random(1)  # noqa: S311
    assert Change("", "Service", "spec/ports/*/port", DROP).plant(objects, draw) == "Service/a"
    assert sorted(map(len, objects[0]["spec"]["ports"])) == [0, 1]
    assert Change("", "Pod", "spec/ports", []).plant(objects, draw) == ""
    assert typo("http") == "htpt"
