"""What every test may ask for: a renderer, and the two helm programs that `make setup` installs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from llmops.kubernetes.crds import cache_root
from llmops.render import Renderer
from llmops.render.binary import HelmRenderer
from llmops.render.sdk import SdkRenderer

# How long an example takes says something about the machine, and nothing about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("patient"), max_examples=10)
settings.load_profile("patient")

PROGRAMS = {
    "sarif_schema",
    "helm3_path",
    "helm4_path",
    "promtool_path",
    "prometheus_url",
    "start",
    "start_prometheus",
}
"""Fixtures that stand for a program: a test that asks for one is `real`."""

LEFT_OUT = (
    "left out, `make test` runs them: tests that start a program (Helm, promtool, Prometheus, an engine, git, a "
    "command of ours), long samples, and of a test with many cases all but the first"
)

running: list[pytest.Item] = []
"""The test that runs, if one does."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--renderer", choices=("sdk", "helm"), default="sdk", help="render charts in-process or with Helm 4"
    )
    parser.addoption("--quick", action="store_true", help="the inner loop: no programs, few cases")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        settings.load_profile("quick")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if PROGRAMS & set(getattr(item, "fixturenames", ())):
            item.add_marker("real")
    if config.getoption("--quick"):
        chosen = quick(items)
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = [item for item in items if item in chosen]


def quick(items: list[pytest.Item]) -> set[pytest.Item]:
    """Tests that start no program and take no long sample; of one with many cases the first."""
    first: dict[str, pytest.Item] = {}
    for item in items:
        if not any(item.get_closest_marker(name) for name in ("real", "long")):
            first.setdefault(item.nodeid.partition("[")[0], item)
    return set(first.values())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--quick"):
        terminalreporter.write_line(LEFT_OUT)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    running.append(item)
    try:
        return (yield)
    finally:
        running.clear()


def programs_belong_to_real_tests(event: str, arguments: tuple[Any, ...]) -> None:
    """A quick run starts no program, so that it stays quick: a test that starts one is not marked."""
    if event != "subprocess.Popen" or not running:
        return
    item = running[0]
    if item.config.getoption("--quick"):
        raise AssertionError(f"this test starts {arguments[0] or arguments[1][0]}: mark it `real`")


sys.addaudithook(programs_belong_to_real_tests)


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
