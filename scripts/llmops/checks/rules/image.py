"""Theme `image`: what is known of the engine in an image. Tags and digests by themselves are policies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from llmops import engines
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.engines import Advisory
from llmops.findings import Finding
from llmops.release import Release
from llmops.untyped import text

_SEVERE = ("code", "access")
_SHOWN = 3


@rule("LM101", severity=ERROR, fix="Run a newer version of the engine, or waive the finding with a reason.")
def unsafe_engine(release: Release) -> Iterator[Finding]:
    """This version of the engine runs code of strangers, lets them past its key, or shows one user's text to another.

    The version is read from the image's tag, whatever the registry, where its maker writes it there (docs/engines.md
    lists the makers); a digest alone says nothing.
    """
    yield from _judged(release, lambda open_: any(one.effect in _SEVERE for one in open_))


@rule("LM102", severity=WARNING, fix="Run a newer version of the engine, or waive the finding with a reason.")
def outdated_engine(release: Release) -> Iterator[Finding]:
    """This version of the engine has holes that are known and closed in later ones: a request may stop the engine."""
    yield from _judged(release, lambda open_: not any(one.effect in _SEVERE for one in open_))


def _judged(release: Release, judged: Callable[[list[Advisory]], bool]) -> Iterator[Finding]:
    for pods in graph(release).pods:
        for pointer, container in pods.containers():
            image = engines.of_image(text(container.get("image")))
            version = image.version if image else None
            if image is None or version is None:
                continue
            holes = [one for one in image.engine.advisories if version < one.fixed]
            if holes and judged(holes):
                title, safe = image.engine.title, engines.spelled(max(one.fixed for one in holes))
                message = f"{title} {engines.spelled(version)} is open to {_named(holes)}."
                fix = f"Run {title} {safe} or newer, or waive the finding with a reason."
                yield defect(pods.owner, f"{pointer}/image", message, fix=fix)


def _named(holes: list[Advisory]) -> str:
    """The worst first, then those that were closed last."""
    ranked = sorted(holes, key=lambda one: one.fixed, reverse=True)
    ranked.sort(key=lambda one: one.effect not in _SEVERE)
    shown = [f"{one.id} ({one.why})" for one in islice(ranked, _SHOWN)]
    more = len(ranked) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
