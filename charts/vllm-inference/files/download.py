"""Brings one commit of a hub repository into a folder, checks every file, and marks the folder complete.

Runs before the engine, which then needs no network. Servers that share the folder wait for the one that downloads; a
folder that is complete is left as it is. Standard library only: runs on any engine image.
Environment: HUB (URL), REPOSITORY (ORG/NAME), REVISION (40 hex digits), FOLDER; HF_TOKEN and EVERY_FILE (not only what
an engine reads, for a check over the whole commit) may be absent.
Exit status 1 and one sentence on stderr when it cannot be done.
"""

import fcntl
import hashlib
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path, PurePosixPath

MARKER = ".complete.json"
EVERY_FILE = bool(os.environ.get("EVERY_FILE"))
CHUNK = 1 << 22
TRIES = 5
# Other spellings of the weights, not needed beside safetensors.
DOUBLES = (".bin", ".pt", ".pth", ".gguf", ".onnx", ".msgpack", ".h5")


class FailedError(Exception):
    """What went wrong and cannot be helped by trying again, as one sentence."""


def get(url):
    request = urllib.request.Request(url)
    if os.environ.get("HF_TOKEN"):
        # Not sent on to the store that the hub redirects to.
        request.add_unredirected_header("Authorization", "Bearer " + os.environ["HF_TOKEN"])
    return urllib.request.urlopen(request, timeout=60)


def retried(what, act):
    for attempt in range(TRIES):
        try:
            return act()
        except urllib.error.HTTPError as error:
            if error.code in (401, 403, 404):
                look = "look at model.source, revision and hub.tokenSecret"
                raise FailedError(f"{what}: the hub answers {error.code}; {look}") from error
            reason = f"the hub answers {error.code}"
        except (OSError, ValueError) as error:
            reason = str(error)
        if attempt + 1 < TRIES:
            time.sleep(min(30, 2**attempt) * float(os.environ.get("PAUSE", "1")))
    raise FailedError(f"{what}: {reason}, after {TRIES} tries")


def listed(hub, repository, revision):
    """Files of the commit by name: size, kind of digest and digest."""
    with get(f"{hub}/api/models/{repository}/revision/{revision}?blobs=true") as answer:
        found = json.load(answer)
    if found.get("sha") != revision:
        raise FailedError(f"the hub has commit {found.get('sha')} in the place of {revision}")
    files = {}
    for one in found["siblings"]:
        name = PurePosixPath(one["rfilename"])
        if name.is_absolute() or ".." in name.parts:
            raise FailedError(f"the repository has a file outside of itself: {name}")
        large = one.get("lfs")
        files[str(name)] = (
            (one["size"], "sha256", large["sha256"]) if large else (one["size"], "git", one["blobId"])
        )
    if not EVERY_FILE and any(name.endswith(".safetensors") for name in files):
        return {
            name: one
            for name, one in files.items()
            if not name.endswith(DOUBLES) and not name.startswith("original/")
        }
    return files


def fetch(url, target, size, kind, digest):
    """Writes `target` only when size and digest are those that the hub promises."""
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    seen = hashlib.sha256() if kind == "sha256" else hashlib.sha1(b"blob %d\0" % size)  # noqa: S324 what git calls the file
    count = 0
    with get(url) as answer, part.open("wb") as out:
        while chunk := answer.read(CHUNK):
            out.write(chunk)
            seen.update(chunk)
            count += len(chunk)
    if count != size or seen.hexdigest() != digest:
        part.unlink()
        raise ValueError(
            f"{count} bytes with digest {seen.hexdigest()[:12]}, promised are {size} with {digest[:12]}"
        )
    part.replace(target)


def complete(folder, revision):
    """Whether the marker stands and every file that it names has its size."""
    try:
        marker = json.loads((folder / MARKER).read_text())
        sizes = {name: one[0] for name, one in marker["files"].items()}
        # A folder that was filled without every file may lack some.
        whole = marker.get("every", False) or not EVERY_FILE
        return (
            whole
            and marker["revision"] == revision
            and all((folder / name).stat().st_size == sizes[name] for name in sizes)
        )
    except (OSError, ValueError, KeyError):
        return False


def download(hub, repository, revision, folder):
    files = retried("list of files", lambda: listed(hub, repository, revision))
    for name, (size, kind, digest) in sorted(files.items()):
        started = time.monotonic()
        url = f"{hub}/{repository}/resolve/{revision}/{urllib.parse.quote(name)}"
        retried(name, lambda url=url, name=name, one=(size, kind, digest): fetch(url, folder / name, *one))
        print(f"{name}: {size} bytes in {time.monotonic() - started:.0f} s", flush=True)
    marker = folder / (MARKER + ".part")
    marker.write_text(json.dumps({"revision": revision, "every": EVERY_FILE, "files": files}))
    marker.replace(folder / MARKER)


def main():
    revision, folder = os.environ["REVISION"], Path(os.environ["FOLDER"])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete(folder, revision):
            print(f"{folder} is complete")
            return 0
        try:
            download(os.environ["HUB"].rstrip("/"), os.environ["REPOSITORY"], revision, folder)
        except FailedError as error:
            print(f"download failed: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
