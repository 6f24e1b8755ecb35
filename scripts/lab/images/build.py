"""Builds the images of this project's own programs where an engine answers, else docker-archives.

images/Dockerfile, and on top of it images/Dockerfile.git, the same with git in it.

python -m lab.images.build [ARGUMENTS OF THE ENGINE'S BUILD], e.g. --tag REGISTRY/REPOSITORY:TAG --build-arg KEY=VALUE
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import ROOT
from lab.images.assemble import DOCKERFILE, images
from lab.images.digests import base, pinned
from lab.images.dockerfile import parse
from lab.preflight import engine_answers

ENGINES = ("docker", "podman", "buildah")
OUT = ROOT / "out/images"


def commands(engine: str, arguments: Sequence[str]) -> list[list[str]]:
    """Both builds. Without a tag among the arguments: the names that the charts ask for, less the registry."""
    labels = parse(DOCKERFILE.read_text(encoding="utf-8"))[-1].labels
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(
        "--tag", "-t", default=f"llm-charts/llmops:{labels['org.opencontainers.image.version']}"
    )
    chosen, others = parser.parse_known_args(arguments)
    name, colon, version = chosen.tag.rpartition(":")
    if not colon or "/" in version:  # the port of a registry
        name, version = chosen.tag, ""
    git = f"{name}-git{':' * bool(version)}{version}"
    return [
        [engine, "build", "--file", "images/Dockerfile", "--tag", chosen.tag, *others, "."],
        [engine, "build", "--file", "images/Dockerfile.git", "--tag", git, "--build-arg", f"BASE={chosen.tag}",
         *others, "."],
    ]  # fmt: skip


def main(arguments: Sequence[str], out: Path = OUT) -> int:
    """Exit status of the build; 0 where the image was assembled."""
    image = base(arguments)
    for engine in ENGINES:
        if engine_answers(engine):
            if not pinned(image):
                remedy = "python -m lab.images.digests prints its digest"
                _say(f"warning: {image} is a tag, which can be pushed again; {remedy}")
            for words in commands(engine, arguments):
                _say(f"building: {' '.join(words)}")
                if status := subprocess.run(words, cwd=ROOT, check=False).returncode:
                    return status
            return 0
    archives = images(out)
    _say("no container engine answers: assembled from this machine's Python, for local clusters only")
    if arguments:
        _say(f"not used, since nothing was built: {' '.join(arguments)}")
    for ref, archive in archives.items():
        sys.stdout.write(f"{archive.relative_to(out.parents[1])} holds {ref}\n")
    return 0


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
