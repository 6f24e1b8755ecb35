"""Theme `engine`: does the engine understand what it is told?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from yaml.cyaml import CSafeLoader

from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.violations import closest
from llmops.references import mapping, sequence, text
from llmops.release import Release

_IMAGE = re.compile(r"(?:^|/)vllm/vllm-openai:v?(\d+\.\d+\.\d+)(?!\d|\.\d|-rc)")


@rule("LM201", severity=ERROR, fix="Write a flag that this version has; `vllm serve --help=all` lists them.")
def unknown_flag(release: Release) -> Iterator[Finding]:
    """vLLM ends at once on a flag that it does not know, and the pod restarts without end.

    Judged are arguments of an image vllm/vllm-openai whose version is the one that the table of flags is of, where no
    shell stands before the engine. A beginning that only one flag has will do for its parser.
    """
    version, flags = known()
    for pods in graph(release).pods:
        for pointer, container in pods.containers():
            found = _IMAGE.search(text(container.get("image")))
            if found and found[1] == version and _plain(container):
                for index, word in enumerate(sequence(container.get("args"))):
                    flag = text(word).partition("=")[0].partition(".")[0].replace("_", "-")
                    if flag.startswith("--") and len(flag) > 2 and not _taken(flag, flags):
                        message = f"vLLM {version} has no flag {flag}{closest(flag, flags)}."
                        yield defect(pods.owner, f"{pointer}/args/{index}", message)


def _plain(container: dict[str, Any]) -> bool:
    """Whether the arguments are the engine's own."""
    command = sequence(container.get("command"))
    return not command or command[:2] == ["vllm", "serve"]


def _taken(flag: str, flags: frozenset[str]) -> bool:
    whole = flag if not flag.startswith("--no-") else f"--{flag.removeprefix('--no-')}"
    return {flag, whole} & flags != set() or any(one.startswith(flag) for one in flags) or flag == "--help"


@cache
def known() -> tuple[str, frozenset[str]]:
    """The version that was looked at, and its flags."""
    raw = files("llmops.data").joinpath("arguments/vllm.yaml").read_text(encoding="utf-8")
    table = mapping(yaml.load(raw, CSafeLoader))
    return text(table.get("version")), frozenset(map(text, sequence(table.get("flags"))))
