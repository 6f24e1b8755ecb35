"""The releases that a pull request changes, put before the gate: what a forge's check asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from llmops.cards import promote, tree
from llmops.cards.gate import Check, Verdict
from llmops.cards.judge import Judge
from llmops.findings import InputError, RefusedError
from llmops.render.manifest import values_of
from llmops.untyped import below, text


def verdicts(judge: Judge, base: str, models: Path) -> list[Verdict]:
    """Of each release whose release.yaml, or the card it runs by, differs from where the branch left `base`.

    One that is again what passed before is not judged by today's calendar: the way back stays open. InputError for an
    unknown revision.
    """
    repository = judge.repository
    if repository is None:
        raise InputError("there is no Git repository here", str(models))
    inside = repository.inside(models)
    done = repository.run("diff", "--name-only", "--no-renames", "--merge-base", base, "--", inside)
    if done.returncode:
        raise InputError(f"there is no revision {base!r} that this branch came from", str(repository.root))
    files = set(done.stdout.splitlines())
    fork = repository.out("merge-base", base, "HEAD")
    found: list[Verdict] = []
    for model in tree.model_folders(models):
        for env in tree.environments(model):
            path = repository.inside(tree.release_file(model, env))
            card = f"{repository.inside(model)}/versions/{_version(model, env)}/"
            if path in files or any(one.startswith(card) for one in files):
                (before,) = repository.blobs([f"{fork}:{path}"])
                found.append(_verdict(judge, model, env, before or "", fork))
    return found


def _version(model: Path, env: str) -> str:
    try:
        return tree.running(model, env).version or "-"
    except InputError:
        return "-"


def _verdict(judge: Judge, model: Path, env: str, before: str, fork: str) -> Verdict:
    stable = text(below(values_of(before, Path(tree.RELEASE)).data, ("global", "llm", "release", "version")))
    verdict = judge.verdict(model, env, stable=stable)
    same_card = any(one.name == "digest" and one.passed for one in verdict.checks)
    if verdict.passed or not same_card:
        return verdict
    try:
        brought = promote.gated(judge, model, env, revision=fork)
    except RefusedError:
        return verdict
    back = Check("back", True, f"it is again what passed its gate in commit {brought.id[:12]}")
    asked = tuple(replace(one, passed=None) if one.passed is False else one for one in verdict.checks)
    return replace(verdict, checks=(back, *asked))
