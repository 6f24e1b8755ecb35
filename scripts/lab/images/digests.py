"""Digest of the base image, as its registry has it now: `make images ARGS="$(python -m lab.images.digests)"`.

python -m lab.images.digests [REGISTRY] prints the build argument that pins it. A tag can be pushed again; a digest
names bytes.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import Any

from lab.images.assemble import DOCKERFILE
from lab.images.dockerfile import Stage, parse

_KINDS = ", ".join(
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_LARGEST, _SECONDS = 4 * 2**20, 30.0
# Where Docker itself asks for images of docker.io.
_HOSTS = {"docker.io": "registry-1.docker.io"}


class DigestError(Exception):
    """Why no digest is known, in one sentence."""


def base(arguments: Sequence[str] = ()) -> str:
    """The image of the last stage, REGISTRY/REPOSITORY:TAG or …@DIGEST, with these arguments of a build."""
    given = dict(word.split("=", 1) for word in arguments if re.match(r"[A-Z_]+=", word))
    stages: list[Stage] = parse(DOCKERFILE.read_text(encoding="utf-8"), given)
    return stages[-1].base


def pinned(image: str) -> bool:
    return re.search(r"@sha256:[0-9a-f]{64}$", image) is not None


def resolve(image: str) -> str:
    """`sha256:…` of REGISTRY/REPOSITORY:TAG, counted from the bytes that the registry gave. DigestError."""
    host, _, rest = image.partition("/")
    repository, _, tag = rest.rpartition(":")
    # A mirror of a registry may have a path.
    scheme = "http" if host.partition(":")[0] in ("127.0.0.1", "localhost") else "https"
    url = f"{scheme}://{_HOSTS.get(host, host)}/v2/{repository}/manifests/{tag}"
    try:
        body = _manifest(url, repository)
    except urllib.error.HTTPError as error:
        raise DigestError(f"{host} has no {repository}:{tag} to give: HTTP {error.code}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DigestError(f"{host} cannot be asked: {type(error).__name__}") from None
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _manifest(url: str, repository: str) -> bytes:
    try:
        return _get(url, {"Accept": _KINDS})
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
        # Public images want a token too, which everybody is given.
        challenge = dict(_CHALLENGE.findall(error.headers.get("WWW-Authenticate", "")))
        if not challenge.get("realm"):
            raise
    query = {"service": challenge.get("service", ""), "scope": f"repository:{repository}:pull"}
    answer: dict[str, Any] = json.loads(_get(f"{challenge['realm']}?{urllib.parse.urlencode(query)}", {}))
    token = answer.get("token") or answer.get("access_token") or ""
    return _get(url, {"Accept": _KINDS, "Authorization": f"Bearer {token}"})


def _get(url: str, headers: dict[str, str]) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise ValueError("no URL")
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        body = bytes(answer.read(_LARGEST + 1))
    if not body or len(body) > _LARGEST or not isinstance(json.loads(body), dict):
        raise ValueError("no manifest")
    return body


def main(arguments: Sequence[str]) -> int:
    image = base([f"REGISTRY={one}" for one in arguments[:1]])
    try:
        digest = resolve(image)
    except DigestError as error:
        sys.stderr.write(f"{error}; name a mirror: python -m lab.images.digests REGISTRY\n")
        return 1
    registry = [f"--build-arg REGISTRY={arguments[0]}"] if arguments else []
    sys.stdout.write(" ".join([*registry, f"--build-arg PYTHON={image.rpartition(':')[2]}@{digest}"]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
