"""The table "may import" of docs/architecture.md as contracts of import-linter: python -m generate.layers."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from llmops.findings import InputError

PAGE = Path("docs/architecture.md")
CONTRACTS = Path(".importlinter")
HEAD = "| package | does | may import |"
_LAYERED = ("llmops", "lab")
_NAMED = re.compile(r"`([\w.]+)`")


@dataclass(frozen=True)
class Row:
    """Packages on one floor, and what each of them may import, by whole names such as llmops.render."""

    packages: tuple[str, ...]
    allowed: frozenset[str]


def generate(root: Path) -> None:
    """Writes the contracts. InputError where the table and the folders do not name the same packages."""
    (root / CONTRACTS).write_text(contracts(rows(root)), encoding="utf-8")


def packages(root: Path) -> set[str]:
    """What scripts/ has one level below `llmops` and `lab`, and the generators as a whole."""
    return {"generate"} | {
        f"{name}.{path.stem}"
        for name in _LAYERED
        for path in (root / "scripts" / name).iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").is_file()
    }


def rows(root: Path) -> list[Row]:
    """The rows of the table, from the lowest floor up; a package imports from rows above its own alone."""
    lines = (root / PAGE).read_text(encoding="utf-8").splitlines()
    if HEAD not in lines:
        raise InputError(f"has no table with the line {HEAD!r}", str(PAGE))
    there, found, below = packages(root), [], set[str]()
    start = lines.index(HEAD) + 2
    for number, line in enumerate(lines[start:], start=start + 1):
        if not line.startswith("|"):
            break
        named, _, allowed = (cell.strip() for cell in line.strip("|").split("|"))
        row = Row(tuple(map(_whole, _NAMED.findall(named))), _allowed(allowed, below))
        for name in row.packages:
            if name not in there or name in below:
                why = "is no package of scripts/" if name not in there else "has a row already"
                raise InputError(f"{name} {why}", f"{PAGE}:{number}")
        if strange := sorted(row.allowed - below):
            raise InputError(f"{strange[0]} stands in no row above this one", f"{PAGE}:{number}")
        found.append(row)
        below |= set(row.packages)
    if missing := sorted(there - below):
        raise InputError(f"{missing[0]} has no row in the table {HEAD!r}; write one", str(PAGE))
    return found


def _allowed(cell: str, below: set[str]) -> frozenset[str]:
    if cell == "everything above":
        return frozenset(name for name in below if name.startswith("llmops."))
    return frozenset() if cell == "nothing" else frozenset(map(_whole, cell.split(", ")))


def _whole(name: str) -> str:
    return name if name.partition(".")[0] in ("generate", *_LAYERED) else f"llmops.{name}"


def contracts(table: list[Row]) -> str:
    """One contract for the floors of each root, which are exhaustive, and one for each package.

    A package's own says what it may not import itself; what its imports import is their contract's affair.
    """
    everything = {name for row in table for name in row.packages} | {"tests"}
    # Where a package may import nothing of another root, that root is named as a whole.
    roots = {name: name.partition(".")[0] for name in everything}
    parts = [
        f"# Written by `python -m generate.layers` from the table of {PAGE}, where a new package gets a row.",
        _section(
            "importlinter", root_packages=("llmops", "generate", "lab"), include_external_packages="True"
        ),
    ]
    for root in _LAYERED:
        floors = [row.packages for row in reversed(table) if row.packages[0].startswith(f"{root}.")]
        parts.append(
            _section(
                f"importlinter:contract:{root}",
                name=f"{root} has floors, and each of its packages stands on one",
                type="layers",
                containers=(root,),
                exhaustive="True",
                layers=(" | ".join(name.partition(".")[2] for name in floor) for floor in floors),
            )
        )
    for row in table:
        said = ", ".join(sorted(name.removeprefix("llmops.") for name in row.allowed)) or "nothing"
        for package in row.packages:
            inside = {roots[name] for name in (package, *row.allowed)}
            parts.append(
                _section(
                    f"importlinter:contract:{package}",
                    name=f"{package} imports {said}",
                    type="forbidden",
                    allow_indirect_imports="True",
                    source_modules=(package,),
                    forbidden_modules=sorted(
                        {
                            name if roots[name] in inside else roots[name]
                            for name in everything - row.allowed - {package}
                        }
                    ),
                )
            )
    return "\n".join(parts)


def _section(title: str, **options: str | Iterable[str]) -> str:
    return "\n".join((f"[{title}]", *_lines(options.items()), ""))


def _lines(options: Iterable[tuple[str, str | Iterable[str]]]) -> Iterator[str]:
    for key, value in options:
        if isinstance(value, str):
            yield f"{key} = {value}"
        else:
            yield f"{key} ="
            yield from (f"    {one}" for one in value)


if __name__ == "__main__":
    try:
        generate(Path.cwd())
    except InputError as error:
        sys.exit(str(error))
