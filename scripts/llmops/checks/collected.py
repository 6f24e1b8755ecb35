"""All refusals of a chart's templates in one render: Helm ends at the first `fail`, so that each run would tell one."""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from llmops import release
from llmops.checks.refusals import refusal
from llmops.findings import Finding, InputError, RefusedError
from llmops.release import Inputs
from llmops.render import Renderer
from llmops.render.manifest import ValuesFile

_REFUSE = "/llm-common/templates/_refuse.tpl"
_FAIL = re.compile(r"\{\{- fail (\(.*\)) -\}\}")
_WRITTEN = '{"llmopsRefusal":'
# In the place of `fail`: the sentence as a document of its own, and the render goes on.
_WRITE = r'{{ printf "\\n---\\n%s\\n" (dict "llmopsRefusal" \1 | toJson) }}'


def refusals(
    inputs: Inputs, renderer: Renderer, values_files: Sequence[ValuesFile], refused: Sequence[Finding]
) -> list[Finding]:
    """What the templates refuse besides `refused`, the schemas' findings: each once, in the order of the templates.

    Values that the schemas refuse are left out, so that no template judges them. Nothing where the charts do not
    refuse by `llm-common.refuse`, or where a template breaks before it is through.
    """
    packed = _collecting(release.archive(inputs.chart, schemas=False))
    if not packed:
        return []
    pointers = [one.path.removeprefix("values") for one in refused]
    values = _without(release.merge([file.data for file in values_files]), pointers)
    try:
        rendered = renderer.render(packed, [values], inputs.target)
    except (RefusedError, InputError):
        return []
    messages = dict.fromkeys(
        json.loads(line)["llmopsRefusal"]
        for _, text in sorted(rendered.templates.items())
        for line in text.splitlines()
        if line.startswith(_WRITTEN)
    )
    found = (refusal(RefusedError(message), inputs, values_files) for message in messages)
    return [one for one in found if not any(_overlap(one, pointer) for pointer in pointers)]


def _overlap(finding: Finding, pointer: str) -> bool:
    """Whether a refusal is about a value that was left out, by its place or by the key that it begins with."""
    key = finding.message.partition(" ")[0].replace(".", "/")
    places = (finding.path.removeprefix("values"), f"/{key}")
    return any(pointer == place or pointer.startswith(f"{place}/") for place in places if place != "/")


def _without(values: dict[str, Any], pointers: Iterable[str]) -> dict[str, Any]:
    for pointer in pointers:
        *above, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]] or [""]
        node: Any = values
        for key in above:
            node = node.get(key) if isinstance(node, Mapping) else None
        if isinstance(node, dict):
            node.pop(last, None)
    return values


@lru_cache(maxsize=8)
def _collecting(packed: bytes) -> bytes:
    """A chart that writes its refusals and goes on, with what validates and nothing else; empty where it has none."""
    changed = io.BytesIO()
    can_collect = False
    with (
        tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as source,
        tarfile.open(fileobj=changed, mode="w") as target,
    ):
        for entry in source:
            file = source.extractfile(entry)
            if file is None or not _kept(entry.name):
                continue
            data = file.read()
            if f"/{entry.name}".endswith(_REFUSE):
                text, changes = _FAIL.subn(_WRITE, data.decode("utf-8"))
                data, can_collect = text.encode("utf-8"), bool(changes)
            copied = tarfile.TarInfo(entry.name)
            copied.size = len(data)
            target.addfile(copied, io.BytesIO(data))
    return gzip.compress(changed.getvalue(), compresslevel=1, mtime=0) if can_collect else b""


def _kept(name: str) -> bool:
    """Of the templates only those that refuse, and the defines: the others may break on values that are refused."""
    _, templates, file = name.rpartition("/templates/")
    return not templates or file.rpartition("/")[2].startswith("_") or file.startswith("validate")
