"""Theme `image`: does the pod run the image that was tested?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.references import text, walk
from llmops.release import Release
from llmops.render.manifest import Object

FLOATING = frozenset(
    ("latest", "main", "master", "nightly", "edge", "dev", "develop", "devel", "head", "snapshot", "unstable")
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Image(NamedTuple):
    """An image reference and where it stands. `tag` and `digest` are empty when absent."""

    owner: Object
    pointer: str
    name: str
    tag: str
    digest: str


@rule(severity=ERROR, fix="Name a release: a version tag, and its digest behind @.")
def floating_tag(release: Release) -> Iterator[Finding]:
    """A tag that moves runs another program after the next restart, on one replica before the others.

    No tag at all means `latest`. Behind a digest the tag is decoration and may be anything.
    """
    for image in images(release):
        # nightly-20260101 or main-1a2b3c names one build; latest-cuda does not.
        word, _, rest = image.tag.lower().partition("-")
        floats = word in FLOATING and not any(char.isdigit() for char in rest)
        if not image.digest and (floats or not image.tag):
            tag = f"the moving tag {image.tag}" if image.tag else "no tag"
            yield defect(image.owner, image.pointer, f"the image {image.name} has {tag}.")


@rule(severity=ERROR, fix="Write the digest behind the image: @sha256:<64 hex digits>.")
def missing_digest(release: Release) -> Iterator[Finding]:
    """Only a digest names the bytes that were scanned, signed and tested; a tag can be pushed again."""
    for image in images(release):
        if not image.digest:
            yield defect(image.owner, image.pointer, f"the image {image.name} is not pinned by a digest.")
        elif not _DIGEST.fullmatch(image.digest):
            yield defect(
                image.owner, image.pointer, f"the image {image.name} has the malformed digest {image.digest}."
            )


def images(release: Release) -> Iterator[Image]:
    """Every image that a pod template of the release pulls: containers of all sorts and image volumes."""
    for pods in graph(release).pods:
        for pointer, container in pods.containers():
            yield from _image(pods.owner, f"{pointer}/image", container.get("image"))
        for pointer, reference in walk(pods.spec, "/volumes/*/image/reference"):
            yield from _image(pods.owner, pods.spec_pointer + pointer, reference)


def _image(owner: Object, pointer: str, reference: object) -> Iterator[Image]:
    if written := text(reference):
        whole, _, digest = written.partition("@")
        # A colon before the last slash belongs to the registry's port.
        _, colon, tag = whole.rpartition("/")[2].partition(":")
        yield Image(owner, pointer, written, tag if colon else "", digest)
