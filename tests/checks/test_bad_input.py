"""`llmops check --manifests` on what is no manifest: one sentence and exit 2, or findings; soon, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

LIMIT = 600
"""Seconds. Most answers take half a second, on a busy machine some; a hang would take for ever."""
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
LAUGHS = "a: &a [lol, lol]\n" + "".join(
    f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]\n" for before, one in zip("abcdefgh", "bcdefghi", strict=True)
)  # fmt: skip
MERGES = "a: &a {x: y}\n" + "".join(
    f"b{n}: &b{n} {{<<: [{', '.join(['*a' if n == 0 else f'*b{n - 1}'] * 9)}]}}\n" for n in range(20)
)

REFUSED = {
    "empty": (b"", "there is no object in it"),
    "only comments": (b"---\n# nothing\n---\n\n", "there is no object in it"),
    "empty List": (b"{apiVersion: v1, kind: List, items: []}", "there is no object in it"),
    "List without items": (b"{apiVersion: v1, kind: List}", "write `items:`"),
    "List of a text": (b"{apiVersion: v1, kind: List, items: abc}", "write `items:`"),
    "List of texts": (b"{apiVersion: v1, kind: List, items: [a]}", "items[0] is not an object"),
    "half a text": (MAP.encode() + b'data: {a: "b', "close the quote"),
    "half a document": (b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n", "no metadata.name"),
    "half a JSON": (b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"', "not YAML"),
    "a number": (b"42\n", "the document is a scalar"),
    "a sequence": (b"- a\n- b\n", "the document is a sequence"),
    "a page of a web server": (b"<!doctype html><html>404: Not found</html>", "no apiVersion"),
    "a template": (b"metadata: {name: {{ .Values.name }}}\n", "a key must be plain text"),
    "a program": (b"\x7fELF\x02\x01\x01\x00\xff\xfe\x00\x80" * 5000, "not UTF-8"),
    "NUL bytes": (MAP.encode() + b'data: {a: "b\x00c"}\n', "NUL bytes"),
    "UTF-16": (MAP.encode("utf-16"), "not UTF-8"),
    "UTF-16 without a mark": (MAP.encode("utf-16-le"), "not UTF-8"),
    "UTF-32": (MAP.encode("utf-32"), "not UTF-8"),
    "Latin-1": (MAP.encode() + "data: {a: café}\n".encode("latin-1"), "not UTF-8"),
    "a lone surrogate": (b'{"data": {"a": "\\ud800"}}', "not YAML"),
    "open brackets": (b"[" * 100_000, "deeper than 100 levels"),
    "deep blocks": ("".join(f"{' ' * n}a:\n" for n in range(2000)).encode(), "deeper than 100 levels"),
    "deep JSON": (b'{"a":' * 5000 + b"1" + b"}" * 5000, "deeper than 100 levels"),
    "laughs": (LAUGHS.encode(), "the aliases multiply"),
    "merges": (MERGES.encode(), "the aliases multiply"),
    "itself": (b"a: &a {b: *a}\n", "stands inside what it names"),
    "a million digits": (MAP.encode() + b"data: {a: " + b"9" * 10**6 + b"}\n", "a number of 1000000 digits"),
    "50 MB of documents": ((MAP + "---\n").encode() * (50 * 2**20 // 56), "at most 20 MB at a time"),
    "50 MB in one list": (b"[" + b"a," * (25 * 2**20) + b"]", "at most 20 MB at a time"),
    "50 MB of blank lines": (b"\n" * (50 * 2**20), "at most 20 MB at a time"),
    "too many objects": ((MAP + "---\n").encode() * 100_001, "more than 100000 objects"),
}
JUDGED = {
    "a byte order mark": (b"\xef\xbb\xbf" + MAP.encode() + b"dta: {}\n", ":4"),
    "old line ends": ((MAP + "dta: {}\n").replace("\n", "\r\n").encode(), ":4"),
    "a List in a List": (
        b"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items:\n"
        b"  - {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n"
        b"  - apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: b}\n    dta: {}\n",
        ":11",
    ),
    "a List on one line": (
        b'{"apiVersion":"v1","kind":"List","items":[' + b",".join(
            b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a%d"}%s}' % (n, b',"dta":{}' * (n == 4999))
            for n in range(5000)
        ) + b"]}",
        ":1",
    ),
    "a text of 10 MB": (MAP.encode() + b"dta: {}\ndata:\n  a: |\n" + b"    xxxxxxxxxxxxxxxx\n" * 500_000, ":4"),
}  # fmt: skip


def check(file: Path | str, given: bytes = b"") -> tuple[int, str, str]:
    """(exit status, output, errors) of the command, as a user runs it."""
    code = "import sys; from llmops.cli import main; sys.argv[0] = 'llmops'; main()"
    command = [sys.executable, "-c", code, "check", "--manifests", str(file)]
    done = subprocess.run(command, input=given, capture_output=True, timeout=LIMIT, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def sentence(errors: str) -> str:
    """The one line that the command says."""
    assert "Traceback" not in errors
    (line,) = errors.splitlines()
    assert len(line) < 400
    return line


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_manifest_is_refused_with_one_sentence(tmp_path: Path, name: str) -> None:
    content, words = REFUSED[name]
    file = tmp_path / "given.yaml"
    file.write_bytes(content)
    status, shown, errors = check(file)
    assert (status, shown) == (2, "")
    assert words in sentence(errors)
    assert f"{file}" in errors


@pytest.mark.parametrize("name", JUDGED)
def test_what_is_only_unusual_is_judged_at_its_line(tmp_path: Path, name: str) -> None:
    content, line = JUDGED[name]
    file = tmp_path / "given.yaml"
    file.write_bytes(content)
    status, shown, errors = check(file)
    assert (status, errors) == (1, "")
    assert "dta is no known field" in shown
    assert f"{file}{line}\n" in shown


def test_what_cannot_be_opened_is_named_with_the_reason(tmp_path: Path) -> None:
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    for place, words in (
        (tmp_path, "Is a directory"),
        (loop, "Too many levels of symbolic links"),
        (tmp_path / "none.yaml", "No such file or directory"),
    ):
        status, _, errors = check(place)
        assert status == 2
        assert words in sentence(errors)


def test_standard_input_is_read_alike() -> None:
    status, _, errors = check("-", MAP.encode("utf-16"))
    assert (status, "UTF-8" in sentence(errors)) == (2, True)
    assert check("-", MAP.encode())[0] == 0
