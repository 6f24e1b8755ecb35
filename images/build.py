"""Builds the image of this project's own programs: images/Dockerfile where an engine answers, else a docker-archive.

python -m images.build [--tag REGISTRY/REPOSITORY:TAG] [--build-arg KEY=VALUE]…
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from llmops.preflight import engine_answers
from tests.e2e.programs_image import programs_image

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--tag", default="llm-charts.local/llmops:dev", help="name of the image")
    options.add_argument("--build-arg", action="append", default=[], help="BASE=… or PIP_INDEX_URL=…")
    given = options.parse_args(arguments)
    for engine in ("docker", "podman", "buildah"):
        if engine_answers(engine):
            build_arguments = [part for each in given.build_arg for part in ("--build-arg", each)]
            command = [engine, "build", "-f", "images/Dockerfile", "-t", given.tag, *build_arguments, "."]
            return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 the engine, and what the user gave
    out = ROOT / "out/images/llmops.tar"
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(programs_image(), out)
    sys.stdout.write(
        f"no engine answers, so {out.relative_to(ROOT)} was put together from this machine's Python: "
    )
    sys.stdout.write("for tests here, not for publishing\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
