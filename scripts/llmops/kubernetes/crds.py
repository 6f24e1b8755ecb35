"""Schemas of custom resources: fetched once from the Go modules that publish them, then read from a cache.

Set up with `python -m llmops.kubernetes.crds --pins tools/crds/go.mod`; the versions are its `require` lines.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from llmops.findings import InputError
from llmops.kubernetes import crd_schema

FORMAT = "1"
"""Raise it when the conversion changes: a cache of another format counts as missing."""


@dataclass(frozen=True)
class Module:
    """A Go module that publishes CRDs: the files (globs) inside it that hold them, and their API groups.

    Those that are not `installed` are schemas only, and no cluster of the tests is given them.
    """

    files: tuple[str, ...]
    groups: tuple[str, ...]
    installed: bool = True


MODULES = {
    "github.com/argoproj/argo-cd/v3": Module(("manifests/crds/*-crd.yaml",), ("argoproj.io",)),
    "github.com/argoproj/argo-rollouts": Module(("manifests/crds/*-crd.yaml",), ("argoproj.io",)),
    "github.com/kedacore/keda/v2": Module(("config/crd/bases/keda.sh_*.yaml",), ("keda.sh",)),
    "github.com/prometheus-operator/prometheus-operator": Module(
        ("example/prometheus-operator-crd/*.yaml",), ("monitoring.coreos.com",)
    ),
    "github.com/traefik/traefik/v3": Module(
        ("docs/content/reference/dynamic-configuration/kubernetes-crd-definition-*.yml",), ("traefik.io",)
    ),
    # Where Istio's kinds are served, the Rollouts controller watches them; no Istio runs in the tests.
    "istio.io/api": Module(
        ("kubernetes/customresourcedefinitions.gen.yaml",),
        tuple(f"{name}.istio.io" for name in ("extensions", "networking", "security", "telemetry")),
        installed=False,
    ),
    "sigs.k8s.io/gateway-api": Module(
        ("config/crd/standard/gateway.networking.k8s.io_*.yaml",), ("gateway.networking.k8s.io",)
    ),
    "sigs.k8s.io/gateway-api-inference-extension": Module(
        ("config/crd/bases/inference.networking.k8s.io_*.yaml",),
        ("inference.networking.k8s.io",),
        installed=False,
    ),
    "sigs.k8s.io/lws": Module(
        ("config/crd/bases/leaderworkerset.x-k8s.io_*.yaml",), ("leaderworkerset.x-k8s.io",), installed=False
    ),
}

_REQUIRE = re.compile(r"^(?:require\s+)?(?P<module>\S+/\S+)\s+(?P<version>v\S+)\s*(?://.*)?$")


def cache_root() -> Path:
    """Where fetched schemas live: $LLMOPS_CACHE, else $XDG_CACHE_HOME or ~/.cache, then llm-charts."""
    return _cache_root(*(os.environ.get(name) for name in ("LLMOPS_CACHE", "XDG_CACHE_HOME", "HOME")))


@lru_cache(maxsize=16)
def _cache_root(own: str | None, shared: str | None, _home: str | None) -> Path:
    """For one environment: every object of every release asks."""
    if own:
        return Path(own)
    return Path(shared or Path.home() / ".cache") / "llm-charts"


@cache
def default_pins() -> Path:
    """The pins this code was released with: packed beside it in a wheel, tools/crds/go.mod in a checkout."""
    packed = Path(__file__).with_name("pins.mod")
    return packed if packed.is_file() else Path(__file__).parents[3] / "tools" / "crds" / "go.mod"


@cache
def read_pins(pins: Path) -> dict[str, str]:
    """Module → version of a go.mod's `require` lines. InputError when unreadable or not in MODULES."""
    try:
        text = pins.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read the pinned CRD modules: {error.strerror}", str(pins)) from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _REQUIRE.match(line.strip())
        if match and not line.startswith("module "):
            if match["module"] not in MODULES:
                known = ", ".join(MODULES)
                raise InputError(
                    f"no CRD files are known of {match['module']}; known: {known}", f"{pins}:{number}"
                )
            found[match["module"]] = match["version"]
    return found


_NAME = re.compile(r"[A-Za-z0-9]{1,63}")


def path(api_version: str, kind: str) -> Path | None:
    """The cached schema of a kind, None when no pinned module defines it.

    Raises InputError when a module that may define it has not been fetched.
    """
    group, _, version = api_version.rpartition("/")
    modules = _publishers(group)
    return _path(modules, group, version, kind, cache_root(), default_pins()) if modules else None


@lru_cache(maxsize=1024)
def _publishers(group: str) -> tuple[str, ...]:
    return tuple(name for name, module in MODULES.items() if group in module.groups)


@lru_cache(maxsize=1024)
def _path(
    modules: tuple[str, ...], group: str, version: str, kind: str, root: Path, pinned: Path
) -> Path | None:
    pins = read_pins(pinned)
    for name in modules:
        if name not in pins:
            continue
        folder = _folder(root, name, pins[name])
        if not _complete(folder):
            raise InputError(
                f"the schema of {kind} ({group}/{version}) is not there: {folder} is missing or outdated; "
                "run `make setup` or `python -m llmops.kubernetes.crds`"
            )
        file = folder / f"{group}_{version}_{kind}.json"
        # What is no name is no file either: too long, or with a slash.
        if _NAME.fullmatch(version) and _NAME.fullmatch(kind) and file.is_file():
            return file
    return None


def fetch(pins: Path, cache: Path, go: str = "go") -> list[Path]:
    """Downloads and converts every pinned module that the cache lacks; returns the folders that were written.

    Raises InputError when Go fails, when a module differs from the go.sum beside `pins`, or holds no CRD.
    """
    written = []
    for module, version in read_pins(pins).items():
        folder = _folder(cache, module, version)
        if _complete(folder):
            continue
        source = _download(module, version, pins.with_name("go.sum"), go)
        found = {
            f"{group}_{api}_{kind}.json": schema
            for crd in _read(source, MODULES[module].files)
            for group, api, kind, schema in crd_schema.schemas(crd)
        }
        if not found:
            files = ", ".join(MODULES[module].files)
            raise InputError(f"{module}@{version} holds no CustomResourceDefinition in {files}", str(pins))
        _write(folder, found)
        written.append(folder)
    return written


def _folder(root: Path, module: str, version: str) -> Path:
    parts = [part for part in module.split("/") if not re.fullmatch(r"v\d+", part)]
    return root / "crds" / f"{parts[-1]}@{version}"


def _complete(folder: Path) -> bool:
    try:
        return (folder / "FORMAT").read_text(encoding="utf-8") == FORMAT
    except OSError:
        return False


def _write(folder: Path, schemas: dict[str, dict[str, Any]]) -> None:
    """All files or none: another process sees the folder only when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, schema in schemas.items():
            (scratch / name).write_text(json.dumps(schema, separators=(",", ":")), encoding="utf-8")
        (scratch / "FORMAT").write_text(FORMAT, encoding="utf-8")
        scratch.chmod(0o755)
        if folder.exists() and not _complete(folder):
            shutil.rmtree(folder)
        if not folder.exists():
            scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _download(module: str, version: str, sums: Path, go: str) -> Path:
    """The folder of the extracted module, after its two checksums were compared with go.sum."""
    with tempfile.TemporaryDirectory() as outside:
        try:
            done = subprocess.run(  # noqa: S603
                [go, "mod", "download", "-json", f"{module}@{version}"],
                cwd=outside,
                env={**os.environ, "GOFLAGS": "-mod=mod", "GO111MODULE": "on", "GOWORK": "off"},
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise InputError(f"cannot run {go}: {error.strerror}; install Go or name it with --go") from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {}
    if done.returncode or "Dir" not in answer:
        reason = answer.get("Error") or (done.stderr.strip().splitlines() or ["no answer"])[-1]
        raise InputError(f"Go could not download {module}@{version}: {reason}")
    expected = sums.read_text(encoding="utf-8").splitlines() if sums.is_file() else []
    lines = [f"{module} {version} {answer['Sum']}", f"{module} {version}/go.mod {answer['GoModSum']}"]
    if missing := [line for line in lines if line not in expected]:
        raise InputError(
            f"the downloaded module is not the pinned one; its lines are: {'; '.join(missing)}", str(sums)
        )
    return Path(answer["Dir"])


def _read(folder: Path, globs: Sequence[str]) -> Iterator[dict[str, Any]]:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Leaves a bare `=` and dates the strings that Go takes them for."""

    for tag in ("value", "timestamp"):
        Loader.add_constructor(f"tag:yaml.org,2002:{tag}", lambda _, node: str(node.value))
    for glob in globs:
        for file in sorted(folder.glob(glob)):
            for document in yaml.load_all(file.read_bytes(), Loader):
                if isinstance(document, dict) and document.get("kind") == "CustomResourceDefinition":
                    yield document


def main(arguments: Sequence[str] | None = None) -> int:
    """The set-up command. Exit status 2 with one sentence when something is missing."""
    parser = argparse.ArgumentParser(prog="python -m llmops.kubernetes.crds", description=__doc__)
    parser.add_argument(
        "--pins", type=Path, default=default_pins(), help="go.mod whose require lines are the versions"
    )
    parser.add_argument("--go", default="go", help="the Go program")
    chosen = parser.parse_args(arguments)
    try:
        written = fetch(chosen.pins, cache_root(), chosen.go)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.writelines(f"{folder}\n" for folder in written)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
