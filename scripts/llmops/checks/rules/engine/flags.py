"""Flags and versions: does the engine understand what it is told?"""

from __future__ import annotations

from collections.abc import Iterator

from llmops import engines
from llmops.checks.reading.command_line import Line, engine_arguments
from llmops.checks.reading.mounted import Surroundings
from llmops.checks.reading.servers import with_settings
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule, values_defect
from llmops.findings import Finding
from llmops.kubernetes.wording import closest
from llmops.release import Release
from llmops.untyped import text


@rule("LM201", severity=ERROR, fix="Write a flag that this version of the engine has; its --help lists them.")
def unknown_flag(release: Release) -> Iterator[Finding]:
    """An engine ends at once on a flag that it does not know, and the pod restarts without end.

    Judged are images whose name tells the version that the table of flags is of, and of their command line what the
    engine reads: arguments, what follows the engine in a command or in the text of a shell, and scripts and the file of
    `--config` where a ConfigMap of the input has them. A beginning that only one flag has will do for its parser.
    """
    objects = graph(release)
    for pods in objects.pods:
        for pointer, container in pods.containers():
            image = engines.of_image(text(container.get("image")))
            flags = image.engine.flags if image else None
            if image is None or flags is None or image.version != engines.number(flags.version):
                continue
            around = Surroundings(objects, pods, container, pointer)
            arguments = engine_arguments(around.resolved, pointer, image.engine, image)
            for at, word in with_settings(around, Line(tuple(arguments))).words:
                flag = word.partition("=")[0].partition(".")[0].replace("_", "-")
                if flag.startswith("--") and len(flag) > 2 and not _taken(flag, flags.names):
                    title = f"{image.engine.title} {flags.version}"
                    message = f"{title} has no flag {flag}{closest(flag, flags.names)}."
                    fix = f"Write a flag that this version has; `{image.engine.help}` lists them."
                    yield defect(pods.owner, at, message, fix=fix if image.engine.help else "")


@rule(
    "LM202",
    severity=ERROR,
    fix="Write the version that the image has as engine.version, or leave image.tag out.",
)
def version_differs(release: Release) -> Iterator[Finding]:
    """Flags and metrics follow engine.version, so an image of another version ends on a flag that it does not know.

    Where it starts, rules and queries are about another engine than the one that runs. Judged are images whose name
    tells the version.
    """
    served, engine = release.view.served, release.view.engine
    stated = served.text("engine.version")
    images = {text(one.get("image")) for pods in graph(release).pods for _, one in pods.containers()}
    for image in filter(None, map(engines.of_image, sorted(images))):
        if stated and image.engine is engine and image.version not in (None, engines.number(stated)):
            key = "image.tag" if served.get("image.tag") else "engine.version"
            runs = engines.spelled(image.version or ())
            message = f"engine.version is {stated}, and the image is {image.engine.title} {runs}."
            yield values_defect(release, served.at(key), message)
            return


@rule(
    "LM203",
    severity=WARNING,
    fix="Read the engine's release notes for flags and parsers that went, or write the version of the table.",
)
def version_without_table(release: Release) -> Iterator[Finding]:
    """Flags, parsers and metrics are checked against a table of one version; of a newer one the check says nothing."""
    served, engine = release.view.served, release.view.engine
    stated, flags = served.text("engine.version"), engine.flags if engine else None
    number = engines.number(stated) if stated else None
    if engine is None or flags is None or number is None or number <= (engines.number(flags.version) or ()):
        return
    message = (
        f"{engine.title} {stated} is newer than the table of its flags ({flags.version}): "
        "flags and parsers are not checked."
    )
    yield values_defect(release, served.at("engine.version"), message)


def _taken(flag: str, flags: frozenset[str]) -> bool:
    whole = flag if not flag.startswith("--no-") else f"--{flag.removeprefix('--no-')}"
    return {flag, whole} & flags != set() or any(one.startswith(flag) for one in flags) or flag == "--help"
