"""Models of a tree of values, and what a release of theirs says of the version it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops import release
from llmops.findings import InputError
from llmops.render.layers import merge
from llmops.render.manifest import read_values
from llmops.values import Values

MODELS = Path("values/models")
RELEASE = "release.yaml"


@dataclass(frozen=True)
class Running:
    """What the values of one release say: of a model in an environment, with release.yaml or what shall stand there."""

    version: str
    card_digest: str
    source: str
    revision: str
    quantization: str
    engine: str
    engine_version: str
    image_digest: str
    file: Path


def model_folder(name: str, models: Path = MODELS) -> Path:
    """The folder of a model, which is given by its name or by the folder itself. InputError where there is none."""
    for folder in (Path(name), models / name):
        if (folder / "values.yaml").is_file() and (folder / "envs").is_dir():
            return folder
    known = ", ".join(one.name for one in model_folders(models)[:8]) if models.is_dir() else ""
    there = f"; there are {known}" if known else ""
    raise InputError(f"no model {name!r}: neither a model's folder nor a name below {models}{there}")


def model_folders(models: Path) -> list[Path]:
    """Every model of a tree."""
    found = release.discover_folders(models)
    return [folder for folder in found if (folder / "envs").is_dir()]


def environments(model: Path) -> list[str]:
    """The environments that a model has a folder for."""
    return sorted(path.name for path in (model / "envs").iterdir() if path.is_dir())


def release_file(model: Path, env: str) -> Path:
    """envs/ENV/release.yaml, which need not be there yet. InputError for an environment that the model has not."""
    known = environments(model)
    if env not in known:
        raise InputError(f"no environment {env!r}; there are {', '.join(known)}", str(model))
    return model / "envs" / env / RELEASE


def running(model: Path, env: str, proposed: dict[str, Any] | None = None) -> Running:
    """What the files of a release say; with `proposed` as if release.yaml held those values."""
    file = release_file(model, env)
    own = [model / "values.yaml", model / "envs" / env / "values.yaml"]
    layers = [read_values(path).data for path in own if path.is_file()]
    if (facts := release.environments_beside(model)) and (facts / f"{env}.yaml").is_file():
        layers.insert(0, read_values(facts / f"{env}.yaml").data)
    if proposed is not None:
        layers.append(proposed)
    elif file.exists():
        layers.append(read_values(file).data)
    values = Values(merge(layers))
    llm, served = values.llm, values.served
    engine = values.engine
    return Running(
        llm.text("release.version"),
        llm.text("release.cardDigest"),
        llm.text("model.source"),
        llm.text("model.revision"),
        llm.text("model.quantization") or "none",
        engine.name if engine else "",
        str(served.effective("engine.version") or ""),
        served.text("image.digest"),
        file,
    )
