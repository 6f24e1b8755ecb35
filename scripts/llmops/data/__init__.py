"""The tables, and where they are read from: this folder, and a folder of the user's own laid out like it."""

from __future__ import annotations

import os
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

FOLDER_VARIABLE = "LLMOPS_DATA"


def own_folder() -> str:
    """$LLMOPS_DATA: a folder with tables of one's own, e.g. engines/NAME.yaml and metrics/NAME.yaml; may be empty.

    It is part of the key of whatever is kept of the tables.
    """
    return os.environ.get(FOLDER_VARIABLE, "")


def tables(kind: str, own: str) -> dict[str, Traversable]:
    """The YAML files of a kind of tables, `engines` for one, by name; those of the folder `own` replace ours."""
    folders: list[Traversable] = [files(__name__).joinpath(kind)]
    if own:
        folders.append(Path(own, kind))
    found = [entry for folder in folders if folder.is_dir() for entry in folder.iterdir()]
    named = {entry.name.removesuffix(".yaml"): entry for entry in found if entry.name.endswith(".yaml")}
    return dict(sorted(named.items()))
