"""The files of a tree as Argo CD sees them: what it makes an Application of, and what nobody reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from llmops.checks.registry import ERROR, WARNING, rule, values_defect
from llmops.findings import Finding, InputError
from llmops.kubernetes.suggestions import nearest
from llmops.references import mapping, sequence, text
from llmops.release import Release, environments_beside
from llmops.render.manifest import ValuesFile, read_values

Seen = dict[object, str]
"""What has been said or seen already → the release that was first."""

_OF_A_MODEL = ("values.yaml", "config.json", "waivers.yaml", "gates.yaml")
_OF_AN_ENVIRONMENT = ("values.yaml", "release.yaml")


@rule(
    "LG205",
    severity=ERROR,
    fix="Write it with revision and digest of what is to run, or take the environment's folder away.",
    per_release=False,
)
def release_file_missing(release: Release, seen: Seen) -> Iterator[Finding]:
    """Argo CD makes an Application of every envs/<env>/release.yaml: without that file nothing is deployed.

    Judged where a file of values for llm-gitops stands in `platform` beside the folder of environments.
    """
    folder = _environment_folder(release)
    if folder is None or (folder / "release.yaml").exists() or not (folder / "values.yaml").is_file():
        return
    if _gitops(release) is not None and _once(seen, folder):
        message = "release.yaml is missing, so that Argo CD makes no Application of this release."
        yield _of_file(release, folder / "release.yaml", message)


@rule("LG206", severity=ERROR, fix="Give it the name that is read.", per_release=False)
def file_read_by_nobody(release: Release, seen: Seen) -> Iterator[Finding]:
    """A file whose name is nearly that of one that is read looks as if it counted, and nothing of it is deployed."""
    model = release.inputs.model_dir if release.inputs else None
    folders = ((model, _OF_A_MODEL), (_environment_folder(release), _OF_AN_ENVIRONMENT))
    for folder, names in folders:
        if folder is None or not folder.is_dir() or not _once(seen, folder):
            continue
        for file in sorted(folder.iterdir()):
            if file.is_file() and (meant := _meant(file.name, names)):
                message = f"nobody reads {file.name}; what is read is called {meant}."
                yield _of_file(release, file, message, fix=f"Call it {meant}.")


@rule(
    "LG207",
    severity=WARNING,
    fix="List the environment there with its namespace and cluster, or take the releases away.",
    per_release=False,
)
def environment_not_deployed(release: Release, seen: Seen) -> Iterator[Finding]:
    """Argo CD deploys the environments that llm-gitops lists; releases of any other are deployed by nobody.

    Judged where a file of values for llm-gitops stands in `platform` beside the folder of environments.
    """
    environment = release.inputs.environment if release.inputs else ""
    gitops = _gitops(release)
    if not environment or gitops is None:
        return
    listed = [text(mapping(one).get("name")) for one in sequence(gitops.data.get("environments"))]
    if environment not in listed and _once(seen, environment):
        message = f"environments does not list {environment}, so that nobody deploys its releases."
        yield _finding(release, gitops.at("/environments"), message)


@rule(
    "LG208",
    severity=WARNING,
    fix="Give each model a name of its own in global.llm.model.name.",
    per_release=False,
)
def served_name_twice(release: Release, seen: Seen) -> Iterator[Finding]:
    """Metrics, alerts, dashboards and drift checks tell models of a namespace apart by the served name alone.

    Two releases of one name on purpose, one of them the canary of the other, mix their figures too.
    """
    name = release.view.llm.text("model.name")
    if not name or release.inputs is None or release.inputs.model_dir is None:
        return
    owner = seen.setdefault((release.inputs.environment, release.namespace, name), release.name)
    if owner != release.name:
        message = f"{release.name} serves under the name {name} in {release.namespace}, and so does {owner}."
        yield values_defect(release, "/global/llm/model/name", message)


def _once(seen: Seen, subject: object) -> bool:
    """Whether nothing was said of it yet; another release, or another version of Kubernetes, asks again."""
    first = subject not in seen
    seen[subject] = ""
    return first


def _environment_folder(release: Release) -> Path | None:
    inputs = release.inputs
    if inputs is None or inputs.model_dir is None or not inputs.environment:
        return None
    return inputs.model_dir / "envs" / inputs.environment


def _gitops(release: Release) -> ValuesFile | None:
    """The values of llm-gitops for the tree that a release stands in."""
    if release.inputs is None or release.inputs.model_dir is None:
        return None
    folder = environments_beside(release.inputs.model_dir)
    platform = folder.parent / "platform" if folder else None
    for file in sorted(platform.glob("*.yaml")) if platform else ():
        try:
            values = read_values(file)
        except InputError:
            continue  # whoever checks the platform is told
        if mapping(values.data.get("git")) and sequence(values.data.get("environments")):
            return values
    return None


def _meant(name: str, names: tuple[str, ...]) -> str:
    """The file that is read of which a name is a slip: another ending, another case, a letter."""
    if name in (*_OF_A_MODEL, *_OF_AN_ENVIRONMENT):
        return ""
    stem, _, ending = name.rpartition(".")
    same = next((one for one in names if one.rpartition(".")[0] == stem.lower()), "")
    return same if same and ending.lower() in ("yml", "yaml", "json") else nearest(name, names)


def _of_file(release: Release, file: Path, message: str, *, fix: str = "") -> Finding:
    return _finding(release, f"{file}:1", message, fix=fix)


def _finding(release: Release, source: str, message: str, *, fix: str = "") -> Finding:
    return Finding(
        rule="",
        severity=ERROR,
        message=message,
        fix=fix,
        namespace=release.namespace,
        name=release.name,
        source=source,
    )
