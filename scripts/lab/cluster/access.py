"""How programs reach a cluster: with its kubeconfig, inside its network."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from lab.cluster.layout import ClusterError


class Access(ABC):
    """What the local cluster and other people's have in common."""

    @abstractmethod
    def command(self, program: Sequence[str | Path], cwd: Path | None = None) -> list[str]:
        """The command line that runs a program inside the cluster's network; for programs that keep running."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """This process's environment, with the cluster's kubeconfig."""

    def run_inside(
        self,
        program: Sequence[str | Path],
        stdin: str | None = None,
        check: bool = True,
        timeout: float = 120,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program inside the cluster's network. ClusterError with its words when it fails and `check` is on."""
        named = " ".join(map(str, program[:6]))
        try:
            done = subprocess.run(
                self.command(program, cwd),
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
                env=self.environment(),
            )
        except subprocess.TimeoutExpired:
            raise ClusterError(f"{named} did not end within {timeout:.0f} s") from None
        if check and done.returncode != 0:
            raise ClusterError(f"{named} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
        return done

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True, timeout: float = 120
    ) -> str:
        """kubectl's standard output. ClusterError with its words when it fails and `check` is on."""
        return self.run_inside(["kubectl", *arguments], stdin, check, timeout).stdout
