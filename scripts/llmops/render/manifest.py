"""YAML as Go reads it, with positions: Kubernetes objects and values files."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.cyaml import CSafeLoader

from llmops import redaction
from llmops.findings import InputError
from llmops.render import lines
from llmops.render.parts import parts
from llmops.render.plain import UNSURE
from llmops.render.scan import Document, documents
from llmops.render.sdk import go_yaml

MAX_VALUES_FILE = 5 * 2**20  # bytes; Helm refuses a larger file inside a chart
MAX_MANIFESTS = 20 * 2**20  # characters
MAX_OBJECTS = 100_000
_GO_LINE = re.compile(r"line (\d+): ")


@dataclass(frozen=True)
class Object:
    """One Kubernetes object: parsed data, and where it stands.

    `source` is a template path or a file, `line` the document's first line of content in it, from 1.
    `text`, `offset` and `base` locate its parts; an object built by hand may leave them out.
    """

    data: dict[str, Any]
    source: str = ""
    line: int = 1
    text: str = field(default="", repr=False, compare=False)
    offset: int = field(default=0, repr=False, compare=False)
    base: str = field(default="", repr=False, compare=False)

    def __hash__(self) -> int:
        return hash((self.source, self.line, self.key))

    @property
    def api_version(self) -> str:
        return str(self.data.get("apiVersion", ""))

    @property
    def group(self) -> str:
        """The API group; '' for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def kind(self) -> str:
        return str(self.data.get("kind", ""))

    @property
    def _metadata(self) -> dict[str, Any]:
        return _mapping(self.data.get("metadata"))

    @property
    def name(self) -> str:
        """metadata.name, or metadata.generateName when that is what the object has."""
        return str(self._metadata.get("name") or self._metadata.get("generateName") or "")

    @property
    def namespace(self) -> str:
        """metadata.namespace; '' when absent."""
        return str(self._metadata.get("namespace") or "")

    @property
    def labels(self) -> dict[str, Any]:
        return _mapping(self._metadata.get("labels"))

    @property
    def annotations(self) -> dict[str, Any]:
        return _mapping(self._metadata.get("annotations"))

    @property
    def key(self) -> tuple[str, str, str, str]:
        """(group, kind, namespace, name): what the API server tells objects apart by."""
        return (self.group, self.kind, self.namespace, self.name)

    def get(self, pointer: str, default: Any = None) -> Any:
        """The value at a JSON Pointer, or the default where there is none."""
        return _lookup(self.data, pointer, default)

    def written(self, pointer: str) -> str | None:
        """The scalar without quotes at this JSON Pointer, as its author wrote it; None for anything else."""
        return _written(self.text, self.base + pointer)

    def at(self, pointer: str = "") -> str:
        """SOURCE:LINE of the deepest part of the object that exists on this JSON Pointer."""
        line = _line(self.text, self.base + pointer) if self.text else 0
        return f"{self.source}:{line + self.offset if line else self.line}"


@dataclass(frozen=True)
class ValuesFile:
    """One file of values: `data` as Helm reads it, {} for an empty file. Not to be changed: it is shared."""

    path: Path
    data: dict[str, Any]
    text: str = field(default="", repr=False, compare=False)
    offset: int = field(default=0, repr=False, compare=False)

    def has(self, pointer: str) -> bool:
        """Whether the file itself sets the value at this JSON Pointer, null included."""
        return _lookup(self.data, pointer, _ABSENT) is not _ABSENT

    def decides(self, pointer: str) -> bool:
        """Whether the file sets the value, or deletes it by a null at it or above it."""
        above = (pointer[:end] for end, char in enumerate(pointer) if char == "/" and end)
        return self.has(pointer) or any(_lookup(self.data, one, _ABSENT) is None for one in above)

    def written(self, pointer: str) -> str | None:
        """The scalar without quotes at this JSON Pointer, as its author wrote it; None for anything else."""
        return _written(self.text, pointer) if self.has(pointer) else None

    def at(self, pointer: str = "") -> str:
        """FILE:LINE of the deepest part of the file that exists on this JSON Pointer."""
        return f"{self.path}:{(_line(self.text, pointer) or 1) + self.offset}"


_ABSENT = object()


def parse(text: str, source: str) -> list[Object]:
    """The objects of a manifest; documents without content are skipped and Lists are expanded.

    Raises InputError with SOURCE:LINE for whatever Go would not read or would read as something else, for a
    document that is not an object with apiVersion, kind and metadata.name (or generateName), and for more than
    20 MB or 100,000 objects, which would keep the reader waiting for minutes.
    """
    if len(text) > MAX_MANIFESTS:
        size, most = len(text) // 2**20, MAX_MANIFESTS // 2**20
        raise InputError(f"the manifests are {size} MB long; check at most {most} MB at a time", source)
    text = _normalised(text)
    objects: list[Object] = []
    many = InputError(f"there are more than {MAX_OBJECTS} objects; check them in parts", source)
    if text.count("\n---") > MAX_OBJECTS:
        raise many
    for document in documents(text, source):
        if not document.root:
            continue
        if document.root != "mapping":
            raise InputError(
                f"the document is a {document.root}; an object is a mapping with apiVersion and kind",
                f"{source}:{document.line}",
            )
        data = _read(document, source)
        redaction.learn(data)
        whole = Object(data, source, document.line, document.text, document.offset)
        objects.extend(_expanded(whole))
        if len(objects) > MAX_OBJECTS:
            raise many
    return objects


def read_values(path: Path) -> ValuesFile:
    """A values file: one document with a mapping, or nothing.

    Raises InputError with FILE:LINE for a missing or unreadable file, and for whatever `parse` refuses.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise InputError("no such file; expected a values file in YAML", str(path)) from error
    return _read_values(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=1024)
def _read_values(path: Path, _mtime: int, size: int) -> ValuesFile:
    if not path.is_file():
        raise InputError("this is no file; expected a values file in YAML", str(path))
    if size > MAX_VALUES_FILE:
        raise InputError(f"the file has {size} bytes; write at most {MAX_VALUES_FILE}", str(path))
    return values_of(read_text(path), path)


def values_of(text: str, path: Path) -> ValuesFile:
    """The text of a values file, which `path` is named by in errors; InputError as `read_values` has it."""
    found = list(documents(text, str(path)))
    for later in found[1:]:
        if later.root:
            raise InputError(
                "a second document starts here; Helm reads only the first, so put all values into one",
                f"{path}:{later.line}",
            )
    if not found or not found[0].root:
        return ValuesFile(path, {})
    document = found[0]
    if document.root != "mapping":
        raise InputError(
            f"the file holds a {document.root}; values are a mapping, `key: value`",
            f"{path}:{document.line}",
        )
    data = _read(document, str(path))
    redaction.learn(data)
    return ValuesFile(path, data, document.text, document.offset)


def read_text(path: Path) -> str:
    """A file's text with plain line feeds and no byte order mark; InputError when it is not UTF-8."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"the file cannot be read ({error.strerror})", str(path)) from error
    try:
        return _normalised(raw.decode())
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError("the file is not UTF-8; save it as UTF-8", f"{path}:{line}") from error


def _normalised(text: str) -> str:
    text = text.removeprefix("\ufeff")
    return text.replace("\r\n", "\n") if "\r" in text else text


def _read(document: Document, source: str) -> dict[str, Any]:
    if document.data is not UNSURE:
        known: dict[str, Any] = document.data
        return known
    try:
        return go_yaml(document.text)
    except InputError as error:
        if "incompatible YAML document" in error.message:
            raise InputError(
                "Go reads YAML 1.1 only; remove the line with %YAML", f"{source}:{document.offset + 1}"
            ) from error
        found = _GO_LINE.match(error.message)
        line = document.offset + int(found.group(1)) if found else document.alias_line or document.line
        problem = _GO_LINE.sub("", error.message)
        raise InputError(f"Go does not read this YAML: {problem}", f"{source}:{line}") from error


def _expanded(item: Object) -> Iterator[Object]:
    """The object itself, or the objects of a List, each checked for its name and kind."""
    kind, items = item.data.get("kind"), item.data.get("items", _ABSENT)
    if isinstance(kind, str) and kind.endswith("List") and (items is None or isinstance(items, list)):
        texts = {} if item.base or not items else parts(item.text)
        for index, data in enumerate(items or ()):
            if part := texts.get(index):
                base, text, offset, line = "", part.text, item.offset + part.line, item.offset + part.line + 1
            else:
                base, text, offset = f"{item.base}/items/{index}", item.text, item.offset
                line = _line(text, base) + offset
            if not isinstance(data, dict):
                raise InputError(f"items[{index}] is not an object; write a mapping", f"{item.source}:{line}")
            data = {**_inherited(item), **data}
            yield from _expanded(Object(data, item.source, line, text, offset, base))
        return
    if kind == "List":
        raise InputError("the List has no list of items; write `items:` with the objects below", item.at())
    for key in ("apiVersion", "kind"):
        if not isinstance(item.data.get(key), str) or not item.data[key]:
            raise InputError(
                f"the object has no {key}; write one, such as `{_EXAMPLE[key]}`", item.at(f"/{key}")
            )
    metadata = item.data.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    for key in ("name", "generateName", "namespace"):
        if not isinstance(named.get(key), str | None):
            raise InputError(
                f"the {kind}'s metadata.{key} is not a text; write it in quotes",
                item.at(f"/metadata/{key}"),
            )
    if not (named.get("name") or named.get("generateName")):
        raise InputError(f"the {kind} has no metadata.name; write one", item.at("/metadata"))
    yield item


def _inherited(item: Object) -> dict[str, Any]:
    """What the items of a typed list (`ServiceList`) may leave out."""
    if item.kind == "List":
        return {}
    return {"apiVersion": item.data.get("apiVersion"), "kind": item.kind.removesuffix("List")}


_EXAMPLE = {"apiVersion": "apiVersion: v1", "kind": "kind: ConfigMap"}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


@functools.lru_cache(maxsize=4096)
def _tokens(pointer: str) -> tuple[str, ...]:
    """Rules ask every release for the same few hundred pointers."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def _lookup(data: Any, pointer: str, default: Any) -> Any:
    for token in _tokens(pointer):
        if isinstance(data, dict) and token in data:
            data = data[token]
        elif isinstance(data, list) and token.isdecimal() and int(token) < len(data):
            data = data[int(token)]
        else:
            return default
    return data


_MERGE, _OTHER = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"


class _Marks(CSafeLoader):
    """Composes for the sake of positions: of all types of a scalar only `<<` matters, and telling them costs half."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        return _MERGE if value == "<<" and kind is yaml.ScalarNode and implicit[0] else _OTHER

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        pass

    def ascend_resolver(self) -> None:
        pass


@functools.lru_cache(maxsize=64)
def _compose(text: str) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_Marks)
    except yaml.YAMLError:  # an anchor defined twice: Go reads it, PyYAML does not compose it
        return None
    return node


def _line(text: str, pointer: str) -> int:
    """The line, from 1, of the deepest node on the pointer; 0 where the text has no position to give."""
    if (quick := lines.find(text, _tokens(pointer))) is not None:
        return quick
    node = _compose(text)
    if node is None:
        return 0
    line: int = node.start_mark.line
    for token in _tokens(pointer):
        found = _child(node, token)
        if found is None:
            break
        line, node = found
    return line + 1


def _written(text: str, pointer: str) -> str | None:
    node = _compose(text) if text else None
    for token in _tokens(pointer):
        found = _child(node, token) if node else None
        node = found[1] if found else None
    # An alias or a quoted text has a style of its own.
    return str(node.value) if isinstance(node, yaml.ScalarNode) and not node.style else None


def _child(node: yaml.Node, token: str) -> tuple[int, yaml.Node] | None:
    """The line and the node under a key or an index; keys that `<<` brings in count last."""
    if isinstance(node, yaml.SequenceNode):
        if token.isdecimal() and int(token) < len(node.value):
            child = node.value[int(token)]
            return child.start_mark.line, child
        return None
    if not isinstance(node, yaml.MappingNode):
        return None
    for key, value in node.value:
        if key.value == token:
            return key.start_mark.line, value
    for key, value in node.value:
        if key.tag == _MERGE:
            merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for source in merged:
                if (found := _child(source, token)) is not None:
                    return found
    return None
