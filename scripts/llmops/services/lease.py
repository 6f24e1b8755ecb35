"""Which of several replicas works: a Lease of the API server, as the controllers of Kubernetes hold theirs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from llmops.jobs import JobError
from llmops.services.api_server import Api

_GROUP = "coordination.k8s.io/v1"


@dataclass
class Lease:
    """`holder` is this replica. Who has not renewed within `seconds` by the clock of the looker has lost it, so that
    the clocks of two nodes need not agree."""

    api: Api
    namespace: str
    name: str
    holder: str
    seconds: int = 15
    clock: Callable[[], float] = time.monotonic
    _seen: tuple[str, str] = ("", "")
    _since: float = field(default=0.0)

    def held(self) -> bool:
        """Takes or renews it; whether it is ours now. JobError where the API server does not say."""
        status, lease = self.api.call("GET", f"{self._path}/{self.name}")
        if status == 404:
            return self._written("POST", self._path, {})
        if status != 200:
            raise JobError(f"the Lease {self.name} cannot be read: the API server says {status}")
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        seen = (holder, str(lease["metadata"]["resourceVersion"]))
        if seen != self._seen:
            self._seen, self._since = seen, self.clock()
        if holder not in ("", self.holder) and self.clock() - self._since < self.seconds:
            return False
        return self._written("PUT", f"{self._path}/{self.name}", {"resourceVersion": seen[1]})

    @property
    def _path(self) -> str:
        return f"/apis/{_GROUP}/namespaces/{self.namespace}/leases"

    def _written(self, method: str, path: str, metadata: dict[str, Any]) -> bool:
        body = {
            "apiVersion": _GROUP,
            "kind": "Lease",
            "metadata": {"name": self.name, "namespace": self.namespace} | metadata,
            "spec": {
                "holderIdentity": self.holder,
                "leaseDurationSeconds": self.seconds,
                "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            },
        }
        status, _ = self.api.call(method, path, body)
        if status == 409:
            # Another one was quicker.
            return False
        if status not in (200, 201):
            raise JobError(f"the Lease {self.name} cannot be written: the API server says {status}")
        return True
