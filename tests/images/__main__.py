"""Builds the image of our own programs: python -m tests.images [ARGUMENTS OF THE ENGINE'S BUILD].

With docker, podman or buildah where one really answers; else the image is assembled under out/images/.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from llmops.preflight import engine_answers
from tests.images.assemble import DOCKERFILE, REF, ROOT, llmops_image
from tests.images.dockerfile import parse

ENGINES = ("docker", "podman", "buildah")
OUT = ROOT / "out/images"


def tag() -> str:
    """The name that charts/drift-cronjob asks for, less the registry."""
    labels = parse(DOCKERFILE.read_text(encoding="utf-8"))[-1].labels
    return f"llm-charts/llmops:{labels['org.opencontainers.image.version']}"


def build_command(engine: str, arguments: Sequence[str]) -> list[str]:
    return [engine, "build", "--file", str(DOCKERFILE), "--tag", tag(), *arguments, str(ROOT)]


def main(arguments: Sequence[str], out: Path = OUT) -> int:
    """Exit status of the build; 0 where the image was assembled."""
    for engine in ENGINES:
        if engine_answers(engine):
            _say(f"{engine} builds {tag()}")
            return subprocess.run(build_command(engine, arguments), check=False).returncode
    archive = llmops_image(out)
    _say("no container engine answers: assembled from this machine's Python, for local clusters only")
    if arguments:
        _say(f"not used, since nothing was built: {' '.join(arguments)}")
    sys.stdout.write(f"{os.path.relpath(archive)} holds {REF}\n")
    return 0


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
