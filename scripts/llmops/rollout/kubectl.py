"""What a person can do, as commands of plain kubectl (1.24 or newer): no plugin is needed.

The patches are those that Argo Rollouts' own plugin sends.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Advice:
    """What to do, and the command that does it (empty: none)."""

    what: str
    command: str = ""


@dataclass(frozen=True)
class Kubectl:
    """Writes commands for one rollout."""

    name: str
    namespace: str
    kubeconfig: str = ""

    def _line(self, *arguments: str, namespace: str = "") -> str:
        where = ["--kubeconfig", self.kubeconfig] if self.kubeconfig else []
        return shlex.join(["kubectl", *where, "-n", namespace or self.namespace, *arguments])

    def _status(self, status: Mapping[str, Any]) -> str:
        patch = json.dumps({"status": dict(status)})
        return self._line("patch", "rollout", self.name, "--subresource=status", "--type=merge", "-p", patch)

    def abort(self) -> Advice:
        """All traffic back to the old version."""
        return Advice("give the new version up", self._status({"abort": True}))

    def retry(self) -> Advice:
        """The same version once more."""
        return Advice("try the same version again, once its cause is mended", self._status({"abort": False}))

    def resume(self) -> Advice:
        """Past a pause."""
        return Advice("promote: go on to the next step", self._status({"pauseConditions": None}))

    def look_again(self) -> Advice:
        """A new run of an inconclusive gate."""
        return Advice("let the gate look again, from the start", self._status({"pauseConditions": None}))

    def accept(self, step: int) -> Advice:
        """Past an inconclusive gate."""
        status = {"pauseConditions": None, "controllerPause": False, "currentStepIndex": step + 1}
        return Advice("accept it and go on to the next step", self._status(status))

    def skip(self, step: int) -> Advice:
        """Past a gate that still looks."""
        status = {"pauseConditions": None, "currentStepIndex": step + 1}
        return Advice("or go on without this gate, on your own judgement", self._status(status))

    def unpause(self) -> Advice:
        """Ends spec.paused."""
        patch = json.dumps({"spec": {"paused": False}})
        return Advice("end the pause", self._line("patch", "rollout", self.name, "--type=merge", "-p", patch))

    def run(self, name: str) -> Advice:
        """All measurements of a run."""
        return Advice("read all measurements", self._line("get", "analysisrun", name, "-o", "yaml"))

    def job(self, name: str) -> Advice:
        """What a Job of a gate printed."""
        return Advice("read what its Job printed", self._line("logs", f"job/{name}"))

    def describe(self, pod: str) -> Advice:
        """Events of a pod."""
        return Advice("see its events", self._line("describe", "pod", pod))

    def logs(self, pod: str) -> Advice:
        """What a container said before it ended."""
        return Advice("see what it said before it ended", self._line("logs", pod, "--previous", "--tail=50"))

    def gate_service(self, url: str) -> tuple[Advice, ...]:
        """Whether the service behind the gates' URL has pods, and what it logs."""
        service, _, rest = (urlsplit(url).hostname or "").partition(".")
        home = rest.partition(".")[0] or self.namespace
        if not service:
            return ()
        chosen = f"kubernetes.io/service-name={service}"
        return (
            Advice(
                "see whether the gate service has pods",
                self._line("get", "endpointslices", "-l", chosen, namespace=home),
            ),
            Advice("read its log", self._line("logs", f"deployment/{service}", "--tail=20", namespace=home)),
        )
