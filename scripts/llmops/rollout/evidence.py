"""What the gate service has on record of a version: AnalysisRuns are deleted after a few, its record stays."""

from __future__ import annotations

import http
import http.client
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlsplit

from llmops.findings import InputError
from llmops.references import mapping, sequence, text
from llmops.rollout.runs import OF_REQUESTS, counts, number

TIMEOUT_SECONDS = 10


def requests_on_record(url: str, namespace: str, release: str, version: str) -> float | None:
    """The most requests that a look at the last attempt of `version` counted; None where there was none.

    Raises InputError when the service does not answer, or not with its document.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"--gate-url {url} is no address: write http://HOST:PORT")
    address = f"{url.rstrip('/')}/v1/evidence/{quote(namespace)}/{quote(release)}"
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            document = mapping(json.load(answer))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.NOT_FOUND:
            return None
        raise InputError(f"the gate service answers {error.code}", address) from None
    except (OSError, http.client.HTTPException) as error:
        raise InputError(f"the gate service cannot be reached: {error}", address) from None
    except ValueError:
        raise InputError("the gate service did not answer with JSON", address) from None
    return most(document, version)


def most(document: dict[str, Any], version: str) -> float | None:
    """The most requests in the last attempt to roll out a version; None where the document holds no look of it."""
    known = [mapping(one) for one in sequence(document.get("rollouts"))]
    attempts = [one for one in known if one.get("canary") == version][-1:]
    found = [
        counts(number(gate.get("canary")), number(gate.get("stable")), text(look.get("mode")))
        for attempt in attempts
        for look in map(mapping, sequence(attempt.get("looks")))
        for name, gate in ((name, mapping(one)) for name, one in mapping(look.get("gates")).items())
        if name in OF_REQUESTS
    ]
    return max(found, default=None)
