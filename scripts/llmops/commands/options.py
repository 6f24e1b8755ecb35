"""What several commands take and do: a selection of releases, renderers, and files read and written."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmops.commands.names import ENVIRONMENT, MODELS
from llmops.findings import InputError, Severity
from llmops.render import DEFAULT_KUBE_VERSION, Renderer, Target

if TYPE_CHECKING:
    from llmops.release import Inputs

# Bytes of manifests that are read at all: a device has no end. The parser refuses less than that.
_MOST = 100 * 2**20
CHART = Path("charts/llm-stack")
PATH = click.Path(path_type=Path)


@dataclass(frozen=True)
class Selection:
    """What a command looks at: one chart with values files, or a tree of models. A command may offer a part of it."""

    chart: Path | None = None
    files: tuple[Path, ...] = ()
    name: str = ""
    namespace: str = "default"
    api_versions: tuple[str, ...] = ()
    models: Path | None = None
    environment: str | None = None
    environments: Path | None = None
    models_chart: Path = CHART

    def inputs(self, kube_version: str = DEFAULT_KUBE_VERSION) -> list[Inputs]:
        """The releases to render. InputError where nothing is selected, or both a chart and a tree."""
        from llmops.release import Inputs

        if self.models is not None:
            if self.chart is not None or self.files:
                raise InputError("give either a chart with -f, or --models, not both")
            return self.discover(self.models, kube_version)
        if self.chart is None:
            raise InputError(
                "say what to look at: CHART with -f FILE, or --models DIR; `check` takes --manifests too"
            )
        name = self.name or self.chart.resolve().name
        target = Target(name, self.namespace, kube_version, self.api_versions)
        return [Inputs(self.chart, self.files, target, model_dir=model_dir(self.files))]

    def discover(self, models: Path, kube_version: str) -> list[Inputs]:
        """The releases of a model's folder or its name below values/models, or of a tree of such folders."""
        from llmops import release

        named = MODELS / models
        return release.discover(
            named if not models.exists() and len(models.parts) == 1 and named.is_dir() else models,
            env=self.environment,
            environments=self.environments,
            chart=self.models_chart,
            kube_version=kube_version,
        )


def gathered(record: type[Any], *chosen: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Click arguments and options whose values reach the command as one `record`, a dataclass, its first argument."""

    def decorate(command: Callable[..., None]) -> Any:
        @wraps(command)
        def with_record(**arguments: Any) -> None:
            offered = [field.name for field in fields(record) if field.name in arguments]
            command(record(**{name: arguments.pop(name) for name in offered}), **arguments)

        return options(*chosen)(with_record)

    return decorate


def selection(*chosen: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What a command looks at, as one Selection."""
    return gathered(Selection, *chosen)


def options(*chosen: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several click options as one decorator, in the order of the help text."""

    def decorate(command: Any) -> Any:
        for option in reversed(chosen):
            command = option(command)
        return command

    return decorate


chart_options = options(
    click.option(
        "-f", "--values", "files", multiple=True, type=PATH, help="Values file; repeatable, later ones win."
    ),
    click.option("--name", default="", help="Release name; by default that of the chart."),
    click.option("--namespace", default="default", show_default=True),
    click.option(
        "-a",
        "--api-versions",
        multiple=True,
        help="API that the cluster has: group/version or group/version/Kind.",
    ),
)
renderer_option = click.option(
    "--renderer",
    "renderer_name",
    type=click.Choice(["sdk", "helm"]),
    default="sdk",
    show_default=True,
    help="Helm in this process, or the executable $LLMOPS_HELM (else `helm` on PATH).",
)
environments_option = click.option(
    "--environments", type=PATH, help="Folder of environment files; by default beside the models folder."
)
models_options = options(
    click.option("--models", type=PATH, help="A model's directory, or a tree of them, instead of a chart."),
    click.option("--env", "environment", type=ENVIRONMENT, help="One environment; by default all of them."),
    environments_option,
    click.option(
        "--chart", "models_chart", type=PATH, default=CHART, show_default=True, help="Chart of --models."
    ),
)
version_option = click.option(
    "--kube-version",
    default=DEFAULT_KUBE_VERSION,
    show_default=True,
    help="Kubernetes version; `check` takes several with commas.",
)


def renderer(name: str) -> Renderer:
    """The renderer of that name; InputError where there is no helm executable."""
    if name == "sdk":
        from llmops.render.sdk import SdkRenderer

        return SdkRenderer()
    from llmops.render.binary import HelmRenderer

    found = os.environ.get("LLMOPS_HELM") or shutil.which("helm")
    if not found:
        raise InputError("there is no helm executable: set LLMOPS_HELM to one, or leave --renderer at sdk")
    return HelmRenderer(Path(found).absolute(), name="helm")


class Number(click.FloatRange):
    """A number in a range that can be reckoned with: neither infinite nor none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if number is not None and not math.isfinite(number):
            self.fail(f"{value} is no number to reckon with.", param, ctx)
        return number


def model_dir(files: Sequence[Path]) -> Path | None:
    """The model that the values files belong to: the last folder among theirs that holds a model's files."""
    folders = [file.parent for file in files if (file.parent / "envs").is_dir()]
    return folders[-1] if folders else None


def manifests_text(rendered: Any) -> str:
    """All rendered text, one document after another, each template named as Helm does."""
    return "".join(f"---\n# Source: {path}\n{text.strip()}\n" for path, text in rendered.templates.items())


def exit_status(reports: Sequence[Any], level: Severity) -> int:
    """0 fine, 1 with findings of that level, 2 where a release could not be read and the others were judged."""
    if any(report.unreadable for report in reports):
        return 2
    return int(any(finding.severity >= level for report in reports for finding in report.findings))


def read_manifests(name: str) -> tuple[str, str]:
    """Text and source of --manifests."""
    try:
        if name == "-":
            return sys.stdin.buffer.read(_MOST).decode("utf-8"), "stdin"
        # Whoever opens a pipe that nobody writes to waits for ever; those of a shell stand below /dev.
        if Path(name).is_fifo() and not name.startswith(("/dev/", "/proc/")):
            raise InputError("this is a pipe; write - and give it to the standard input", name)
        with Path(name).open("rb") as file:
            return file.read(_MOST).decode("utf-8"), name
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read it: {reason}", name) from None
