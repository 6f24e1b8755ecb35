"""What the toolkit puts together while it looks through YAML is what Helm's own parser reads."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from llmops.findings import InputError
from llmops.render.plain import UNSURE
from llmops.render.scan import documents
from llmops.render.sdk import go_yaml

ROOT = Path(__file__).parents[2]
FILES = sorted(
    [
        *ROOT.glob("values/**/*.yaml"),
        *ROOT.glob("charts/*/values.yaml"),
        *ROOT.glob("charts/*/dashboards/*.json"),
        *ROOT.glob("charts/llm-policies/policies/*.yaml"),
        *ROOT.glob("scripts/llmops/data/**/*.yaml"),
    ]
)

# Values that readers of YAML understand differently, or that Go takes for something else than a text.
ODD = [
    *("1e3", "1E3", ".5", "1.", "+5", "-0", "-0.0", "0.000001", "1_000", "0x10", "0o10", "010", "08", "0b11", "1:30"),
    *("1:30:00", "2026-11-20", "2026-11-20 10:00:00", "2026-11-20T10:00:00Z", "1e400", "-", "--flag", "-c", "...x"),
    *("10m", "8Gi", "5%", "1,000", "1.2.3", "0x", "0xg", "12e4567", "0123456", "1.0", "100.50", "-7.25", "1/2"),
    *("=", "y", "Off", "null", "~", "True", "nUll", "<", "@home", "a: b", "a #b", "a#b", "'it''s'", '"a\\u00e9\\n"'),
    *("[1, a, {b: c}]", "{a: http://x/y?z, b: [c:d]}", "{a: 1:30}", "[a?, ?b]", "|\n  x\n   y\n\n"),
    *(">-\n  x\n  y\n\n   z\n", "é", "x\u2028y", "x\u0085y", "a\tb", "\n  a\n  b", "\n  1\n  2", "&a b", "!!str 1"),
]  # fmt: skip


def differs(text: str) -> bool:
    """Whether a document is told here, and told otherwise than by Go; what is refused here is no matter."""
    try:
        [document] = documents(text, "x.yaml")
    except InputError:
        return False
    if document.data is UNSURE or document.root != "mapping":
        return False
    try:
        read = go_yaml(document.text)
    except InputError:
        return True
    # repr tells 1 from True and from 1.0, and keys in another order.
    return repr(read) != repr(document.data)


@pytest.mark.parametrize("value", ODD)
def test_an_odd_value_is_what_go_reads_or_left_to_it(value: str) -> None:
    for text in (f"v: {value}\n", f"v: [{value}, x]\n", f"v:\n- {value}\n- k: {value}\n", f"{value}: x\n"):
        assert not differs(text), text


def test_values_of_signs_and_digits_are_what_go_reads() -> None:
    dice = random.Random(7)  # noqa: S311
    signs = "0012579+-._:eExobinfTZgy"
    values = ["".join(dice.choices(signs, k=dice.randint(1, 7))) for _ in range(1500)]
    assert [value for value in values if differs(f"v: {value}\nw: [{value}]\n")] == []


def test_our_own_files_are_read_as_go_reads_them_and_most_without_it() -> None:
    told = 0
    for file in FILES:
        for document in documents(file.read_text(encoding="utf-8"), str(file)):
            if document.root == "mapping" and document.data is not UNSURE:
                told += 1
                assert repr(document.data) == repr(go_yaml(document.text)), file
    assert told >= 100


def test_a_document_that_is_full_of_unclear_values_is_read_by_go_at_once() -> None:
    text = "".join(f"- 1e{number}\n" for number in range(100))
    [document] = documents(f"v:\n{text}", "x.yaml")
    assert document.data is UNSURE


def test_a_word_without_an_end_is_soon_refused() -> None:
    from llmops.render.refusal import refusal

    text = f'template: a/b.yaml:3:4: executing "a/b.yaml" at <.x>: range can\'t iterate over {"x" * 200_000}'
    began = time.process_time()
    assert refusal(text).message.startswith("a/b.yaml:3: .x fails: range can't iterate over xxx")
    assert time.process_time() - began < 5
