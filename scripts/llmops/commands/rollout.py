"""`llmops rollout status`: why a rollout stands where it stands."""

from __future__ import annotations

import shlex
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmops.commands.options import PATH, Number
from llmops.commands.output import say
from llmops.findings import InputError

if TYPE_CHECKING:
    from llmops.rollout.status import Status


@click.group()
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
    from llmops.rollout.kubectl import Kubectl

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
    say((show.as_json if form == "json" else show.as_text)(status), form, nl=False)
    sys.exit(status.exit_status)


@rollout.command("watch")
@click.argument("name")
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("--kubeconfig", default="", help="Passed on to kubectl.")
@click.option(
    "--every", type=Number(0.1, 3600), default=2.0, show_default=True, help="Seconds between looks."
)
def rollout_watch(name: str, namespace: str, kubeconfig: str, every: float) -> None:
    """Follow rollout NAME until it is done or somebody has to act: a line for each change, then its status.

    Exit status as that of `rollout status`.
    """
    from llmops.rollout import explain, facts, objects, show, watch
    from llmops.rollout.kubectl import Kubectl

    kubectl = Kubectl(name, namespace, kubeconfig)

    def look() -> Status:
        return explain.explain(facts.facts(objects.from_cluster(name, namespace, kubeconfig)), kubectl)

    for status in watch.until_it_stands(look, lambda: time.sleep(every)):
        say(f"{datetime.now().astimezone():%H:%M:%S}  {watch.line(status)}")
    say(f"\n{show.as_text(status)}", nl=False)
    sys.exit(status.exit_status)


def _act(name: str, namespace: str, kubeconfig: str, action: str) -> None:
    """Runs the command of plain kubectl that `rollout status` proposes for an action, and shows it."""
    from llmops.rollout import objects
    from llmops.rollout.kubectl import Kubectl

    kubectl = Kubectl(name, namespace, kubeconfig)
    advice = {"promote": kubectl.resume, "abort": kubectl.abort, "retry": kubectl.retry}[action]()
    say(advice.command)
    say(objects.run(shlex.split(advice.command)))


def _action(action: str, help_text: str) -> None:
    @rollout.command(action, help=help_text)
    @click.argument("name")
    @click.option("-n", "--namespace", default="default", show_default=True)
    @click.option("--kubeconfig", default="", help="Passed on to kubectl.")
    def act(name: str, namespace: str, kubeconfig: str) -> None:
        _act(name, namespace, kubeconfig, action)


_action(
    "promote",
    "End the pause of rollout NAME: on to the next step, and where a gate could not decide, one more look.",
)
_action("abort", "Give the new version of rollout NAME up: all requests go to the old one.")
_action("retry", "Try the version of rollout NAME that was aborted once more.")


@rollout.command("export")
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("-n", "--namespace", default="", help="One namespace; by default all of them.")
@click.option("--kubeconfig", default="", help="Passed on to kubectl.")
def rollout_export(folder: Path, namespace: str, kubeconfig: str) -> None:
    """Save analyses that ended into DIR, one file each, before the cluster forgets them; `model audit` reads it."""
    from llmops.rollout import export, objects

    done = export.export(objects.runs_of_cluster(namespace, kubeconfig), folder)
    say(f"{done.new} new in {folder}, {done.known} known already, {done.running} still running")
