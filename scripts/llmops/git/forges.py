"""Forges by their HTTP APIs: GitHub, GitLab, Gitea. Pull requests are opened, and reviews are read.

Written from the published descriptions of these APIs; tests answer as those say, and no real forge was asked.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from llmops.findings import InputError, RefusedError
from llmops.git.repository import Repository
from llmops.untyped import below, mapping, sequence, text

TOKEN = "LLMOPS_FORGE_TOKEN"  # noqa: S105 the name of a variable
_SECONDS = 30
_MOST = 10 * 2**20  # bytes of an answer
_REMOTE = re.compile(
    r"^(?:(?:https?|ssh|git)://(?:[^@/]+@)?([^/:]+)(?::\d+)?/|(?:[^@/]+@)([^:/]+):)(.+?)(?:\.git)?/?$"
)


@dataclass(frozen=True)
class Review:
    """What a forge says of the change that brought a commit: `url` of it, its author, and who approved it."""

    url: str
    author: str
    approvers: tuple[str, ...]


class Forge(Protocol):
    """What is asked of a forge."""

    def review(self, commit: str) -> Review | None: ...

    def open(self, branch: str, target: str, title: str, body: str) -> str:
        """Opens a pull request: its address."""
        ...

    def find(self, branch: str) -> str:
        """The address of a branch's pull request, open or closed; empty without one."""
        ...


@dataclass(frozen=True)
class Api:
    """The HTTP side of a forge. `url` ends without a slash; `headers` carry the token."""

    url: str
    headers: dict[str, str]

    def call(self, method: str, path: str, content: object = None) -> Any:
        """The JSON of an answer, None for 404. RefusedError, in one sentence without the token, for all others."""
        data = None if content is None else json.dumps(content).encode()
        headers = {"Accept": "application/json", "User-Agent": "llmops", **self.headers}
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)  # noqa: S310
        try:
            with _opener().open(request, timeout=_SECONDS) as answer:
                return json.loads(answer.read(_MOST))
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise RefusedError(_refused(self.url, error)) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise RefusedError(f"the forge at {self.url} does not answer: {reason}") from None
        except ValueError:
            raise RefusedError(
                f"the forge at {self.url} answers no JSON; is this the address of its API?"
            ) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token is for the host that it was given for."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect)


def _refused(url: str, error: urllib.error.HTTPError) -> str:
    if error.code == 401:
        return f"the forge at {url} does not take the token in {TOKEN}: it is wrong or has expired"
    if error.code == 403:
        return f"the token in {TOKEN} may not do this at {url}; give it the right to write pull requests"
    try:
        said = json.loads(error.read(_MOST))
        message = text(said.get("message")) or text(said.get("error")) or str(said.get("message", ""))
    except (ValueError, AttributeError, OSError):
        message = ""
    return f"the forge at {url} answered {error.code}: {' '.join(message.split())[:200] or error.reason}"


@dataclass(frozen=True)
class _Repos:
    """What the APIs of GitHub and Gitea have in common."""

    api: Api
    project: str

    def open(self, branch: str, target: str, title: str, body: str) -> str:
        content = {"title": title, "head": branch, "base": target, "body": body}
        return _address(self.api.call("POST", f"/repos/{self.project}/pulls", content), "html_url")


class GitHub(_Repos):
    def find(self, branch: str) -> str:
        head = quote(f"{self.project.partition('/')[0]}:{branch}", safe="")
        return _first(self.api.call("GET", f"/repos/{self.project}/pulls?state=all&head={head}"), "html_url")

    def review(self, commit: str) -> Review | None:
        changes = self.api.call("GET", f"/repos/{self.project}/commits/{commit}/pulls")
        change = next((one for one in map(mapping, sequence(changes)) if one.get("merged_at")), None)
        if change is None:
            return None
        reviews = self.api.call("GET", f"/repos/{self.project}/pulls/{change['number']}/reviews?per_page=100")
        return Review(text(change.get("html_url")), _login(change), _standing(reviews))


class Gitea(_Repos):
    def find(self, branch: str) -> str:
        changes = sequence(self.api.call("GET", f"/repos/{self.project}/pulls?state=all&sort=recentupdate"))
        return _first([one for one in changes if below(one, ("head", "ref")) == branch], "html_url")

    def review(self, commit: str) -> Review | None:
        change = mapping(self.api.call("GET", f"/repos/{self.project}/commits/{commit}/pull"))
        if not change.get("merged"):
            return None
        reviews = sequence(self.api.call("GET", f"/repos/{self.project}/pulls/{change['number']}/reviews"))
        standing = [one for one in map(mapping, reviews) if not one.get("dismissed")]
        return Review(text(change.get("html_url")), _login(change), _standing(standing))


@dataclass(frozen=True)
class GitLab:
    api: Api
    project: str

    @property
    def _path(self) -> str:
        return f"/projects/{quote(self.project, safe='')}"

    def open(self, branch: str, target: str, title: str, body: str) -> str:
        content = {"title": title, "source_branch": branch, "target_branch": target, "description": body}
        return _address(self.api.call("POST", f"{self._path}/merge_requests", content), "web_url")

    def find(self, branch: str) -> str:
        path = f"{self._path}/merge_requests?state=all&source_branch={quote(branch, safe='')}"
        return _first(self.api.call("GET", path), "web_url")

    def review(self, commit: str) -> Review | None:
        changes = self.api.call("GET", f"{self._path}/repository/commits/{commit}/merge_requests")
        change = next((one for one in map(mapping, sequence(changes)) if one.get("state") == "merged"), None)
        if change is None:
            return None
        approvals = self.api.call("GET", f"{self._path}/merge_requests/{change['iid']}/approvals")
        names = [
            text(below(one, ("user", "username"))) for one in sequence(below(approvals, ["approved_by"]))
        ]
        author = text(below(change, ("author", "username")))
        return Review(text(change.get("web_url")), author, tuple(name for name in names if name))


def connect(kind: str, url: str, repository: Repository) -> Forge:
    """The forge of the remote `origin`. InputError without a token, and for a remote that names no project."""
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise InputError(f"there is no token for the forge; put one into {TOKEN}")
    done = repository.run("remote", "get-url", "origin")
    if done.returncode:
        raise InputError("there is no remote `origin` to know the project by; add one with `git remote add`")
    remote = done.stdout.strip()
    found = _REMOTE.match(remote)
    if not found and not url:
        raise InputError("the remote `origin` names no host; say the forge's address with --forge-url")
    project = found.group(3) if found else "/".join(Path(remote.removesuffix(".git")).parts[-2:])
    base = (url or f"https://{found.group(1) or found.group(2)}" if found else url).rstrip("/")
    if urlsplit(base).scheme not in ("https", "http"):
        raise InputError(f"{base} is no address of a forge; write https://HOST")
    if kind == "github":
        api = "https://api.github.com" if base == "https://github.com" else f"{base}/api/v3"
        return GitHub(
            Api(api, {"Authorization": f"Bearer {token}", "X-GitHub-Api-Version": "2022-11-28"}), project
        )
    if kind == "gitlab":
        return GitLab(Api(f"{base}/api/v4", {"PRIVATE-TOKEN": token}), project)
    return Gitea(Api(f"{base}/api/v1", {"Authorization": f"token {token}"}), project)


def _address(answer: object, key: str) -> str:
    """The address of what was made. RefusedError where the project is unknown to the forge."""
    if answer is None:
        raise RefusedError("the forge does not know the project, or the token may not see it")
    return text(mapping(answer).get(key)) or "(the forge said no address)"


def _first(changes: object, key: str) -> str:
    return next((text(one.get(key)) for one in map(mapping, sequence(changes))), "")


def _login(change: dict[str, Any]) -> str:
    return text(below(change, ("user", "login")))


def _standing(reviews: object) -> tuple[str, ...]:
    """Who approved, by the last word of each reviewer; a comment is none."""
    last: dict[str, str] = {}
    for one in map(mapping, sequence(reviews)):
        if (state := text(one.get("state"))) in (
            "APPROVED",
            "CHANGES_REQUESTED",
            "REQUEST_CHANGES",
            "DISMISSED",
        ):
            last[_login(one)] = state
    return tuple(name for name, state in last.items() if state == "APPROVED")
