"""The quick way to a line says what composing the document says, or leaves it to that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.release import Inputs, render
from llmops.render import Renderer, Target, lines

CHARTS = Path(__file__).parents[2] / "charts"


def places(node: yaml.Node, tokens: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    """Every pointer of a composed document and its line, from 1: of its key, or of its item."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*tokens, key.value), key.start_mark.line + 1
            yield from places(value, (*tokens, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*tokens, str(index)), value.start_mark.line + 1
            yield from places(value, (*tokens, str(index)))


@pytest.mark.parametrize(
    ("chart", "values"),
    [
        ("llm-stack", "ci/deployment-values.yaml"),
        ("vllm-inference", "ci/split-values.yaml"),
        ("vllm-inference", "ci/everything-values.yaml"),
    ],
)
def test_it_agrees_on_every_place_that_it_tells(chart: str, values: str, renderer: Renderer) -> None:
    inputs = Inputs(CHARTS / chart, (CHARTS / chart / values,), Target("demo", "llm"))
    told = asked = 0
    for obj in render(inputs, renderer).objects:
        for tokens, line in places(yaml.compose(obj.text)):
            found = lines.find(obj.text, tokens)
            asked, told = asked + 1, told + (found is not None)
            assert found in (None, line), (obj.name, tokens)
    assert told > 0.7 * asked


@pytest.mark.parametrize(
    ("text", "pointer", "line"),
    [
        ("a:\n  b: 1\n  c: 2\n", "a/c", 3),
        ("a:\n- x: 1\n- x: 2\n  y: 3\nb: 4\n", "a/1/y", 4),
        ("a:\n  -   x: 1\n      y: 2\n", "a/0/y", 3),
        ("a:\n  - - 1\n    - 2\n", "a/0/1", 3),
        ("a: |\n  b: 1\nb: 2\n", "b", 3),
        ("# no\n\na:\n  # b:\n  b: 1\n", "a/b", 5),
        ("ab: 1\na: 2\n", "a", 2),
        ("a: {b: 1}\n", "a/b", None),
        ("a: &x\n  b: 1\nc: *x\n", "c/b", None),
        ("a:\n  <<: *x\n", "a/b", None),
        ('"a": 1\n', "a", None),
        ("a:\n  - 'b': 1\n", "a/0/b", None),
        ("a: 1\n", "a/b", None),
        ("a:\n\tb: 1\n", "a/b", None),
        ("a:\n  -  \n  - b: 1\n", "a/0", None),
    ],
)
def test_a_line_or_nothing(text: str, pointer: str, line: Any) -> None:
    assert lines.find(text, pointer.split("/")) == line
