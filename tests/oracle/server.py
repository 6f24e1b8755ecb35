"""What the live API server says of an object, without storing it."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lab.cluster import client
from lab.cluster.layout import API_PORT, NODE_ADDRESS, Layout, default_layout
from lab.cluster.namespaces import inside
from tests.oracle.seeds import NAMESPACE, VERSION

_PLURALS = re.compile(r"(ch|s|x|sh)$")


@dataclass(frozen=True)
class Verdict:
    """`status` is that of HTTP: 201 taken, 400 and 422 refused for what the object says; all others decide nothing."""

    status: int
    message: str

    @property
    def taken(self) -> bool:
        return self.status in (200, 201)

    @property
    def counts(self) -> bool:
        return self.status in (200, 201, 400, 422)


class Asked(Protocol):
    """Who judges objects as an API server of `version` does."""

    @property
    def version(self) -> str: ...

    def ask(self, objects: Sequence[dict[str, Any]]) -> list[Verdict]:
        """One verdict per object, in order."""


class Server:
    """The API server of the local cluster. `ask` uses connections that stay open, inside the cluster's network."""

    version = VERSION

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout or default_layout()
        self.resources = self._discover()
        self._prepare()

    def ask(self, objects: Sequence[dict[str, Any]], connections: int = 4) -> list[Verdict]:
        """One verdict per object, in order."""
        answers: list[Verdict | None] = [None] * len(objects)
        shares = [range(start, len(objects), connections) for start in range(connections)]
        threads = [
            threading.Thread(target=inside, args=(lambda share=share: self._work(objects, share, answers),))
            for share in shares
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [answer or Verdict(0, "no answer") for answer in answers]

    def _work(
        self, objects: Sequence[dict[str, Any]], share: Iterable[int], answers: list[Verdict | None]
    ) -> None:
        context = ssl.create_default_context(cafile=str(self.layout.pki / "ca.crt"))
        context.load_cert_chain(self.layout.pki / "admin.crt", self.layout.pki / "admin.key")
        connection = http.client.HTTPSConnection(NODE_ADDRESS, API_PORT, context=context, timeout=30)
        try:
            for number in share:
                try:
                    answers[number] = self._judge(connection, objects[number])
                except http.client.HTTPException as error:
                    # The server hung up instead of answering; the next request opens a connection again.
                    connection.close()
                    answers[number] = Verdict(0, f"no answer: {error}")
        finally:
            connection.close()

    def _judge(self, connection: http.client.HTTPSConnection, obj: dict[str, Any]) -> Verdict:
        plural, namespaced = self.resources.get((obj["apiVersion"], obj["kind"]), ("", False))
        if not plural:
            return Verdict(404, "kind is not served")
        root = "api" if "/" not in obj["apiVersion"] else "apis"
        place = f"namespaces/{NAMESPACE}/" if namespaced else ""
        metadata = obj.get("metadata")
        if namespaced and isinstance(metadata, dict):
            obj = {**obj, "metadata": {**metadata, "namespace": NAMESPACE}}
        path = f"/{root}/{obj['apiVersion']}/{place}{plural}?dryRun=All&fieldValidation=Strict"
        connection.request("POST", path, json.dumps(obj), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        if answer.status in (200, 201):
            return Verdict(answer.status, "")
        try:
            return Verdict(answer.status, str(json.loads(text).get("message")))
        except ValueError:
            return Verdict(answer.status, text[:500])

    def _discover(self) -> dict[tuple[str, str], tuple[str, bool]]:
        found: dict[tuple[str, str], tuple[str, bool]] = {}
        groups = client.request(self.layout, "GET", "/apis")["groups"]
        versions = ["v1", *(one["groupVersion"] for group in groups for one in group["versions"])]
        for version in versions:
            root = "api" if version == "v1" else "apis"
            for one in client.request(self.layout, "GET", f"/{root}/{version}")["resources"]:
                if "/" not in one["name"]:
                    found[version, one["kind"]] = one["name"], one["namespaced"]
        return found

    def _prepare(self) -> None:
        """A namespace that admits every pod, and what admission looks for beside a pod."""
        labels = {"pod-security.kubernetes.io/enforce": "privileged"}
        core = f"/api/v1/namespaces/{NAMESPACE}"
        self._create(
            "/api/v1/namespaces",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}},
        )
        for name in ("default", "app"):
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
            self._create(f"{core}/serviceaccounts", account)

    def _create(self, path: str, obj: dict[str, Any]) -> None:
        try:
            client.request(self.layout, "POST", path, obj)
        except client.ApiError as error:
            if error.status != 409:
                raise
