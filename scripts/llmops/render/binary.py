"""Helm as a program: the second opinion on every render, for Helm 4 and Helm 3.17."""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmops.findings import InputError, RefusedError
from llmops.render import Rendered, Target
from llmops.render.layers import to_yaml_file
from llmops.render.refusal import ignored_value, refusal
from llmops.render.sdk import check_target, go_yaml, kube_version_refused, missing_dependencies

_SECONDS = 120
_NOTES = "llmops-notes"
# `helm template` prints no notes and only Helm 4's dry run does, without the target's version. The same
# text rendered by a template of its own comes with the objects, in Helm 3 as well.
_NOTES_TEMPLATE = (
    f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {_NOTES}}}\n"
    f'data:\n  text: {{{{ tpl (.Files.Get "{_NOTES}.txt") . | toJson }}}}\n'
)
_SOURCE = re.compile(r"^---\n# Source: (\S.*)\n", re.MULTILINE)
_CRD = re.compile(r"^[^/]+(/charts/[^/]+)*/crds/")
_ADVICE = re.compile(r"\n+Use --debug flag to render out invalid YAML\s*$")
_MISSING = re.compile(r"found in Chart\.yaml, but missing in charts/ directory: (.*)")
_KUBE_VERSION = re.compile(r"chart requires kubeVersion: (.+) which is incompatible with Kubernetes (\S+)")
_NOT_YAML = re.compile(
    r"YAML parse error on (\S+): error converting YAML to JSON: yaml: (?:line (\d+): )?(.*)"
)


class HelmRenderer:
    """Runs the helm executable at an absolute path, away from the user's configuration, cache and cluster."""

    def __init__(self, path: Path, *, name: str = "helm") -> None:
        """`name` is what reports call it. Raises InputError when there is no program at `path`."""
        if not os.access(path, os.X_OK) or not path.is_file():
            raise InputError("there is no helm program here; run `make setup`", str(path))
        self.path = path.absolute()
        self.name = name

    def render(
        self, archive: bytes, layers: Sequence[Mapping[str, Any]], target: Target, *, notes: bool = False
    ) -> Rendered:
        """Raises RefusedError when the chart refuses the values, InputError when it cannot be loaded."""
        check_target(target)
        with tempfile.TemporaryDirectory(prefix="llmops-helm-") as folder:
            scratch = Path(folder)
            chart = _unpack(archive, scratch / "chart")
            name = str(go_yaml((chart / "Chart.yaml").read_text(encoding="utf-8")).get("name", chart.name))
            noted = notes and _add_notes(chart)
            arguments = [*self._arguments(chart, target), *_values_files(layers, scratch)]
            manifest = self._run(arguments, scratch, name)
        return _split(manifest, f"{name}/templates/{_NOTES}.yaml" if noted else "")

    def _arguments(self, chart: Path, target: Target) -> list[str]:
        arguments = [str(self.path), "template", target.name, str(chart), "--include-crds"]
        arguments += ["--namespace", target.namespace, "--kube-version", target.kube_version]
        for version in target.api_versions:
            arguments += ["--api-versions", version]
        return [*arguments, "--is-upgrade"] if target.is_upgrade else arguments

    def _run(self, arguments: list[str], scratch: Path, chart: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603  the program is the caller's, the arguments are no shell text
                arguments,
                env=_environment(scratch),
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"helm could not be run: {error}", str(self.path)) from error
        failure = _failure(done.stderr, chart) if done.returncode else None
        if isinstance(failure, RefusedError):
            raise failure
        for line in done.stderr.splitlines():
            # Before Helm's own parsing, which only complains of what an ignored value made of the text.
            if sentence := ignored_value(line):
                raise RefusedError(sentence)
        if failure is not None:
            raise failure
        return done.stdout


def _environment(scratch: Path) -> dict[str, str]:
    """Nothing of the user's Helm or cluster settings; what Helm writes goes into the scratch folder."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "KUBECONFIG": os.devnull,
        "HELM_CACHE_HOME": str(scratch / "cache"),
        "HELM_CONFIG_HOME": str(scratch / "config"),
        "HELM_DATA_HOME": str(scratch / "data"),
    }


def _unpack(archive: bytes, folder: Path) -> Path:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(f"the chart cannot be loaded: {error}") from error
    charts = sorted(path.parent for path in folder.glob("*/Chart.yaml"))
    if not charts:
        raise InputError("the chart cannot be loaded: Chart.yaml file is missing")
    return charts[0]


def _add_notes(chart: Path) -> bool:
    notes = chart / "templates/NOTES.txt"
    if not notes.is_file():
        return False
    (chart / f"{_NOTES}.txt").write_bytes(notes.read_bytes())
    (chart / f"templates/{_NOTES}.yaml").write_text(_NOTES_TEMPLATE, encoding="utf-8")
    return True


def _values_files(layers: Sequence[Mapping[str, Any]], scratch: Path) -> Iterator[str]:
    for index, layer in enumerate(layers):
        file = scratch / f"layer-{index}.yaml"
        file.write_text(to_yaml_file(layer), encoding="utf-8")
        yield from ("-f", str(file))


def _split(manifest: str, notes_template: str) -> Rendered:
    """Helm's one stream back to its templates, also where Helm sorted a template's objects apart."""
    templates: dict[str, str] = {}
    crds: dict[str, str] = {}
    notes = ""
    starts = list(_SOURCE.finditer(manifest))
    ends = [start.start() for start in starts[1:]] + [len(manifest)] * bool(starts)
    for start, end in zip(starts, ends, strict=True):
        source, text = start.group(1), manifest[start.end() : end]
        if source == notes_template:
            notes = go_yaml(text)["data"]["text"]
            continue
        target = crds if _CRD.match(source) else templates
        target[source] = f"{target[source].rstrip()}\n---\n{text}" if source in target else text
    return Rendered(
        templates={path: text for path, text in templates.items() if text.strip()}, crds=crds, notes=notes
    )


def _failure(stderr: str, chart: str) -> InputError | RefusedError:
    """Helm's last words as the error that the in-process renderer raises for the same mistake."""
    text = _ADVICE.sub("", stderr).partition("Error: ")[2].strip() or stderr.strip()
    if found := _MISSING.search(text):
        return missing_dependencies(chart, found.group(1).split(", "))
    if found := _KUBE_VERSION.search(text):
        return kube_version_refused(chart, found.group(1), found.group(2))
    if found := _NOT_YAML.search(text):
        file, line, problem = found.groups()
        return InputError(f"Go does not read this YAML: {problem}", f"{file}:{line}" if line else file)
    return refusal(text)
