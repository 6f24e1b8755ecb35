"""python -m tests.cases [DIR …]: the mistakes that a person would see, and whether the check does; red ones last."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.cases.runner import OWN, Result, cases, run


def table(results: list[Result]) -> str:
    """A line per case: its outcome, its name, the rules that were found, and what was missed or too much.

    `look`: values of others that render without a finding; whether that is right says the render.
    """
    lines = []
    for one in sorted(results, key=lambda result: result.red):
        rules = ", ".join(dict.fromkeys(rule for rule, _ in one.found)) or "nothing"
        name = f"{one.case.file.parent.name}/{one.case.file.stem}"
        mark = "RED " if one.red else "look" if one.rendered else "ok  "
        lines.append(f"{mark} {name:44} {rules}")
        lines += [f"     missed   {rule} {pointer}" for rule, pointer in one.missed]
        lines += [f"     too much {rule} {pointer}" for rule, pointer in one.surplus]
    red = sum(one.red for one in results)
    looks = sum(one.rendered for one in results)
    seen = f", {looks} to look at" if looks else ""
    return "\n".join(lines) + f"\n{len(results)} cases, {red} red{seen}\n"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cases", description=__doc__)
    parser.add_argument(
        "folder", nargs="*", type=Path, default=[OWN], help="cases of others, in folders of files"
    )
    results = [run(case) for folder in parser.parse_args(arguments).folder for case in cases(folder)]
    sys.stdout.write(table(results))
    return 1 if not results or any(one.red for one in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
