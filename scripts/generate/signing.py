"""scripts/llmops/data/signing.yaml: what `model_signing verify` takes, read from its source.

    pip download model-signing==VERSION --no-deps   # a wheel is an archive; unpack it
    python -m generate.signing FOLDER VERSION       # --verify: compare with the file instead of writing it

Nothing of the program is imported or run. Run by hand for a new version, never by `make generate`: the program brings
some 35 packages along, which the image that has it needs and this project does not.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generate.defines import dump

SOURCE = "model_signing/_cli.py"
FILE = Path("scripts/llmops/data/signing.yaml")
HEAD = "# Written by `python -m generate.signing` from the program's source; see there.\n"
# Ways to verify that the charts offer.
METHODS = ("key", "certificate", "sigstore")


def is_call(node: ast.expr, owner: str, name: str) -> bool:
    """Whether the node is `OWNER.NAME(...)`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr == name and isinstance(node.func.value, ast.Name) and node.func.value.id == owner


def keywords(call: ast.Call) -> dict[str, Any]:
    """Keyword arguments that are constants."""
    return {
        one.arg: one.value.value for one in call.keywords if one.arg and isinstance(one.value, ast.Constant)
    }


def option(call: ast.Call) -> dict[str, Any]:
    """One option: its spellings, what it takes (value, values or nothing) and whether it must be there."""
    spelled = next(str(one.value) for one in call.args if isinstance(one, ast.Constant))
    given = keywords(call)
    switch = given.get("is_flag") or "/" in spelled
    takes = "nothing" if switch else "values" if given.get("multiple") else "value"
    return {"names": spelled.split("/"), "takes": takes, "required": bool(given.get("required"))}


def options(module: ast.Module, method: str) -> Iterator[dict[str, Any]]:
    """Options of `verify METHOD`, in the order of the source."""
    shared = {
        node.targets[0].id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and is_call(node.value, "click", "option")
    }
    for node in module.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        commands = [one for one in node.decorator_list if is_call(one, "_verify", "command")]
        if not any(isinstance(one, ast.Call) and keywords(one).get("name") == method for one in commands):
            continue
        for one in node.decorator_list:
            call = shared.get(one.id) if isinstance(one, ast.Name) else one
            if isinstance(call, ast.Call) and is_call(call, "click", "option"):
                yield option(call)


def read(root: Path, version: str) -> dict[str, Any]:
    module = ast.parse((root / SOURCE).read_text(encoding="utf-8"))
    verify = {method: list(options(module, method)) for method in METHODS}
    if missing := [method for method, found in verify.items() if not found]:
        raise SystemExit(f"{SOURCE} has no options of verify {missing[0]}: change generate/signing.py")
    return {"program": "model_signing", "version": version, "source": SOURCE, "verify": verify}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m generate.signing")
    parser.add_argument("folder", type=Path, help="folder that the wheel was unpacked into")
    parser.add_argument("version")
    parser.add_argument("--verify", action="store_true", help="compare instead of writing")
    chosen = parser.parse_args(arguments)
    text = HEAD + dump(read(chosen.folder, chosen.version))
    if not chosen.verify:
        FILE.write_text(text, encoding="utf-8")
        return 0
    if FILE.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"{FILE} is not what {SOURCE} of {chosen.version} says: run it without --verify\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
