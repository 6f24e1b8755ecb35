"""Which line of a template wrote which line of the rendered text.

The template is rendered once more with a comment at the end of its lines. Blanks apart, the text must come out the
same without the comments; a line that does not has no known origin.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections.abc import Collection

_MARK = re.compile(r" # ⟦(\d+)⟧")
# An action, a comment, or a quoted text inside an action; `%` below stands for no line break.
_ACTION = re.compile(
    r"\{\{-?\s*/\*.*?\*/\s*-?\}\}|\{\{(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|(?!\}\}).)*\}\}", re.DOTALL
)
_KEYWORD = re.compile(r"\{\{-?\s*(if|with|range|block|define|end)\b")


def marked(template: str) -> str:
    """A template with a mark at the end of each line; none inside actions and defines, nor where blanks are trimmed."""
    unmarked: set[int] = set()
    opened: list[str] = []
    for action in _ACTION.finditer(template):
        first, last = (template.count("\n", 0, end) + 1 for end in action.span())
        unmarked.update(range(first, last))
        if "define" in opened:
            unmarked.update(range(first, last + 1))
        if keyword := _KEYWORD.match(action.group()):
            if keyword[1] != "end":
                opened.append(keyword[1])
            elif opened and opened.pop() == "define":
                begun = template.rfind("define", 0, action.start())
                unmarked.update(range(template.count("\n", 0, begun) + 1, last + 1))
    return "\n".join(
        line
        if number in unmarked or not line.strip() or line.rstrip().endswith("-}}")
        else f"{line} # ⟦{number}⟧"
        for number, line in enumerate(template.split("\n"), start=1)
    )


def lines(rendered: str, with_marks: str) -> dict[int, int]:
    """Line of the rendered text → line of the template, both from 1; without those that cannot be told.

    What an `include` wrote belongs to the line that ends the include.
    """
    plain, shown = rendered.rstrip().split("\n"), with_marks.rstrip().split("\n")
    while shown and len(shown) > len(plain) and not _MARK.sub("", shown[-1]).strip():
        shown.pop()
    if len(plain) != len(shown):
        return {}
    found: dict[int, int] = {}
    owner = 0
    for number in range(len(plain), 0, -1):
        if marks := _MARK.findall(shown[number - 1]):
            owner = int(marks[0])
        if owner and _MARK.sub("", shown[number - 1]).rstrip() == plain[number - 1].rstrip():
            found[number] = owner
    return found


def mark_archive(packed: bytes, templates: Collection[str]) -> bytes:
    """A chart's .tgz with marks in the templates of these paths."""
    changed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as source,
        tarfile.open(fileobj=changed, mode="w") as target,
    ):
        for entry in source:
            file = source.extractfile(entry)
            if file is None:
                continue
            data = file.read()
            if entry.name in templates:
                data = marked(data.decode("utf-8")).encode("utf-8")
            entry_copy = tarfile.TarInfo(entry.name)
            entry_copy.size = len(data)
            target.addfile(entry_copy, io.BytesIO(data))
    return gzip.compress(changed.getvalue(), compresslevel=1, mtime=0)
