"""A release: a chart, its values files and what it is installed into; rendered to objects."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from llmops.findings import InputError
from llmops.render import Renderer, Target
from llmops.render.archive import archive, refuse_remote_references
from llmops.render.layers import merge
from llmops.render.manifest import Object, ValuesFile, parse, read_text, read_values
from llmops.render.sdk import merge_values
from llmops.values import Values

__all__ = [
    "Inputs",
    "Release",
    "archive",
    "discover",
    "environments_beside",
    "from_manifests",
    "memoized",
    "merge",
    "model_file",
    "render",
]

_MAX_JSON = 5 * 2**20  # bytes; the largest of models have some tens of thousands
_COMMA_TOO_MANY = re.compile(r",\s*[}\]]\Z")
_LEVELS = 4  # how far above a model its `environments` folder may stand


@dataclass(frozen=True)
class Inputs:
    """What a release is rendered from. `values` are files, later ones winning."""

    chart: Path
    values: tuple[Path, ...]
    target: Target
    model_dir: Path | None = None
    environment: str = ""
    unreadable: InputError | None = None
    """Why a release of a tree cannot even be put together; `render` raises it, and the others are judged."""


@dataclass
class Release:
    """The objects of one release, and what they came from.

    `values` are the chart's defaults and the values files coalesced as Helm does it; {} for plain
    manifests. `model` holds the figures of config.json, keyed as transformers writes them. `templates` maps
    a template path (or the manifest's name) to the text that the objects were read from.
    """

    name: str
    namespace: str
    kube_version: str
    objects: list[Object]
    notes: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    values_files: tuple[ValuesFile, ...] = ()
    model: dict[str, Any] | None = None
    inputs: Inputs | None = None
    templates: Mapping[str, str] = field(default_factory=dict)

    @property
    def view(self) -> Values:
        """The values with names for where they stand."""
        return Values(self.values, self.inputs.chart.name if self.inputs else "")


_Built = TypeVar("_Built")
_MEMO: dict[Callable[[Release], object], tuple[tuple[object, ...], object]] = {}


def memoized(build: Callable[[Release], _Built], release: Release) -> _Built:
    """What a function builds from a release; the last result is kept, since several rules ask.

    A release is the same while its objects, values and figures are the same in memory, so they are not to be changed.
    """
    same = (release.objects, release.values, release.model)
    named = (release.namespace, release.kube_version)
    known, built = _MEMO.get(build, ((), None))
    if known[3:] != named or any(one is not other for one, other in zip(known, same, strict=False)):
        built = build(release)
        _MEMO[build] = ((*same, *named), built)
    return cast("_Built", built)


def render(inputs: Inputs, renderer: Renderer, *, notes: bool = False) -> Release:
    """The release that Helm would install.

    Raises RefusedError when the chart refuses the values; InputError when chart, values or rendered text
    cannot be read, and when nothing is rendered at all.
    """
    if inputs.unreadable is not None:
        raise inputs.unreadable
    files = tuple(read_values(path) for path in inputs.values)
    layers = [file.data for file in files]
    # In-process, a schema costs more than the whole render; the toolkit validates the values itself.
    stripped = archive(inputs.chart, schemas=False)
    packed = stripped if renderer.name == "sdk" else archive(inputs.chart)
    refuse_remote_references(packed, inputs.chart)
    rendered = renderer.render(packed, layers, inputs.target, notes=notes)
    templates = {**rendered.crds, **rendered.templates}
    objects = [item for source, text in sorted(templates.items()) for item in _parse_rendered(text, source)]
    if not objects:
        raise InputError(
            "the chart renders no object with these values; switch a component on, or correct the values",
            str(inputs.chart),
        )
    return Release(
        name=inputs.target.name,
        namespace=inputs.target.namespace,
        kube_version=inputs.target.kube_version,
        objects=objects,
        notes=rendered.notes,
        values=merge_values(stripped, layers) if rendered.values is None else rendered.values,
        values_files=files,
        model=_model(inputs),
        inputs=inputs,
        templates=templates,
    )


def _parse_rendered(text: str, source: str) -> list[Object]:
    try:
        return parse(text, source)
    except InputError as error:
        raise InputError(f"{error.message} (line of the rendered text)", error.source) from error


def from_manifests(text: str, source: str, kube_version: str) -> Release:
    """Anybody's manifests as a release without name, values or chart; InputError when they hold no object."""
    objects = parse(text, source)
    if not objects:
        raise InputError("there is no object in it; give Kubernetes manifests in YAML", source)
    return Release(
        name="", namespace="", kube_version=kube_version, objects=objects, templates={source: text}
    )


def discover(
    models: Path, *, env: str | None, environments: Path | None, chart: Path, kube_version: str
) -> list[Inputs]:
    """The releases below a folder of models, or of one model; all environments, or the one named.

    A model is a folder with values.yaml and envs/<env>/values.yaml. Layers: environments/<env>.yaml, the
    model's values.yaml, envs/<env>/values.yaml, and envs/<env>/release.yaml once promotion has written it.
    `environments` defaults to the folder of that name beside an enclosing folder of the model. The release
    is named after the model's folder with '.' turned into '-': Helm would take the dot, but no Service name
    may have one. The namespace is global.llm.environment.namespace of the layers, else `default`.

    Raises InputError when a folder or a file is missing, or when no model has the environment.
    """
    if not models.is_dir():
        raise InputError("no such folder; expected a model's folder, or a folder of them", str(models))
    folders = discover_folders(models)
    if not folders:
        raise InputError("there is no model here; expected <model>/values.yaml", str(models))
    known: dict[Path, list[str]] = {}
    found: list[Inputs] = []
    for folder in folders:
        try:
            known[folder] = _environments_of(folder)
        except InputError as error:
            found.append(_broken(folder, "", chart, kube_version, error))
    if env is not None and known and not any(env in names for names in known.values()):
        listed = ", ".join(sorted({name for names in known.values() for name in names}))
        raise InputError(f"no environment {env!r}; there are {listed}", str(models))
    for folder, names in known.items():
        for name in names:
            if env in (None, name):
                try:
                    found.append(_inputs(folder, name, environments, chart, kube_version))
                except InputError as error:
                    found.append(_broken(folder, name, chart, kube_version, error))
    if not any(one.unreadable is None for one in found):
        raise next(one.unreadable for one in found if one.unreadable is not None)
    return found


def _broken(folder: Path, env: str, chart: Path, kube_version: str, error: InputError) -> Inputs:
    target = Target(name=_name(folder), namespace="", kube_version=kube_version)
    return Inputs(chart, (), target, model_dir=folder, environment=env, unreadable=error)


def _name(folder: Path) -> str:
    return folder.absolute().name.replace(".", "-")


def discover_folders(folder: Path) -> list[Path]:
    """The folders of models at or below a folder. InputError for one that cannot be read."""
    if (folder / "values.yaml").is_file() or (folder / "envs").is_dir():
        return [folder]
    try:
        below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"the folder cannot be read ({error.strerror})", str(folder)) from error
    return [found for path in below for found in discover_folders(path)]


def _environments_of(folder: Path) -> list[str]:
    if not (folder / "values.yaml").is_file():
        raise InputError("no such file; expected what all environments share", str(folder / "values.yaml"))
    envs = folder / "envs"
    names = sorted(path.name for path in envs.iterdir() if path.is_dir()) if envs.is_dir() else []
    if not names:
        raise InputError("the model has no environment; expected envs/<env>/values.yaml", str(folder))
    return names


def _inputs(folder: Path, env: str, environments: Path | None, chart: Path, kube_version: str) -> Inputs:
    below = _environments_folder(folder, environments)
    facts = below / f"{env}.yaml"
    if not facts.is_file():
        known = ", ".join(sorted(file.stem for file in below.glob("*.yaml"))) or "none"
        raise InputError(
            f"no such file; expected the facts of the cluster of environment {env!r}. There are those of {known}: "
            f"write this file, or call {folder / 'envs' / env} as one of them",
            str(facts),
        )
    values = [facts, folder / "values.yaml", folder / f"envs/{env}/values.yaml"]
    promoted = folder / f"envs/{env}/release.yaml"
    if os.path.lexists(promoted):
        values.append(promoted)
    target = Target(
        name=_name(folder),
        namespace=_namespace(values),
        kube_version=kube_version,
    )
    return Inputs(chart, tuple(values), target, model_dir=folder, environment=env)


def _environments_folder(folder: Path, given: Path | None) -> Path:
    if given is not None:
        if not given.is_dir():
            raise InputError("no such folder; expected one with <env>.yaml files", str(given))
        return given
    if found := environments_beside(folder):
        return found
    raise InputError(
        "no folder `environments` beside the folder of models; make one, or name it with --environments",
        str(folder),
    )


def environments_beside(path: Path) -> Path | None:
    """The folder `environments` beside the path or beside a folder that encloses it; None where there is none."""
    for parent in list(Path(os.path.normpath(path.absolute())).parents)[:_LEVELS]:
        if (found := parent / "environments").is_dir():
            return Path(os.path.relpath(found)) if found.is_relative_to(Path.cwd()) else found
    return None


def _namespace(paths: list[Path]) -> str:
    value: Any = merge([read_values(path).data for path in paths])
    for key in ("global", "llm", "environment", "namespace"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else "default"


def model_file(inputs: Inputs) -> Path | None:
    """config.json of the model's folder, or else the one beside a values file, the last file first."""
    folders = [inputs.model_dir] if inputs.model_dir else [path.parent for path in reversed(inputs.values)]
    files = (folder / "config.json" for folder in folders)
    return next((file for file in files if os.path.lexists(file)), None)


def _model(inputs: Inputs) -> dict[str, Any] | None:
    file = model_file(inputs)
    if file is None:
        return None
    if not file.is_file():
        raise InputError("this is no file; expected the figures of the model", str(file))
    if file.stat().st_size > _MAX_JSON:
        raise InputError(
            f"the file has more than {_MAX_JSON} bytes; write the model's own config.json", str(file)
        )
    return _read_json(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _read_json(file: Path, _mtime: int) -> dict[str, Any]:
    written = read_text(file)
    try:
        data = json.loads(written)
    except json.JSONDecodeError as error:
        if comma := _COMMA_TOO_MANY.search(written[: error.pos + 1] + written[error.pos + 1 :].lstrip()[:1]):
            line = written.count("\n", 0, comma.end() - 1) + 1
            words = "this is not JSON: a comma stands before the closing bracket; take it out"
            raise InputError(words, f"{file}:{line}") from error
        raise InputError(f"this is not JSON: {error.msg}", f"{file}:{error.lineno}") from error
    except RecursionError as error:
        raise InputError("the nesting is too deep", str(file)) from error
    except ValueError as error:
        raise InputError("a number has too many digits; write the model's own figures", str(file)) from error
    if not isinstance(data, dict):
        raise InputError("expected the mapping that transformers writes as config.json", str(file))
    return data
