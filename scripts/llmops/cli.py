"""The command `llmops`: thin wiring. Exit status 0: nothing found, 1: findings or a refusal, 2: bad input."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from llmops.findings import InputError, RefusedError, Severity
from llmops.render import DEFAULT_KUBE_VERSION, Renderer, Target

CHART = Path("charts/llm-stack")
PATH = click.Path(path_type=Path)


class Group(click.Group):
    """Turns every foreseen failure into one sentence and an exit status; nobody sees a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            click.echo(f"llmops: {error}", err=True)
            sys.exit(2)
        except RefusedError as error:
            click.echo(f"llmops: {error.message}", err=True)
            sys.exit(1)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="llm-charts")
def main() -> None:
    """Renders, checks and explains LLM releases on Kubernetes."""


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
models_options = options(
    click.option("--models", type=PATH, help="A model's directory, or a tree of them, instead of a chart."),
    click.option("--env", "environment", help="One environment; by default all of them."),
    click.option(
        "--environments", type=PATH, help="Folder of environment files; by default beside the models folder."
    ),
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


def inputs_of(
    chart: Path | None,
    files: Sequence[Path],
    name: str,
    namespace: str,
    api_versions: Sequence[str],
    models: Path | None,
    environment: str | None,
    environments: Path | None,
    models_chart: Path,
) -> list[Any]:
    """The releases that the arguments name: one chart with values files, or a tree of models."""
    from llmops import release

    if models is not None:
        if chart is not None or files:
            raise InputError("give either a chart with -f, or --models, not both")
        return release.discover(
            models,
            env=environment,
            environments=environments,
            chart=models_chart,
            kube_version=DEFAULT_KUBE_VERSION,
        )
    if chart is None:
        raise InputError("say what to look at: CHART with -f FILE, --models DIR, or --manifests FILE")
    target = Target(name or chart.resolve().name, namespace, api_versions=tuple(api_versions))
    return [release.Inputs(chart, tuple(files), target, model_dir=model_dir(files))]


def model_dir(files: Sequence[Path]) -> Path | None:
    """The model that the values files belong to: the last folder among theirs that holds a model's files."""
    folders = [file.parent for file in files if (file.parent / "envs").is_dir()]
    return folders[-1] if folders else None


def manifests_text(rendered: Any) -> str:
    """All rendered text, one document after another, each template named as Helm does."""
    return "".join(f"---\n# Source: {path}\n{text.strip()}\n" for path, text in rendered.templates.items())


def write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write it: {error.strerror}", str(path)) from None


@main.command("render")
@click.argument("chart", type=PATH)
@chart_options
@version_option
@renderer_option
def render_command(
    chart: Path,
    files: tuple[Path, ...],
    name: str,
    namespace: str,
    api_versions: tuple[str, ...],
    kube_version: str,
    renderer_name: str,
) -> None:
    """Print the manifests of CHART (hooks and CRDs too)."""
    from llmops import release

    target = Target(name or chart.resolve().name, namespace, kube_version, api_versions)
    rendered = release.render(release.Inputs(chart, files, target), renderer(renderer_name))
    click.echo(manifests_text(rendered), nl=False)


@main.command()
@click.argument("chart", type=PATH, required=False)
@chart_options
@models_options
@click.option("--manifests", help="Anybody's YAML: a file, or - for standard input.")
@version_option
@renderer_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "junit", "html"]),
    default="text",
    show_default=True,
)
@click.option("-o", "--output", type=PATH, help="File for the report; the screen then shows the text.")
@click.option("--fail-on", type=click.Choice(["error", "warning"]), default="error", show_default=True)
@click.option("--disable", multiple=True, metavar="RULE", help="Rule to leave out; repeatable.")
def check(
    chart: Path | None,
    files: tuple[Path, ...],
    name: str,
    namespace: str,
    api_versions: tuple[str, ...],
    models: Path | None,
    environment: str | None,
    environments: Path | None,
    models_chart: Path,
    manifests: str | None,
    kube_version: str,
    renderer_name: str,
    form: str,
    output: Path | None,
    fail_on: str,
    disable: tuple[str, ...],
) -> None:
    """Check a chart with values, a tree of models, or anybody's manifests."""
    from llmops import examine
    from llmops.report import formats, origin, text
    from llmops.report.width import terminal_width

    versions = [version.strip() for version in kube_version.split(",") if version.strip()]
    try:
        if not versions:
            raise InputError("--kube-version is empty; write for example --kube-version 1.35")
        if manifests is not None:
            if chart is not None or models is not None:
                raise InputError("give one of CHART, --models and --manifests")
            reports = examine.manifests(*read_manifests(manifests), versions, disable)
        else:
            inputs = inputs_of(
                chart, files, name, namespace, api_versions, models, environment, environments, models_chart
            )
            chosen = renderer(renderer_name)
            reports = origin.trace(examine.releases(inputs, chosen, versions, disable), chosen)
    except InputError as error:
        if told := formats.failure(form, str(error)):
            if output is None:
                click.echo(told.rstrip("\n"))
                sys.exit(2)
            write(output, told)
        raise
    level = Severity[fail_on.upper()]
    if form != "text" and output is None:
        click.echo(formats.render(form, reports, level).rstrip("\n"))
    else:
        colour, width = text.is_colourful(sys.stdout), terminal_width(sys.stdout)
        click.echo(text.render(reports, colour=colour, width=width).rstrip("\n"))
    if output is not None:
        write(output, formats.render(form, reports, level))
        click.echo(f"\nWritten: {output}", err=True)
    sys.exit(any(finding.severity >= level for report in reports for finding in report.findings))


def read_manifests(name: str) -> tuple[str, str]:
    """Text and source of --manifests."""
    try:
        if name == "-":
            return sys.stdin.buffer.read().decode("utf-8"), "stdin"
        return Path(name).read_text(encoding="utf-8"), name
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read it: {reason}", name) from None


@main.command()
@click.argument("model", type=PATH, required=False)
@click.option("--models", type=PATH, help="A tree of models instead: one line for each release.")
@click.option("--env", "environment", help="Environment of the release; of --models all by default.")
@click.option(
    "--environments", type=PATH, help="Folder of environment files; by default beside the models folder."
)
@click.option("--chart", type=PATH, default=CHART, show_default=True)
@version_option
@renderer_option
@click.option(
    "--requests-per-second",
    type=click.FloatRange(min=0, min_open=True),
    help="Traffic of the model: how long its gates wait for requests.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--out", type=PATH, help="Folder for manifests.yaml and report.html.")
def plan(
    model: Path | None,
    models: Path | None,
    environment: str | None,
    environments: Path | None,
    chart: Path,
    kube_version: str,
    renderer_name: str,
    requests_per_second: float | None,
    form: str,
    out: Path | None,
) -> None:
    """Explain one release of MODEL (a directory): objects, GPUs and time by step, memory, gates, cost, findings."""
    from dataclasses import replace

    from llmops import examine, release
    from llmops.report import html, origin, overview, plan_json, text
    from llmops.report import plan as screen

    where = models or model
    if where is None or (models is not None and model is not None):
        raise InputError("say what to plan: a model's directory with --env, or --models DIR")
    if models is None and environment is None:
        raise InputError("say which environment: --env ENV")
    inputs = release.discover(
        where, env=environment, environments=environments, chart=chart, kube_version=kube_version
    )
    chosen = renderer(renderer_name)
    reports = [
        replace(report, requests_per_second=requests_per_second)
        for report in origin.trace(examine.releases(inputs, chosen, [kube_version]), chosen)
    ]
    many = models is not None or len(reports) > 1
    colour = text.is_colourful(sys.stdout)
    if form == "json":
        shown = plan_json.render(reports, many=many)
    else:
        shown = overview.render(reports, colour=colour) if many else screen.render(reports[0], colour=colour)
    click.echo(shown.rstrip("\n"))
    if out is not None:
        written = [out / "report.html"]
        write(written[0], html.render(reports))
        if not many and reports[0].release.objects:
            written.insert(0, out / "manifests.yaml")
            write(written[0], manifests_text(reports[0].release))
        click.echo(f"\nWritten: {' and '.join(map(str, written))}", err=form == "json")
    sys.exit(any(one.severity >= Severity.ERROR for report in reports for one in report.findings))


@main.command()
@click.argument("chart", type=PATH, required=False)
@chart_options
@models_options
@renderer_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--score", "scored", is_flag=True, help="How far off the estimate is, against published runs.")
def fit(
    chart: Path | None,
    files: tuple[Path, ...],
    name: str,
    namespace: str,
    api_versions: tuple[str, ...],
    models: Path | None,
    environment: str | None,
    environments: Path | None,
    models_chart: Path,
    renderer_name: str,
    form: str,
    scored: bool,
) -> None:
    """Say whether models fit their GPUs: weights, KV cache, largest context, sequences, requests in flight."""
    import json

    from llmops import release
    from llmops.capacity import fit as capacity
    from llmops.capacity import table

    if scored:
        from llmops.capacity.score import score

        result = score()
        shown = json.dumps(table.score_document(result)) if form == "json" else table.score_text(result)
        click.echo(shown.rstrip("\n"))
        sys.exit(not result.covered or bool(result.false_fits))
    named = []
    for inputs in inputs_of(
        chart, files, name, namespace, api_versions, models, environment, environments, models_chart
    ):
        rendered = release.render(inputs, renderer(renderer_name))
        found, lacking = capacity.from_release(rendered), capacity.missing(rendered)
        itl = capacity.itl_seconds(rendered)
        named.append(table.Named(rendered.name, inputs.environment, found, lacking, itl))
    click.echo((json.dumps(table.document(named)) if form == "json" else table.text(named)).rstrip("\n"))
    sys.exit(any(one.failed for one in named))


@main.command()
@click.argument("base")
@click.argument("head", required=False, default="")
@click.option(
    "-f", "--values", "files", multiple=True, type=PATH, help="Values file of both charts; repeatable."
)
@click.option(
    "--base-values", multiple=True, type=PATH, help="Values file of BASE only, after -f; repeatable."
)
@click.option(
    "--head-values", multiple=True, type=PATH, help="Values file of HEAD only, after -f; repeatable."
)
@click.option("--name", default="release", show_default=True, help="Release name of both.")
@click.option("--namespace", default="default", show_default=True)
@click.option("--models", type=PATH, help="Folder of models: BASE and HEAD are Git revisions of its tree.")
@click.option("--model", default="", help="One model of --models, by its folder.")
@click.option("--env", "environment", help="One environment of --models; by default all of them.")
@click.option(
    "--chart", "models_chart", type=PATH, default=CHART, show_default=True, help="Chart of --models."
)
@version_option
@renderer_option
@click.option("--all", "all_changes", is_flag=True, help="List harmless changes too.")
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True
)
def diff(
    base: str,
    head: str,
    files: tuple[Path, ...],
    base_values: tuple[Path, ...],
    head_values: tuple[Path, ...],
    name: str,
    namespace: str,
    models: Path | None,
    model: str,
    environment: str | None,
    models_chart: Path,
    kube_version: str,
    renderer_name: str,
    all_changes: bool,
    form: str,
) -> None:
    """Say what an upgrade from BASE to HEAD costs: nothing, restarts, other GPUs; exit 1 if it cannot work.

    BASE and HEAD are two charts, two files with manifests, or with --models two Git revisions (without HEAD
    the working tree).
    """
    from llmops.diff import command, show
    from llmops.report.text import is_colourful
    from llmops.report.width import terminal_width

    if model and models is None:
        raise InputError("--model names a folder of --models DIR; give both")
    target = Target(name, namespace, kube_version)
    where = models / model if models is not None and model else models
    asked = command.Question(
        base,
        head,
        (files, base_values, head_values),
        target,
        where,
        models_chart,
        environment,
        read_manifests,
    )
    compared, titles = command.answer(asked, renderer(renderer_name))
    if form == "text":
        width = terminal_width(sys.stdout)
        shown = show.as_text(compared, all_changes=all_changes, colour=is_colourful(sys.stdout), width=width)
    else:
        shown = (show.as_json if form == "json" else show.as_markdown)(compared, titles)
    click.echo(shown.rstrip("\n"))
    sys.exit(show.is_impossible(compared))


@main.command()
@click.argument("rule", required=False)
def explain(rule: str | None) -> None:
    """Say why RULE exists, how to satisfy it, and show its cases; without RULE list all rules by theme."""
    from llmops import checks
    from llmops.report import rules
    from llmops.report.width import terminal_width

    click.echo(checks.explain(rule) if rule else rules.listing(terminal_width(sys.stdout)), nl=False)


@main.group()
def simulate() -> None:
    """Tries out what a cluster would do, with numbers instead of servers."""


@simulate.command("canary")
@click.option(
    "-f",
    "--values",
    "files",
    multiple=True,
    type=PATH,
    help="Values file with `gates` or `global.llm.slo`; repeatable.",
)
@click.option(
    "--requests-per-window",
    type=click.IntRange(1, 100_000),
    default=30,
    show_default=True,
    help="Of the canary.",
)
@click.option(
    "--windows", default="", help="Looks of the gate step; several steps with commas. By default gates.looks."
)
@click.option(
    "--split",
    type=click.FloatRange(0.01, 1000),
    default=9.0,
    show_default=True,
    help="Requests of stable for each of the canary.",
)
@click.option(
    "--effect",
    type=click.FloatRange(0, 1000),
    default=1.0,
    show_default=True,
    help="Times the latencies, or the share of bad requests; 1: a good version.",
)
@click.option("--signal", default="ttft", show_default=True, help="What the effect is on; others are good.")
@click.option(
    "--latency",
    default="",
    help="Of --signal in seconds: lognormal:MEDIAN:SIGMA, gamma:SHAPE:SCALE or csv:FILE.",
)
@click.option(
    "--share", type=click.FloatRange(0, 1), help="Share of bad requests of stable, where --signal is a share."
)
@click.option(
    "--shock",
    type=click.FloatRange(0, 3),
    default=0.0,
    show_default=True,
    help="Log-normal sigma of latencies by window.",
)
@click.option(
    "--watch",
    type=click.IntRange(0, 2000),
    default=0,
    show_default=True,
    help="Windows of watching after 100 %.",
)
@click.option(
    "--wait",
    type=click.IntRange(0, 2000),
    default=0,
    show_default=True,
    help="More windows where requests are too few.",
)
@click.option("--runs", type=click.IntRange(1, 1_000_000), default=1000, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--compare", is_flag=True, help="The usual gates on the same traffic, too.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def simulate_canary(
    files: tuple[Path, ...],
    requests_per_window: int,
    windows: str,
    split: float,
    effect: float,
    signal: str,
    latency: str,
    share: float | None,
    shock: float,
    watch: int,
    wait: int,
    runs: int,
    seed: int,
    compare: bool,
    form: str,
) -> None:
    """How often do the gates stop, promote or hold a version that is EFFECT times as slow or as bad as stable?"""
    import json

    from llmops.simulate import command, latencies, settings
    from llmops.simulate.traffic import Traffic

    policy = settings.policy(files)
    steps = settings.windows(windows) or policy.looks
    plan = command.Plan(requests_per_window, steps, watch, wait, runs, seed, compare)
    traffic = Traffic(
        (), (), split, effect, signal, latencies.parse(latency) if latency else None, share, shock
    )
    document = command.simulate(policy, traffic, plan)
    click.echo(json.dumps(document) if form == "json" else command.text(document, plan).rstrip())


@main.group()
def rollout() -> None:
    """Looks at rollouts in a cluster."""


@rollout.command("status")
@click.argument("name", required=False, default="")
@click.option("-n", "--namespace", default="", help="Namespace; `default` unless a file says otherwise.")
@click.option("--kubeconfig", default="", help="Passed on to kubectl.")
@click.option(
    "--from", "file", type=PATH, help="Objects that kubectl saved (YAML or JSON) instead of a cluster."
)
@click.option("--gate-url", default="", help="Ask the gate service too: its record outlives the cluster's.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def rollout_status(
    name: str, namespace: str, kubeconfig: str, file: Path | None, gate_url: str, form: str
) -> None:
    """Say why rollout NAME stands where it stands, and what to do. Exit status 1 when somebody has to act."""
    from llmops.rollout import evidence, explain, facts, objects, show
    from llmops.rollout.commands import Kubectl

    if file is None and not name:
        raise InputError("say which rollout: NAME -n NAMESPACE, or --from FILE")
    found = (
        objects.from_file(file, name, namespace)
        if file
        else objects.from_cluster(name, namespace or "default", kubeconfig)
    )
    known = facts.facts(found)
    on_record = (
        evidence.requests_on_record(gate_url, known.namespace, known.name, known.new) if gate_url else None
    )
    status = explain.explain(known, Kubectl(known.name, known.namespace, kubeconfig), on_record)
    click.echo((show.as_json if form == "json" else show.as_text)(status), nl=False)
    sys.exit(status.exit_status)


@main.command()
@click.option("--kubeconfig", help="A cluster that tests may use; $LLMOPS_KUBECONFIG names one too.")
@click.option("--packages", is_flag=True, help="Only the missing Debian packages, one a line, for a script.")
def preflight(kubeconfig: str | None, packages: bool) -> None:
    """Say which cluster the live tests would use, and what is missing for it, with the command that gets it."""
    from llmops import preflight as machine

    if packages:
        click.echo("".join(f"{name}\n" for name in machine.packages()), nl=False)
        return
    chosen, missing = machine.way(kubeconfig), machine.report()
    click.echo(machine.text(missing, chosen), nl=False)
    sys.exit(chosen.name == "local" and bool(missing))


if __name__ == "__main__":
    main()
