"""scripts/llmops/data/arguments/vllm.yaml: the flags that the engine's own parser takes, read from its source.

    pip download vllm==VERSION --no-deps --no-binary vllm   # only the archive is needed; unpack it
    python -m generate.arguments FOLDER VERSION

Nothing of the engine is imported or run. Run by hand for a new engine version, never by `make generate`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generate.defines import dump

ENGINE = "vllm/engine/arg_utils.py"
SERVER = "vllm/entrypoints/common/cli_args.py"
# Types whose members our own values offer as choices: where they stand in the source.
CHOICES = {
    "--kv-cache-dtype": ("vllm/config/cache.py", "CacheDType"),
    "--kv-offloading-backend": ("vllm/config/cache.py", "KVOffloadingBackend"),
    "--quantization": ("vllm/model_executor/layers/quantization/__init__.py", "QuantizationMethods"),
    "--structured-outputs-config": ("vllm/config/structured_outputs.py", "StructuredOutputsBackend"),
    "--max-lora-rank": ("vllm/config/lora.py", "MaxLoRARanks"),
    "--dtype": ("vllm/config/model.py", "ModelDType"),
}
PARSERS = {
    "--tool-call-parser": ("vllm/tool_parsers/__init__.py", "_TOOL_PARSERS_TO_REGISTER"),
    "--reasoning-parser": ("vllm/reasoning/__init__.py", "_REASONING_PARSERS_TO_REGISTER"),
}


def tree(root: Path, name: str) -> ast.Module:
    return ast.parse((root / name).read_text(encoding="utf-8"))


def added(module: ast.Module) -> Iterator[str]:
    """Flags that are added by name: `add_argument("--dtype", ...)`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
            texts = (one.value for one in node.args if isinstance(one, ast.Constant))
            yield from (text for text in texts if isinstance(text, str) and text.startswith("-"))


def fields(module: ast.Module) -> Iterator[str]:
    """Flags that follow from the fields of the classes for the server."""
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name.endswith("FrontendArgs"):
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    yield "--" + item.target.id.replace("_", "-")


def members(root: Path, file: str, name: str) -> list[str]:
    """Members of a Literal type or keys of a dict, in the order of the source."""
    for node in tree(root, file).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == name:
            value: Any = getattr(node, "value", None)
            listed = value.keys if isinstance(value, ast.Dict) else getattr(value, "slice", value)
            nodes = listed if isinstance(listed, list) else ast.walk(listed)
            return [str(one.value) for one in nodes if isinstance(one, ast.Constant)]
    raise SystemExit(
        f"{file} has no {name}: look where the engine has it now and change generate/arguments.py"
    )


def read(root: Path, version: str) -> dict[str, Any]:
    server = tree(root, SERVER)
    flags = {*added(tree(root, ENGINE)), *added(server), *fields(server)} - {"-"}
    return {
        "engine": "vllm",
        "version": version,
        "source": [ENGINE, SERVER],
        "flags": sorted(flags),
        "choices": {flag: members(root, *where) for flag, where in {**CHOICES, **PARSERS}.items()},
    }


if __name__ == "__main__":
    found = read(Path(sys.argv[1]), sys.argv[2])
    head = "# Written by `python -m generate.arguments` from the engine's source archive; see there.\n"
    Path("scripts/llmops/data/arguments/vllm.yaml").write_text(head + dump(found), encoding="utf-8")
