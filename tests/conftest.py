"""What every test may ask for: a renderer, and the two helm programs that `make setup` installs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from llmops.kubernetes.crds import cache_root
from llmops.render import Renderer
from llmops.render.binary import HelmRenderer
from llmops.render.sdk import SdkRenderer

# How long an example takes says something about the machine, and nothing about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--renderer", choices=("sdk", "helm"), default="sdk", help="render charts in-process or with Helm 4"
    )


def program(variable: str, default: str) -> Path:
    """A helm program, by its environment variable or from the cache; without it a test fails."""
    path = Path(os.environ.get(variable) or cache_root() / default)
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"{path} is missing: run `make setup`, or set {variable}")
    return path


@pytest.fixture(scope="session")
def helm4_path() -> Path:
    return program("LLMOPS_HELM4", "bin/helm")


@pytest.fixture(scope="session")
def helm3_path() -> Path:
    return program("LLMOPS_HELM3", "helm3/bin/helm")


@pytest.fixture(scope="session")
def renderer(request: pytest.FixtureRequest) -> Renderer:
    if request.config.getoption("--renderer") == "sdk":
        return SdkRenderer()
    return HelmRenderer(request.getfixturevalue("helm4_path"))
