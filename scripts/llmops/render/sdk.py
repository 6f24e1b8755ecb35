"""Helm 4 in this process. The only module that imports the Helm SDK, which is pinned exactly.

The SDK renders what it is given: it checks neither `kubeVersion` nor dependencies nor release names, and it
logs ignored values to file descriptor 2. This adapter adds those checks. A handle is changed by rendering,
so every call loads its own. Never fork after the first call: the Go runtime does not survive it.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
import itertools
import json
import os
import re
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from llmops.findings import InputError, RefusedError
from llmops.render import Rendered, Target
from llmops.render.layers import merge
from llmops.render.refusal import ignored_value, refusal

_VERSION = "0.2.2"
_GO_LOG = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ")
_KUBE_VERSION = re.compile(r"v?\d+\.\d+(\.\d+)?([-+][0-9A-Za-z.+-]+)?")
_DESCRIPTOR_2 = threading.Lock()
_RENDERS = itertools.count(1)
_FEW = 4  # renders; so many are over before a ballast pays
_BALLAST = (3, 5 * 2**20)  # files and bytes of each, the largest that Helm takes


@functools.cache
def _helm() -> ModuleType:
    """The SDK, imported at first use: it takes 60 ms and 66 MB that `--help` need not pay."""
    try:
        import helm_python
    except ImportError as error:
        raise InputError("rendering and reading YAML need the extra: install llm-charts[check]") from error
    if helm_python.__version__ != _VERSION:
        raise InputError(f"helm-python-sdk {_VERSION} is needed, {helm_python.__version__} is installed")
    return helm_python


def go_yaml(text: str) -> dict[str, Any]:
    """The first document of `text` as Helm and Kubernetes read it; an empty one is {}.

    Raises InputError with Go's words and no source; the caller knows file and line.
    """
    helm = _helm()
    try:
        data: dict[str, Any] = helm.values_from_yaml(text)
    except helm.HelmError as error:
        raise InputError(str(error).rpartition("yaml: ")[2]) from error
    return data


@functools.lru_cache(maxsize=256)
def satisfies(version: str, constraint: str) -> bool:
    """Whether a version lies in a Masterminds/semver range, asked of Helm's own library (0.2 ms, once each).

    It renders a one-line chart with `semverCompare`: no range of our own can then differ from Helm's.
    An unreadable range or version is not satisfied, as in Helm.
    """
    values = {"constraint": constraint, "version": version}
    try:
        return "true" in _render(_SEMVER_CHART, values, {})["semver/templates/result"]
    except RefusedError:
        return False


def check_target(target: Target) -> None:
    """Raises InputError for a release name that Helm would not install, or a version that is none."""
    helm = _helm()
    try:
        helm.validate_release_name(target.name)
    except helm.HelmError as error:
        raise InputError(
            f"{target.name!r} is no release name: write at most 53 characters of a-z, 0-9, '-' and '.', "
            "beginning and ending with a letter or digit"
        ) from error
    if not _KUBE_VERSION.fullmatch(target.kube_version):
        raise InputError(f"{target.kube_version!r} is no Kubernetes version; write one such as 1.35.0")


def merge_values(archive: bytes, layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The chart's defaults coalesced with the layers, subcharts and globals included: what templates see."""
    helm = _helm()
    with _ignored_values_refused(), _load(archive) as chart:
        try:
            values: dict[str, Any] = chart.merge_values(merge(layers))
        except helm.HelmError as error:
            raise refusal(str(error)) from error
    return values


class SdkRenderer:
    """Renders in this process, with Helm 4.2 as a library. Safe in threads; renders take turns."""

    name = "sdk"

    def render(
        self, archive: bytes, layers: Sequence[Mapping[str, Any]], target: Target, *, notes: bool = False
    ) -> Rendered:
        """Raises RefusedError when the chart refuses the values, InputError when it cannot be loaded."""
        check_target(target)
        options = {
            "name": target.name,
            "namespace": target.namespace,
            "kube_version": target.kube_version,
            "api_versions": list(target.api_versions),
            "is_upgrade": target.is_upgrade,
            "is_install": not target.is_upgrade,
        }
        if next(_RENDERS) > _FEW:
            _ballast()
        with _ignored_values_refused():
            about = _about(archive)
            about.check(target)
            with _load(archive) as chart:
                merged = merge(layers)
                values = _merged_values(chart, merged)
                rendered = _render_handle(chart, merged, options)
                # Asked after rendering, since a component that is switched off leaves with its CRDs.
                crds = {crd["filename"]: crd["data"] for crd in chart.crds} if about.has_crds else {}
        own_notes = rendered.get(f"{about.name}/templates/NOTES.txt", "")
        return Rendered(
            templates={
                path: text
                for path, text in rendered.items()
                if text.strip() and not path.endswith("/NOTES.txt")
            },
            crds=crds,
            notes=own_notes if notes else "",
            values=values,
        )


def _merged_values(chart: Any, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """What templates see; None where rendering is going to say why there are none. Before it changes the handle."""
    try:
        merged: dict[str, Any] = chart.merge_values(values)
    except _helm().HelmError:
        return None
    return merged


@dataclass(frozen=True)
class _Chart:
    """What an archive says of itself before anything is rendered."""

    name: str
    missing: tuple[str, ...]
    kube_version: str
    has_crds: bool

    def check(self, target: Target) -> None:
        """InputError for dependencies that the archive lacks, RefusedError for a version that it excludes."""
        if self.missing:
            raise missing_dependencies(self.name, self.missing)
        if self.kube_version and not satisfies(target.kube_version, self.kube_version):
            raise kube_version_refused(self.name, self.kube_version, target.kube_version)


@functools.lru_cache(maxsize=8)
def _about(archive: bytes) -> _Chart:
    """Asked once for each archive: a tree of releases has one."""
    with _load(archive) as chart:
        metadata = chart.metadata
        present = {dependency["name"] for dependency in chart.dependencies}
        declared = [dependency["name"] for dependency in metadata.get("dependencies") or ()]
        return _Chart(
            name=metadata["name"],
            missing=tuple(name for name in declared if name not in present),
            kube_version=metadata.get("kubeVersion") or "",
            has_crds=bool(chart.crds),
        )


def missing_dependencies(chart: str, names: Sequence[str]) -> InputError:
    """What both renderers say when Chart.yaml lists a chart that the archive lacks."""
    return InputError(
        f"the chart {chart} lacks {', '.join(names)}, listed in its Chart.yaml; "
        "give each a `repository: file://…` that names its folder"
    )


def kube_version_refused(chart: str, constraint: str, kube_version: str) -> RefusedError:
    """What both renderers say when Chart.yaml's kubeVersion excludes the target."""
    return RefusedError(
        f"the chart {chart} needs Kubernetes {constraint} (kubeVersion in its Chart.yaml), "
        f"and the target is {kube_version.removeprefix('v')}"
    )


@functools.cache
def _ballast() -> Any:
    """A chart of zeros, never freed. Go collects garbage whenever its heap has doubled, and 5 MB double in half a
    render; with 15 MB more that takes several, which saves a third of the time of each. $GOGC would do it as well,
    but Go reads only what the process was started with.
    """
    files, size = _BALLAST
    with tempfile.TemporaryDirectory() as folder:
        chart = "apiVersion: v2\nname: ballast\nversion: 0.1.0\n"
        Path(folder, "Chart.yaml").write_text(chart, encoding="utf-8")
        for number in range(files):
            with Path(folder, str(number)).open("wb") as file:
                file.truncate(size)
        return _helm().Chart.load(folder)


def _load(archive: bytes) -> Any:
    helm = _helm()
    try:
        return helm.Chart.load_archive(archive)
    except helm.HelmError as error:
        raise InputError(f"the chart cannot be loaded: {error}") from error


def _render(archive: bytes, values: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, str]:
    with _load(archive) as chart:
        return _render_handle(chart, values, options)


def _render_handle(chart: Any, values: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, str]:
    """`Chart.render` without its limits: the C call also takes kube_version and api_versions."""
    helm = _helm()
    try:
        text = helm._native.call_string("helm_render", chart._raw(), json.dumps(values), json.dumps(options))
    except helm.HelmInvalidArgError as error:
        raise InputError(f"Helm does not take the target: {error}") from error
    except helm.HelmError as error:
        raise refusal(str(error)) from error
    rendered: dict[str, str] = json.loads(text)
    return rendered


@contextlib.contextmanager
def _ignored_values_refused() -> Iterator[None]:
    """Holds back descriptor 2; a Go log line that says a value was ignored becomes RefusedError.

    The SDK's log hook does not see these lines (tried). Whatever else was written there is passed on.
    """
    with _DESCRIPTOR_2, tempfile.TemporaryFile() as held:
        if sys.stderr is not None:
            sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            lines = held.read().decode(errors="replace").splitlines(keepends=True)
            go_lines = [line for line in lines if _GO_LOG.match(line)]
            if others := [line for line in lines if not _GO_LOG.match(line)]:
                os.write(2, "".join(others).encode())
        for line in go_lines:
            if sentence := ignored_value(line.strip()):
                raise RefusedError(sentence)


def _semver_chart() -> bytes:
    files = {
        "semver/Chart.yaml": "apiVersion: v2\nname: semver\nversion: 0.1.0\n",
        "semver/templates/result": "{{ semverCompare .Values.constraint .Values.version }}",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), compresslevel=0, mtime=0)


_SEMVER_CHART = _semver_chart()
