"""Layers of values: merged as Helm merges its -f files, and written so that Helm reads them back."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmops.findings import RefusedError
from llmops.release import archive, merge
from llmops.render import Renderer, Target
from llmops.render.binary import HelmRenderer
from llmops.render.layers import to_yaml_file
from llmops.render.manifest import parse
from llmops.render.sdk import SdkRenderer, go_yaml

SCALARS = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "x", "y", "1e3", "é\u2028\x7f"])
)
VALUES = st.recursive(
    SCALARS | st.lists(SCALARS, max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
LAYERS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), max_size=3)
ECHO = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: x}
data: {values: {{ .Values | toJson | b64enc }}}
"""


def seen(renderer: Renderer, chart: bytes, layers: list[dict[str, Any]]) -> object:
    """The values that a template sees, or that they were refused."""
    try:
        rendered = renderer.render(chart, layers, Target("x"))
    except RefusedError:
        return "refused"
    [item] = parse(rendered.templates["echo/templates/x.yaml"], "x.yaml")
    return json.loads(base64.b64decode(item.data["data"]["values"]))


@pytest.fixture
def echo(write: Callable[[dict[str, str]], Path]) -> bytes:
    return archive(
        write(
            {
                "echo/Chart.yaml": "apiVersion: v2\nname: echo\nversion: 0.1.0\n",
                "echo/values.yaml": "a: {a: 1, b: {c: 2}}\nb: [1]\nc: text\n",
                "echo/templates/x.yaml": ECHO,
            }
        )
        / "echo"
    )


@pytest.mark.real
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(layers=LAYERS)
def test_templates_see_what_helm_makes_of_its_files(
    echo: bytes, helm4_path: Path, layers: list[dict[str, Any]]
) -> None:
    assert seen(SdkRenderer(), echo, layers) == seen(HelmRenderer(helm4_path), echo, layers)


def test_later_layers_win_key_by_key_and_null_deletes(echo: bytes) -> None:
    layers: list[dict[str, Any]] = [
        {"a": {"a": 5, "b": {"d": 3}}, "b": [1, 2]},
        {"a": {"a": None}, "b": [3], "c": None},
        {"a": {"b": {"d": 4}}},
    ]
    before = copy.deepcopy(layers)
    assert merge(layers) == {"a": {"a": None, "b": {"d": 4}}, "b": [3], "c": None}
    assert layers == before
    assert seen(SdkRenderer(), echo, layers) == {"a": {"b": {"c": 2, "d": 4}}, "b": [3]}


@given(text=st.text(), key=st.text(max_size=20))
def test_any_text_survives_the_way_through_a_file(text: str, key: str) -> None:
    assert go_yaml(to_yaml_file({key: [text]})) == {key: [text]}
