"""`python -m generate` writes generated files; `--verify` writes them into a scratch copy and compares."""

from __future__ import annotations

import argparse
import difflib
import shutil
import sys
import tempfile
from pathlib import Path

from generate import charts, dashboards, defines, engines, layers, models, settings
from llmops.findings import InputError

INPUTS = ("charts", "docs", "scripts")
OUTPUTS = ("charts", "docs", "scripts/llmops/data")
IGNORED = shutil.ignore_patterns("*.tgz", "Chart.lock", "__pycache__")


def write(root: Path, bin_dir: Path) -> None:
    defines.generate(root)
    engines.generate(root)
    dashboards.generate(root)
    layers.generate(root)
    charts.generate(root, bin_dir)
    settings.generate(root)
    models.generate(root)


def texts(root: Path) -> dict[str, str]:
    """All text files of the generated folders by their path below `root`, and the contracts of the layers."""
    found = [path for folder in OUTPUTS for path in sorted((root / folder).rglob("*"))]
    found.append(root / layers.CONTRACTS)
    return {
        str(path.relative_to(root)): path.read_text(encoding="utf-8")
        for path in found
        if path.is_file()
        and path.suffix not in (".tgz", ".lock", ".png", ".pyc")
        and "charts" not in path.relative_to(root).parts[2:]
    }


def verify(root: Path, bin_dir: Path) -> list[str]:
    """The difference between tracked files and what the generators write now, as diff lines."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch)
        for folder in INPUTS:
            shutil.copytree(root / folder, copy / folder, ignore=IGNORED)
        write(copy, bin_dir)
        before, after = texts(root), texts(copy)
    lines: list[str] = []
    for name in sorted(before | after):
        old, new = before.get(name, ""), after.get(name, "")
        if old != new:
            sides = (old.splitlines(), new.splitlines(), name, f"{name} (generated)")
            lines += difflib.unified_diff(*sides, n=1, lineterm="")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="generate", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path.cwd())
    parser.add_argument(
        "--bin", type=Path, required=True, help="folder with helm-docs and helm-values-schema-json"
    )
    parser.add_argument("--verify", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    try:
        if not arguments.verify:
            write(arguments.root, arguments.bin)
            return 0
        lines = verify(arguments.root, arguments.bin)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if lines:
        sys.stderr.write(
            "\n".join(lines[:200]) + "\n\nGenerated files are stale: run `make generate` and commit.\n"
        )
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
