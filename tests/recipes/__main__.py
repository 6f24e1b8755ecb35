"""Follows every recipe of CONTRIBUTING.md in a clone of HEAD: python -m tests.recipes [WORD of its title ...].

The clone takes the programs and packages that this tree has. What a recipe touches must be what its table says, and
its last commands must succeed; those of a scaffold must fail before anything is written by hand.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.recipes.edits import EDITS
from tests.recipes.page import Recipe, recipes

ROOT = Path(__file__).parents[2]
PAGE = "CONTRIBUTING.md"


def clone(parent: Path) -> Path:
    """A clone whose .venv is ours, and whose files are older than that, so that make sets nothing up anew."""
    tree = parent / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tree)], check=True)
    (tree / ".venv").symlink_to(ROOT / ".venv")
    (tree / ".git/info/exclude").write_text("/.venv\n", encoding="utf-8")
    for file in git(tree, "ls-files").splitlines():
        os.utime(tree / file, (0, 0), follow_symlinks=False)
    return tree


def git(tree: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=tree, check=True, capture_output=True, text=True).stdout


def run(tree: Path, commands: str) -> tuple[bool, str]:
    """Whether all lines of a block succeed, and what they print."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tree,
        # Without MAKEFLAGS: the arguments of the make that runs this are none of the recipe's.
        env={
            **{name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "ARGS")},
            "PYTHONPATH": str(tree / "scripts"),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode == 0, done.stdout


def follow(recipe: Recipe) -> list[str]:
    """What is wrong with a recipe; nothing where it works."""
    with tempfile.TemporaryDirectory() as folder:
        tree = clone(Path(folder))
        if recipe.scaffold:
            done, shown = run(tree, recipe.scaffold)
            if not done:
                return ["the scaffold fails", shown]
            if run(tree, recipe.proof)[0]:
                return ["the proof succeeds on what the scaffold wrote"]
        EDITS[recipe.title](tree)
        done, shown = run(tree, recipe.proof)
        if not done:
            return ["the proof fails", shown[-4000:]]
        status = git(tree, "status", "--porcelain", "--untracked-files=all", "--no-renames")
        return recipe.wrong_files(line[3:] for line in status.splitlines())


def main() -> int:
    found = recipes((ROOT / PAGE).read_text(encoding="utf-8"))
    if found.keys() != EDITS.keys():
        sys.stderr.write(
            f"{PAGE} has the recipes {', '.join(found)}; examples are for {', '.join(EDITS)}" + "\n"
        )
        return 1
    words = [word.lower() for word in sys.argv[1:]]
    failed = 0
    for title, recipe in found.items():
        if words and not any(word in title.lower() for word in words):
            continue
        start = time.monotonic()
        wrong = follow(recipe)
        failed += bool(wrong)
        lines = [f"{'FAILS' if wrong else 'works'}  {title}  {time.monotonic() - start:.0f} s", *wrong]
        sys.stdout.write("\n  ".join(lines) + "\n")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
