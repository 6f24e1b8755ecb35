"""`llmops model`: versions of models in Git, from a card to production and back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmops.commands.names import ENVIRONMENT, MODEL, MODELS
from llmops.commands.options import CHART, PATH, gathered, options, renderer
from llmops.commands.output import say, write
from llmops.findings import InputError
from llmops.render import DEFAULT_KUBE_VERSION

if TYPE_CHECKING:
    from llmops.cards.judge import Judge
    from llmops.git.delivery import Move
    from llmops.git.forges import Forge
    from llmops.git.repository import Repository as Git


@dataclass(frozen=True)
class Repository:
    """The models' repository as a command sees it: their folder, who reviews changes, and how one is delivered."""

    models: Path
    forge: str | None
    forge_url: str
    chart: Path = CHART
    push: bool = False
    pull_request: bool = False

    def judge(self, folder: Path) -> Judge:
        """What judges versions below that folder today."""
        from llmops.cards.judge import Judge
        from llmops.git.repository import Repository as Git

        git = Git(folder)
        return Judge(datetime.now(UTC).date(), git, self.connect(git) if self.forge else None)

    def connect(self, git: Git) -> Forge:
        """The forge that was named. InputError where none was."""
        from llmops.git import forges

        if not self.forge:
            raise InputError("a pull request is opened by a forge: name it with --forge")
        return forges.connect(self.forge, self.forge_url, git)

    def describe(self, folder: Path, env: str) -> Callable[[str, str], str]:
        """What a change from one commit to another means for a release, for its message."""
        from llmops.cards.describe import describe

        return lambda base, head: describe(
            base, head, folder, env, self.chart, DEFAULT_KUBE_VERSION, renderer("sdk")
        )

    def land(self, move: Move) -> None:
        """Commits the change, pushes it, or opens a pull request of it, and says which."""
        from llmops.cards import promote
        from llmops.git import delivery

        if self.pull_request:
            opened = delivery.open_change(move, self.connect(move.repository))
            say(f"{move.subject}\nbranch {move.branch_of_change}\n{opened}")
            return
        if self.push:
            delivery.push(move)
        promote.land(move)
        tagged, pushed = f", tag {move.tag}" if move.tag else "", ", pushed" if self.push else ""
        say(f"{move.subject}\ncommit {move.commit[:12]} on {move.branch}{tagged}{pushed}")


repository_option = gathered(
    Repository,
    click.option("--models", type=PATH, default=MODELS, show_default=True, help="Folder of the models."),
    click.option(
        "--forge",
        type=click.Choice(["github", "gitlab", "gitea"]),
        help="Ask this forge for reviews, and let it open pull requests; the token is $LLMOPS_FORGE_TOKEN.",
    ),
    click.option("--forge-url", default="", help="Its address; by default that of the remote `origin`."),
)
delivery_options = options(
    click.option(
        "--chart",
        type=PATH,
        default=CHART,
        show_default=True,
        help="Chart of the releases, for the rendered difference.",
    ),
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
@click.argument("name", type=MODEL, metavar="[MODEL]", required=False, default="")
@click.option("--env", "environment", type=ENVIRONMENT, default="", help="Environment of the release.")
@click.option(
    "--version", default="", help="A version with a card; by default the one that release.yaml names."
)
@click.option(
    "--changed", default="", help="Instead of MODEL: every release that differs from this revision."
)
@repository_option
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True
)
def model_gate(
    repository: Repository,
    name: str,
    environment: str,
    version: str,
    changed: str,
    form: str,
) -> None:
    """Say whether a version may run in an environment, and why. MODEL is a name or a folder; exit 1 if it may not."""
    from llmops.cards import changed as changes
    from llmops.cards import show, tree

    if bool(name) == bool(changed) or (name and not environment):
        raise InputError("say what to judge: MODEL with --env ENV, or --changed REVISION")
    if changed:
        verdicts = changes.verdicts(repository.judge(repository.models), changed, repository.models)
    else:
        folder = tree.model_folder(name, repository.models)
        judge = repository.judge(folder)
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
@click.argument("name", type=MODEL, metavar="MODEL")
@click.option("--from", "source", type=ENVIRONMENT, default="", help="Environment whose version is promoted.")
@click.option("--version", default="", help="A version by its card instead, for the first environment.")
@click.option("--to", "target", type=ENVIRONMENT, required=True, help="Environment that gets it.")
@repository_option
@delivery_options
def model_promote(
    repository: Repository,
    name: str,
    source: str,
    version: str,
    target: str,
) -> None:
    """Ask the gate, then commit the one release.yaml that puts a version of MODEL into an environment."""
    from llmops.cards import promote, tree

    folder = tree.model_folder(name, repository.models)
    judge = repository.judge(folder)
    describe = repository.describe(folder, target)
    move = promote.promotion(judge, folder, target, describe, source=source, version=version)
    repository.land(move)


@model.command("rollback")
@click.argument("name", type=MODEL, metavar="MODEL")
@click.option("--env", "environment", type=ENVIRONMENT, required=True, help="Environment of the release.")
@click.option(
    "--to", default="", help="The version to go back to; by default the one before the newest change."
)
@click.option("--reason", required=True, help="Why; it stands in the commit.")
@click.option("--ungated", is_flag=True, help="Go back even to what never passed its gate.")
@repository_option
@delivery_options
def model_rollback(
    repository: Repository,
    name: str,
    environment: str,
    to: str,
    reason: str,
    ungated: bool,
) -> None:
    """Commit the exact reverse of the newest change of MODEL in an environment."""
    from llmops.cards import promote, tree

    folder = tree.model_folder(name, repository.models)
    judge = repository.judge(folder)
    describe = repository.describe(folder, environment)
    move = promote.rollback(judge, folder, environment, reason, describe, to=to, ungated=ungated)
    repository.land(move)


@model.command("audit")
@click.argument("name", type=MODEL, metavar="MODEL")
@click.option(
    "--env", "environment", type=ENVIRONMENT, default="", help="One environment; by default all of them."
)
@click.option(
    "--evidence",
    type=PATH,
    help="Folder with AnalysisRuns that kubectl saved: they are put beside the commits.",
)
@repository_option
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True
)
@click.option("--out", type=PATH, help="File instead of the terminal.")
def model_audit(
    repository: Repository,
    name: str,
    environment: str,
    evidence: Path | None,
    form: str,
    out: Path | None,
) -> None:
    """Who put which version of MODEL where and when, and whether it had passed; exit 1 if one had not."""
    from llmops.cards import audit, show, tree

    folder = tree.model_folder(name, repository.models)
    found = audit.entries(
        repository.judge(folder), folder, audit.runs(evidence) if evidence else (), environment
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
@click.argument("names", type=MODEL, metavar="[MODEL]...", nargs=-1)
@repository_option
@click.option("--quiet", is_flag=True, help="Only those that are refused.")
@click.option("--from", "saved", type=PATH, help="Rollouts of the cluster that kubectl saved (YAML or JSON).")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def model_status(
    repository: Repository,
    names: tuple[str, ...],
    saved: Path | None,
    quiet: bool,
    form: str,
) -> None:
    """Every model in every environment: version, gate, age, next step; exit 1 if one is refused."""
    from llmops.cards import show, status, tree
    from llmops.render.manifest import parse, read_text

    folders = (
        [tree.model_folder(one, repository.models) for one in names]
        if names
        else tree.model_folders(repository.models)
    )
    found = status.rows(repository.judge(folders[0]), folders)
    if saved:
        found = status.with_cluster(found, parse(read_text(saved), str(saved)), status.namespaces(folders[0]))
    refused = [one for one in found if one.gate in ("refused", "unreadable")]
    listed = refused if quiet else found
    if listed or form == "json":
        say(show.as_json(show.status_data(listed)) if form == "json" else show.status_text(listed), form)
    sys.exit(bool(refused))


@model.command("approved")
@click.option("--env", "environment", type=ENVIRONMENT, required=True, help="Environment of the cluster.")
@repository_option
def model_approved(repository: Repository, environment: str) -> None:
    """Print the cards that servers of an environment may name, as values of llm-platform (policy approved-cards)."""
    from llmops.cards import approved, tree

    judge = repository.judge(repository.models)
    say(approved.as_values(approved.entries(judge, tree.model_folders(repository.models), environment)))
