"""`llmops model`: versions of models in Git, from a card to production and back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmops.commands.options import CHART, MODELS, PATH, options, renderer
from llmops.commands.output import say, write
from llmops.findings import InputError
from llmops.render import DEFAULT_KUBE_VERSION

if TYPE_CHECKING:
    from llmops.cards.judge import Judge
    from llmops.git.delivery import Move

models_option = click.option(
    "--models", type=PATH, default=MODELS, show_default=True, help="Folder of the models."
)
chart_option = click.option(
    "--chart",
    type=PATH,
    default=CHART,
    show_default=True,
    help="Chart of the releases, for the rendered difference.",
)
forge_options = options(
    click.option(
        "--forge",
        type=click.Choice(["github", "gitlab", "gitea"]),
        help="Ask this forge for reviews, and let it open pull requests; the token is $LLMOPS_FORGE_TOKEN.",
    ),
    click.option("--forge-url", default="", help="Its address; by default that of the remote `origin`."),
)
landing_options = options(
    click.option("--push", is_flag=True, help="Push the branch too; nothing is kept where that is refused."),
    click.option(
        "--pull-request",
        is_flag=True,
        help="Push a branch of its own and open a pull request; needs --forge.",
    ),
)


@click.group()
def model() -> None:
    """Versions of models in Git: gate, promote, roll back, audit."""


@model.command("gate")
@click.argument("name", metavar="[MODEL]", required=False, default="")
@click.option("--env", "environment", default="", help="Environment of the release.")
@click.option(
    "--version", default="", help="A version with a card; by default the one that release.yaml names."
)
@click.option(
    "--changed", default="", help="Instead of MODEL: every release that differs from this revision."
)
@models_option
@forge_options
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True
)
def model_gate(
    name: str,
    environment: str,
    version: str,
    changed: str,
    models: Path,
    forge: str | None,
    forge_url: str,
    form: str,
) -> None:
    """Say whether a version may run in an environment, and why. MODEL is a name or a folder; exit 1 if it may not."""
    from llmops.cards import changed as changes
    from llmops.cards import show, tree

    if bool(name) == bool(changed) or (name and not environment):
        raise InputError("say what to judge: MODEL with --env ENV, or --changed REVISION")
    if changed:
        verdicts = changes.verdicts(_judge(models, forge, forge_url), changed, models)
    else:
        folder = tree.model_folder(name, models)
        judge = _judge(folder, forge, forge_url)
        # Of what stands in release.yaml, or of a version as its promotion would leave it.
        asked = (
            judge.of_version(folder, environment, version) if version else judge.verdict(folder, environment)
        )
        verdicts = [asked]
    if form == "json":
        data = [show.verdict_data(one) for one in verdicts]
        shown = show.as_json(data if changed else data[0])
    else:
        render = show.verdict_markdown if form == "markdown" else show.verdict_text
        shown = "\n\n".join(map(render, verdicts)) or f"no release differs from {changed}"
    say(shown, form)
    sys.exit(not all(one.passed for one in verdicts))


@model.command("promote")
@click.argument("name", metavar="MODEL")
@click.option("--from", "source", default="", help="Environment whose version is promoted.")
@click.option("--version", default="", help="A version by its card instead, for the first environment.")
@click.option("--to", "target", required=True, help="Environment that gets it.")
@models_option
@chart_option
@forge_options
@landing_options
def model_promote(
    name: str,
    source: str,
    version: str,
    target: str,
    models: Path,
    chart: Path,
    forge: str | None,
    forge_url: str,
    push: bool,
    pull_request: bool,
) -> None:
    """Ask the gate, then commit the one release.yaml that puts a version of MODEL into an environment."""
    from llmops.cards import promote, tree

    folder = tree.model_folder(name, models)
    judge = _judge(folder, forge, forge_url)
    describe = _describe(folder, target, chart)
    move = promote.promotion(judge, folder, target, describe, source=source, version=version)
    _land(move, forge, forge_url, push=push, pull_request=pull_request)


@model.command("rollback")
@click.argument("name", metavar="MODEL")
@click.option("--env", "environment", required=True, help="Environment of the release.")
@click.option(
    "--to", default="", help="The version to go back to; by default the one before the newest change."
)
@click.option("--reason", required=True, help="Why; it stands in the commit.")
@click.option("--ungated", is_flag=True, help="Go back even to what never passed its gate.")
@models_option
@chart_option
@forge_options
@landing_options
def model_rollback(
    name: str,
    environment: str,
    to: str,
    reason: str,
    ungated: bool,
    models: Path,
    chart: Path,
    forge: str | None,
    forge_url: str,
    push: bool,
    pull_request: bool,
) -> None:
    """Commit the exact reverse of the newest change of MODEL in an environment."""
    from llmops.cards import promote, tree

    folder = tree.model_folder(name, models)
    judge = _judge(folder, forge, forge_url)
    describe = _describe(folder, environment, chart)
    move = promote.rollback(judge, folder, environment, reason, describe, to=to, ungated=ungated)
    _land(move, forge, forge_url, push=push, pull_request=pull_request)


@model.command("audit")
@click.argument("name", metavar="MODEL")
@click.option("--env", "environment", default="", help="One environment; by default all of them.")
@click.option(
    "--evidence",
    type=PATH,
    help="Folder with AnalysisRuns that kubectl saved: they are put beside the commits.",
)
@models_option
@forge_options
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True
)
@click.option("--out", type=PATH, help="File instead of the terminal.")
def model_audit(
    name: str,
    environment: str,
    evidence: Path | None,
    models: Path,
    forge: str | None,
    forge_url: str,
    form: str,
    out: Path | None,
) -> None:
    """Who put which version of MODEL where and when, and whether it had passed; exit 1 if one had not."""
    from llmops.cards import audit, show, tree

    folder = tree.model_folder(name, models)
    found = audit.entries(
        _judge(folder, forge, forge_url), folder, audit.runs(evidence) if evidence else (), environment
    )
    if form == "text":
        shown = show.audit_text(found)
    elif form == "json":
        shown = show.as_json(show.audit_data(found))
    else:
        shown = show.audit_page(folder.absolute().name, found)
    if out:
        write(out, shown + "\n", form)
        say(f"Written: {out}")
    else:
        say(shown, form)
    # A release.yaml that names no version yet runs nothing.
    sys.exit(any(one.version and not one.verdict.passed for one in found))


@model.command("status")
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@models_option
@forge_options
@click.option("--quiet", is_flag=True, help="Only those that are refused.")
@click.option("--from", "saved", type=PATH, help="Rollouts of the cluster that kubectl saved (YAML or JSON).")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def model_status(
    names: tuple[str, ...],
    models: Path,
    forge: str | None,
    forge_url: str,
    saved: Path | None,
    quiet: bool,
    form: str,
) -> None:
    """Every model in every environment: version, gate, age, next step; exit 1 if one is refused."""
    from llmops.cards import show, status, tree
    from llmops.render.manifest import parse, read_text

    folders = [tree.model_folder(one, models) for one in names] if names else tree.model_folders(models)
    found = status.rows(_judge(folders[0], forge, forge_url), folders)
    if saved:
        found = status.with_cluster(found, parse(read_text(saved), str(saved)), status.namespaces(folders[0]))
    refused = [one for one in found if one.gate in ("refused", "unreadable")]
    listed = refused if quiet else found
    if listed or form == "json":
        say(show.as_json(show.status_data(listed)) if form == "json" else show.status_text(listed), form)
    sys.exit(bool(refused))


@model.command("approved")
@click.option("--env", "environment", required=True, help="Environment of the cluster.")
@models_option
@forge_options
def model_approved(environment: str, models: Path, forge: str | None, forge_url: str) -> None:
    """Print the cards that servers of an environment may name, as values of llm-platform (policy approved-cards)."""
    from llmops.cards import approved, tree

    judge = _judge(models, forge, forge_url)
    say(approved.as_values(approved.entries(judge, tree.model_folders(models), environment)))


def _judge(folder: Path, forge: str | None, forge_url: str) -> Judge:
    from llmops.cards.judge import Judge
    from llmops.git import forges
    from llmops.git.repository import Repository

    repository = Repository(folder)
    reviews = forges.connect(forge, forge_url, repository) if forge else None
    return Judge(_today(), repository, reviews)


def _today() -> date:
    return datetime.now(UTC).date()


def _describe(folder: Path, env: str, chart: Path) -> Callable[[str, str], str]:
    from llmops.cards.describe import describe

    return lambda base, head: describe(base, head, folder, env, chart, DEFAULT_KUBE_VERSION, renderer("sdk"))


def _land(move: Move, forge: str | None, forge_url: str, *, push: bool, pull_request: bool) -> None:
    from llmops.cards import promote
    from llmops.git import delivery, forges

    if pull_request:
        if not forge:
            raise InputError("a pull request is opened by a forge: name it with --forge")
        opened = delivery.open_change(move, forges.connect(forge, forge_url, move.repository))
        say(f"{move.subject}\nbranch {move.branch_of_change}\n{opened}")
        return
    if push:
        delivery.push(move)
    promote.land(move)
    tagged = f", tag {move.tag}" if move.tag else ""
    say(f"{move.subject}\ncommit {move.commit[:12]} on {move.branch}{tagged}{', pushed' if push else ''}")
