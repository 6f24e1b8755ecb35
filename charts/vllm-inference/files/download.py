"""Brings one commit of a hub repository into a folder, checks every file, and marks the folder complete.

Runs before the engine, which then needs no network. Servers that share the folder wait for the one that downloads; a
folder that is complete is left as it is. Standard library only: runs on any engine image.
Environment: HUB (URL), REPOSITORY (ORG/NAME), REVISION (40 hex digits), FOLDER; HF_TOKEN and EVERY_FILE (not only what
an engine reads, for a check over the whole commit) may be absent.
Exit status 1 and one sentence on stderr when it cannot be done.
"""

import email.utils
import fcntl
import hashlib
import http.client
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

MARKER = ".complete.json"
OWN = (MARKER, ".lock")
EVERY_FILE = bool(os.environ.get("EVERY_FILE"))
CHUNK = 1 << 22
TRIES = 5
LONGEST_LIST = 1 << 26  # bytes; that of 10,000 files has 3 MB
LONGEST_WAIT = 300  # seconds that a hub may ask us to wait
RECEIVED = [0]  # bytes, of all files
# Less than this in that many seconds is a hub that holds us, not one that is slow.
SLOWEST, PATIENCE = 1 << 16, float(os.environ.get("PATIENCE") or 300)
# Other spellings of the weights, not needed beside safetensors.
DOUBLES = (".bin", ".pt", ".pth", ".gguf", ".onnx", ".msgpack", ".h5")


class FailedError(Exception):
    """What went wrong and cannot be helped by trying again, as one sentence."""


def origin(url):
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


class Redirects(urllib.request.HTTPRedirectHandler):
    """Followed over HTTP alone, never from https to http, and with the token only where the same host goes on."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise FailedError(f"the hub redirects to {newurl[:200]!a}, which is no https address")
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None:
            following.remove_header("Authorization")
            if origin(newurl) == origin(req.full_url):
                authorize(following)
        return following


def authorize(request):
    if os.environ.get("HF_TOKEN"):
        # Not sent on to the store that the hub redirects to.
        request.add_unredirected_header("Authorization", "Bearer " + os.environ["HF_TOKEN"])


def get(url):
    request = urllib.request.Request(url)
    authorize(request)
    return urllib.request.build_opener(Redirects).open(request, timeout=min(60, PATIENCE))


def wait_of(error):
    """Seconds that the answer asks to wait, in either way of writing it; 0 where it does not say."""
    said = (error.headers.get("Retry-After") or "").strip() if error.headers else ""
    if said.isascii() and said.isdecimal():
        return min(LONGEST_WAIT, int(said[:9]))
    try:
        until = email.utils.parsedate_to_datetime(said).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0
    return min(LONGEST_WAIT, max(0, until - time.time()))


def watched(act):
    """What `act` returns or raises. A hub that drips bytes never runs into a time-out, so that is looked at here."""
    done = []

    def run():
        try:
            done.append((act(), None))
        except Exception as error:
            done.append((None, error))

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    before, since = RECEIVED[0], time.monotonic()
    while worker.is_alive():
        worker.join(min(1, PATIENCE / 4))
        if time.monotonic() - since > PATIENCE and worker.is_alive():
            if RECEIVED[0] - before < SLOWEST:
                raise FailedError(f"the hub sent {RECEIVED[0] - before} bytes in {PATIENCE:g} s")
            before, since = RECEIVED[0], time.monotonic()
    result, error = done[0]
    if error is not None:
        raise error
    return result


def read(answer, most):
    """The next bytes of an answer, as soon as there are some."""
    data = answer.read1(most)
    RECEIVED[0] += len(data)
    return data


def retried(what, act):
    for attempt in range(TRIES):
        try:
            return watched(act)
        except urllib.error.HTTPError as error:
            if error.code in (401, 403, 404):
                look = "look at model.source, revision and hub.tokenSecret"
                raise FailedError(f"{what}: the hub answers {error.code}; {look}") from error
            reason, wait = f"the hub answers {error.code}", wait_of(error)
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason, wait = str(error) or type(error).__name__, 0
        except (LookupError, TypeError, AttributeError, RecursionError) as error:
            raise FailedError(f"{what}: the hub answers with something else than a hub does") from error
        if attempt + 1 < TRIES:
            time.sleep(max(wait, min(30, 2**attempt)) * float(os.environ.get("PAUSE", "1")))
    raise FailedError(f"{what}: {reason}, after {TRIES} tries")


def listed(hub, repository, revision):
    """Files of the commit by name: size, kind of digest and digest."""
    with get(f"{hub}/api/models/{repository}/revision/{revision}?blobs=true") as answer:
        text = bytearray()
        while chunk := read(answer, CHUNK):
            text += chunk
            if len(text) > LONGEST_LIST:
                raise FailedError(f"the hub's list of files has more than {LONGEST_LIST} bytes")
    found = json.loads(bytes(text))
    if found.get("sha") != revision:
        raise FailedError(f"the hub has commit {str(found.get('sha'))[:80]!a} in the place of {revision}")
    files = {}
    for one in found["siblings"]:
        name, size, large = one["rfilename"], one["size"], one.get("lfs")
        if not inside(name):
            raise FailedError(f"the repository has a file outside of itself: {name[:200]!a}")
        kind, digest = ("sha256", large["sha256"]) if large else ("git", one["blobId"])
        if type(size) is not int or size < 0 or not isinstance(digest, str):
            raise FailedError(f"{name[:200]!a}: the hub promises no size or no digest")
        files[name] = (size, kind, digest)
    if not files:
        raise FailedError(f"the commit {revision} has no file")
    if not EVERY_FILE and any(name.endswith(".safetensors") for name in files):
        return {
            name: one
            for name, one in files.items()
            if not name.endswith(DOUBLES) and not name.startswith("original/")
        }
    return files


def inside(name):
    """Whether it is the name of a file below the folder, and not one that this script uses itself."""
    if not isinstance(name, str) or not name.isprintable() or "\\" in name:
        return False
    parts = name.split("/")
    return not (set(parts) & {"", ".", ".."} or parts[0] in OWN or parts[-1].endswith(".part"))


def fetch(url, target, size, kind, digest):
    """Writes `target` only when size and digest are those that the hub promises."""
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    seen = hashlib.sha256() if kind == "sha256" else hashlib.sha1(b"blob %d\0" % size)  # noqa: S324 what git calls the file
    count = 0
    with get(url) as answer, part.open("wb") as out:
        # One byte more than promised is enough to know.
        while chunk := read(answer, min(CHUNK, size + 1 - count)):
            out.write(chunk)
            seen.update(chunk)
            count += len(chunk)
            if count > size:
                break
    if count != size or seen.hexdigest() != digest:
        part.unlink()
        raise ValueError(
            f"{'more than ' * (count > size)}{min(count, size)} bytes with digest {seen.hexdigest()[:12]}, "
            f"promised are {size} with {digest[:12]!a}"
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
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
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
            # A hub may say anything: nothing that a terminal obeys, and one line.
            said = "".join(each if each.isprintable() else " " for each in str(error))
            print(f"download failed: {said}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
