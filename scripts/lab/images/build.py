"""Builds the image of this project's own programs: images/Dockerfile where an engine answers, else a docker-archive.

python -m lab.images.build [ARGUMENTS OF THE ENGINE'S BUILD], e.g. --tag REGISTRY/REPOSITORY:TAG --build-arg KEY=VALUE
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import ROOT
from lab.images.assemble import DOCKERFILE, REF, llmops_image
from lab.images.digests import base, pinned
from lab.images.dockerfile import parse
from lab.preflight import engine_answers

ENGINES = ("docker", "podman", "buildah")
OUT = ROOT / "out/images"


def command(engine: str, arguments: Sequence[str]) -> list[str]:
    """Without a tag among the arguments: the name that charts/drift-cronjob asks for, less the registry."""
    labels = parse(DOCKERFILE.read_text(encoding="utf-8"))[-1].labels
    tag = ["--tag", f"llm-charts/llmops:{labels['org.opencontainers.image.version']}"]
    named = any(each.startswith(("-t", "--tag")) for each in arguments)
    return [engine, "build", "--file", "images/Dockerfile", *([] if named else tag), *arguments, "."]


def main(arguments: Sequence[str], out: Path = OUT) -> int:
    """Exit status of the build; 0 where the image was assembled."""
    image = base(arguments)
    for engine in ENGINES:
        if engine_answers(engine):
            words = command(engine, arguments)
            if not pinned(image):
                remedy = "python -m lab.images.digests prints its digest"
                _say(f"warning: {image} is a tag, which can be pushed again; {remedy}")
            _say(f"building: {' '.join(words)}")
            return subprocess.run(words, cwd=ROOT, check=False).returncode
    archive = llmops_image(out)
    _say("no container engine answers: assembled from this machine's Python, for local clusters only")
    if arguments:
        _say(f"not used, since nothing was built: {' '.join(arguments)}")
    sys.stdout.write(f"{archive.relative_to(out.parents[1])} holds {REF}\n")
    return 0


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
