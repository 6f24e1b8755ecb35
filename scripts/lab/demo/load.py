"""A steady stream of requests, as a client of the gateway sees it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import ROOT
from lab.cluster import Cluster, ClusterError
from lab.demo.versions import Plan


@dataclass
class Load:
    """Requests start on schedule, whatever the answers do.

    `records` are those that have ended, each with `at`, its time on this clock."""

    cluster: Cluster
    folder: Path
    plan: Plan
    host: str
    records: list[dict[str, Any]] = field(default_factory=list)
    account: dict[str, Any] | None = None
    began: float = 0.0
    process: subprocess.Popen[str] | None = None
    reader: threading.Thread | None = None

    def start(self) -> None:
        plan = self.plan
        command = [sys.executable, "-m", "lab.load", f"--url={self.cluster.web_url}"]
        command += [f"--host={self.host}", f"--model={plan.model}", f"--rate={plan.rate}"]
        # Longer than the demo, which ends it.
        command += [f"--seconds={(1 + len(plan.releases)) * plan.limit}", f"--burst={plan.burst}"]
        command += [f"--max-tokens={plan.tokens}", "--ignore-eos", "--follow"]
        command += [f"--out={self.folder / 'load.jsonl'}"]
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            self.cluster.command(command, ROOT),
            env=self.cluster.environment(),
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C is ours to handle: it must not end the stream by itself.
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read, args=[self.process.stdout or ()], daemon=True)
        self.reader.start()

    def time(self) -> float:
        return time.monotonic() - self.began

    def check(self) -> None:
        """ClusterError when the stream ended by itself: without requests none would be lost either."""
        if self.process is not None and self.process.poll() is not None:
            raise ClusterError(f"the load generator ended with status {self.process.returncode}; see above")

    def stop(self) -> dict[str, Any]:
        """No further request starts; the account, when those in flight have ended."""
        self.check()
        if self.process is None or self.reader is None:
            raise ClusterError("the load generator was not started")
        self.process.terminate()
        self.process.wait(90)
        self.reader.join(10)
        if self.process.returncode != 0 or self.account is None:
            raise ClusterError(f"the load generator ended with status {self.process.returncode}; see above")
        return self.account

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def _read(self, lines: Iterable[str]) -> None:
        for text in lines:
            record = json.loads(text)
            if "outcome" in record:
                self.records.append(record | {"at": self.time()})
            else:
                self.account = record
