"""A recipe as CONTRIBUTING.md has it: the files that it touches, and its commands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^##? |\Z)", re.S | re.M)
_ROW = re.compile(r"^\| `([^`]+)` \| (.*?) \|$", re.M)
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.S | re.M)


@dataclass(frozen=True)
class Recipe:
    """`files` are patterns and whether the file is touched at all events. `scaffold` is empty where there is none."""

    title: str
    files: tuple[tuple[str, bool], ...]
    scaffold: str
    proof: str

    def wrong_files(self, touched: Iterable[str]) -> list[str]:
        """Files that the table does not name, and rows for which no file was touched."""
        named = [(re.compile(_regex(pattern)), pattern, needed) for pattern, needed in self.files]
        files = list(touched)
        strange = [file for file in files if not any(pattern.fullmatch(file) for pattern, _, _ in named)]
        idle = [
            row
            for pattern, row, needed in named
            if needed and not any(pattern.fullmatch(one) for one in files)
        ]
        return [f"{file} is touched and in no row" for file in strange] + [
            f"{row} is not touched" for row in idle
        ]


def _regex(pattern: str) -> str:
    return "[^/]+".join(re.escape(part) for part in re.split(r"<[^>]+>", pattern))


def recipes(page: str) -> dict[str, Recipe]:
    """The recipes of the page by their titles."""
    found = {}
    for title, body in _SECTION.findall(page.partition("\n# Recipes\n")[2]):
        *scaffold, proof = _BLOCK.findall(body)
        rows = tuple((file, not re.search(r"^(generated, )?if ", said)) for file, said in _ROW.findall(body))
        found[title] = Recipe(title, rows, "".join(scaffold), proof)
    return found
