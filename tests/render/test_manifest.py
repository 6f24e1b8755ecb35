"""YAML as Go reads it: what is refused, with its line, and what is read as what."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from llmops.findings import InputError
from llmops.render.manifest import Object, parse, read_values

BOMB = "a: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
LONG_ALIAS = f"a: &a {'x' * 200_000}\nb:\n" + "- *a\n" * 20_000

# id: text, line of the complaint, words of it
REFUSED = {
    "duplicate key": ("a: 1\nb: 2\na: 3\n", 3, "a: this key stands twice, first in line 1"),
    "nested duplicate": (
        "a:\n- b:\n    c: 1\n    c: 2\n",
        4,
        "a[0].b.c: this key stands twice, first in line 3",
    ),
    "flow duplicate": ('a: {b: 1, "b": 2}\n', 1, "a.b: this key stands twice"),
    "same number, two spellings": ("1: a\n0x1: b\n", 2, "1: this key stands twice"),
    "key y": ("a:\n  y: 1\n", 2, 'the key y is read as true; write "y": in quotes'),
    "key n": ("n: 1\n", 1, 'the key n is read as false; write "n": in quotes'),
    "key on": ("x: 1\non: 2\n", 2, 'write "on": in quotes'),
    "null key": ("a: 1\n~: 2\n", 2, "a key is missing"),
    "list as key": ("? [a]\n: 1\n", 1, "a key must be plain text"),
    "2^63": ("a:\n  b: 9223372036854775808\n", 2, "a.b: 9223372036854775808 is beyond 2^53"),
    "2^53+1": ("a: 9007199254740993\n", 1, "beyond 2^53"),
    "negative": ("a: -9007199254740993\n", 1, "beyond 2^53"),
    "hexadecimal": ("a: 0x20000000000001\n", 1, "beyond 2^53"),
    "5000 digits": (f"a: {'9' * 5000}\n", 1, "beyond 2^53"),
    "infinity": ("a: -.inf\n", 1, "a: -.inf is no number in JSON"),
    "not a number": ("a: [1, .NaN]\n", 1, "a[1]: .NaN is no number"),
    "private tag": ("a: 1\nb: !foo c\n", 2, "b: the tag !foo means nothing to Kubernetes"),
    "binary tag": ("a: !!binary aGVsbG8=\n", 1, "the tag !!binary"),
    "python tag": ("a: !!python/object:os.system x\n", 1, "the tag !!python/object:os.system"),
    "tag on a mapping": ("a: !!set {b: null}\n", 1, "the tag !!set"),
    "NUL by escape": ('a: "x\\0y"\n', 1, "a: the text holds the control character U+0000"),
    "raw control character": ("a: 1\nb: x\x07y\n", 2, "remove the control character"),
    "tab": ("a:\n\tb: 1\n", 2, "indent with spaces"),
    "open bracket": ("a: [1, 2\nb: 3\n", 2, "this is not YAML"),
    "open quote": ("a: 1\nb: 'x\nc: 2\n", 2, "close the quote"),
    "colon in a text": ("a: b: c\n", 1, "put a text with ': ' in it in quotes"),
    "unknown alias": ("a: *b\n", 1, "*b names no anchor above it"),
    "alias inside its anchor": ("a: 1\nb: &b [*b]\n", 2, "*b stands inside what it names"),
    "alias bomb": (BOMB, 8, "the aliases multiply to more than 10 MB"),
    "long text aliased": (LONG_ALIAS, 52, "the aliases multiply to more than 10 MB"),
    "101 levels": ("a: " + "[" * 101 + "]" * 101 + "\n", 1, "deeper than 100 levels"),
    "100,000 brackets": ("a: " + "[" * 100_000 + "\n", 1, "deeper than 100 levels"),
    "100,000 dashes": ("- " * 100_000 + "\n", 1, "deeper than 100 levels"),
    "YAML 1.2 directive": ("%YAML 1.2\n---\na: 1\n", 1, "remove the line with %YAML"),
}

# text of one value, and what Kubernetes makes of it
READ: list[tuple[str, Any]] = [
    ("1e3", 1000),
    ("y", True),
    ("NO", False),
    ("0o10", 8),
    ("010", 8),
    ("08", 8),
    ("0x10", 16),
    ("1_000", 1000),
    ("1:30", "1:30"),
    ("2026-11-20", "2026-11-20"),
    ("=", "="),
    ("1e400", "1e400"),
    ("!!str 1", "1"),
    ("9007199254740992", 2**53),
    ('"9223372036854775808"', "9223372036854775808"),
    ('".inf"', ".inf"),
    ("{x: 1, <<: {b: 2}}", {"x": 1, "b": 2}),
    ('{"y": 1, "on": 2}', {"y": 1, "on": 2}),
    ('"tab\\tand\\nline"', "tab\tand\nline"),
    ("!!float 3", 3),
    ("~", None),
]


@pytest.mark.parametrize(("text", "line", "words"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_with_line_and_key(tmp_path: Path, text: str, line: int, words: str) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(text, encoding="utf-8")
    started = time.process_time()
    with pytest.raises(InputError) as values_refused:
        read_values(file)
    with pytest.raises(InputError) as manifest_refused:
        parse(text, "all.yaml")
    # Of this process alone, whatever else the machine does; most take milliseconds, and a bomb would take hours.
    assert time.process_time() - started < 30, "a few kilobytes must not keep the command busy"
    assert values_refused.value.source == f"{file}:{line}"
    assert manifest_refused.value.source == f"all.yaml:{line}"
    assert words in values_refused.value.message
    assert words in manifest_refused.value.message


@pytest.mark.parametrize(("text", "value"), READ, ids=[text for text, _ in READ])
def test_a_value_is_read_as_kubernetes_reads_it(text: str, value: object) -> None:
    [item] = parse(f"apiVersion: v1\nkind: X\nmetadata: {{name: x}}\nvalue: {text}\n", "x.yaml")
    assert item.data["value"] == value
    assert type(item.data["value"]) is type(value)


def config_map(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("# only a comment\n", []),
        ("---\n# nothing\n---\n\n---\nnull\n", []),
        (f"{config_map('a')}--- # the next\n{config_map('b')}...\n# the end\n", [("a", 1), ("b", 5)]),
        (f"# first\n---\n# Source: x\n{config_map('a')}---\n---\n{config_map('b')}", [("a", 4), ("b", 9)]),
        (f"{config_map('a')}data:\n  x: |\n    ---\n    y\n---\n{config_map('b')}", [("a", 1), ("b", 9)]),
        (f"\ufeff{config_map('a')}---\n{config_map('b')}".replace("\n", "\r\n"), [("a", 1), ("b", 5)]),
        (f"x: 1\n{config_map('a')}".replace("name", "generateName"), [("a", 1)]),
    ],
    ids=[
        "empty",
        "comment",
        "empty documents",
        "trailing comments",
        "comments",
        "literal",
        "BOM, CRLF",
        "generateName",
    ],
)
def test_documents_are_split_where_yaml_splits_them(text: str, found: list[tuple[str, int]]) -> None:
    assert [(item.name, item.line) for item in parse(text, "all.yaml")] == found


@pytest.mark.parametrize(
    ("document", "line", "words"),
    [
        ("- a\n", 6, "the document is a sequence"),
        ("hello\n", 6, "the document is a scalar"),
        ("kind: Pod\nmetadata: {name: x}\n", 6, "no apiVersion"),
        ("apiVersion: v1\nkind: 7\nmetadata: {name: x}\n", 7, "no kind"),
        ("apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {}\n", 8, "the Pod has no metadata.name"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: 12\n",
            9,
            "metadata.name is not a text; write it in quotes",
        ),
        ("apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  metadata: {name: x}\n", 9, "no apiVersion"),
        ("apiVersion: v1\nkind: List\nitems:\n- pod\n", 9, "items[0] is not an object"),
    ],
)
def test_a_document_that_is_no_object_is_refused(document: str, line: int, words: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(f"# one\n{config_map('a')}---\n{document}", "all.yaml")
    assert refused.value.source == f"all.yaml:{line}"
    assert words in refused.value.message


LIST = """\
# two in a list
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: web
    namespace: shop
    labels: &labels {app: web}
  spec:
    selector: {matchLabels: *labels}
    template:
      metadata:
        labels:
          <<: *labels
          tier/front: yes
- apiVersion: v1
  kind: ServiceList
  items:
  - {apiVersion: v1, kind: Service, metadata: {name: web}}
"""


def test_lists_are_expanded_and_every_part_is_located() -> None:
    web, service = parse(LIST, "list.yaml")
    assert web.key == ("apps", "Deployment", "shop", "web")
    assert service.key == ("", "Service", "", "web")
    assert (web.line, service.line) == (5, 21)
    assert web.get("/spec/template/metadata/labels/tier~1front") is True
    assert web.get("/spec/replicas", 1) == 1
    located = {
        "": 5,
        "/metadata/name": 8,
        "/spec/template/metadata/labels/tier~1front": 17,
        "/spec/template/metadata/labels/app": 10,
        "/spec/template/metadata/annotations/x": 14,
        "/nowhere": 5,
    }
    assert {pointer: web.at(pointer) for pointer in located} == {
        pointer: f"list.yaml:{line}" for pointer, line in located.items()
    }
    assert Object({"kind": "Pod"}, "made.yaml", 3).at("/spec") == "made.yaml:3"


def test_an_empty_list_holds_nothing_and_items_of_a_typed_list_inherit_its_kind() -> None:
    assert parse("{apiVersion: v1, kind: List, items: null}\n", "list.yaml") == []
    pod = "{kind: Pod, apiVersion: v1, metadata: {name: b}}"
    text = f"apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {{name: a}}\n- {pod}\n"
    assert [obj.key for obj in parse(text, "list.yaml")] == [
        ("apps", "Deployment", "", "a"),
        ("", "Pod", "", "b"),
    ]
    assert parse("{apiVersion: v1, kind: ServiceList, items: null}\n", "list.yaml") == []


def test_a_values_file_knows_the_scalars_as_written_and_what_a_null_deletes(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("a: {tag: 0123, text: '1', flag: yes, none: ~, list: [1e3]}\nb: null\n")
    values = read_values(file)
    written = {
        key: values.written(f"/a/{key}") for key in ("tag", "text", "flag", "none", "list", "list/0", "x")
    }
    assert written == {
        "tag": "0123", "text": None, "flag": "yes", "none": "~", "list": None, "list/0": "1e3", "x": None,
    }  # fmt: skip
    assert [values.decides(one) for one in ("/a/tag", "/a/x", "/b", "/b/c/d", "/c")] == [
        True, False, True, True, False,
    ]  # fmt: skip


def test_a_values_file_knows_what_it_sets_and_where(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_bytes(
        "\ufeff# c\r\n---\r\na:\r\n  b: null\r\n  c: |\r\n    x\r\n# end\r\n---\r\n# nothing\r\n".encode()
    )
    values = read_values(file)
    assert values.data == {"a": {"b": None, "c": "x\n"}}
    assert values.has("/a/b")
    assert not values.has("/a/d")
    assert values.at("/a/c") == f"{file}:5"
    assert values.at("/a/d/e") == f"{file}:3"
    file.write_text("# nothing yet\n", encoding="utf-8")
    assert read_values(file).data == {}


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"a: 1\n---\nb: 2\n", ":3", "a second document starts here"),
        (b"---\n---\nb: 2\n", ":3", "a second document starts here"),
        (b"- a\n", ":1", "the file holds a sequence"),
        (b"x\n", ":1", "the file holds a scalar"),
        (b"a: 1\nb: \xff\n", ":2", "save it as UTF-8"),
        (b"#" * (5 * 2**20 + 1), "", "write at most 5242880"),
        (None, "", "no such file; expected a values file"),
    ],
)
def test_a_values_file_is_one_mapping(tmp_path: Path, content: bytes | None, line: str, words: str) -> None:
    file = tmp_path / "values.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_values(file)
    assert refused.value.source == f"{file}{line}"
    assert words in refused.value.message
