"""A tree of values in a Git repository on disk, followed by the real Argo CD through the chart llm-gitops."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab import ROOT
from lab.cluster import Cluster
from lab.cluster.client import MERGE_PATCH, ApiError
from lab.cluster.ondemand.argo_cd import NAMESPACE as ARGO_CD
from lab.cluster.waiting import until
from lab.releases.helm import VALUES, Helm, engine_image
from tests.e2e.repository import Repository

MODEL = ROOT / "values/models/qwen3-8b"
GROUP = f"/apis/argoproj.io/v1alpha1/namespaces/{ARGO_CD}"
APPLICATIONS = f"{GROUP}/applications"
# What the scripted engine needs is said last; all else is the model's own.
PROMETHEUS = {"prometheusUrl": "http://198.18.255.1:9090"}
OWN = {"environment": {"monitoring": PROMETHEUS, "gate": {"url": ""}}, "gpu": {"budget": 8}}


def merged(base: Mapping[str, Any], *layers: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merged at any depth; later layers win, lists are replaced."""
    result = dict(base)
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            both = isinstance(value, Mapping) and isinstance(old, Mapping)
            result[key] = merged(old, value) if both else value  # type: ignore[arg-type]
    return result


def stand_in() -> dict[str, Any]:
    """Values that put the scripted engine in vLLM's place, with one server."""
    values: dict[str, Any] = yaml.safe_load(VALUES.read_text(encoding="utf-8"))
    shared = values["global"]["llm"]
    shared |= OWN | {"components": {"autoscaling": False}, "replicas": {"min": 1}}
    del values["vllm-inference"]["route"]["host"]  # of release and domain, as it is for users
    return merged(values, *engine_image())


@dataclass
class Tree:
    """The repository, and the cluster whose Argo CD follows it."""

    cluster: Cluster
    repository: Repository

    def plant(self, name: str, environment: str, layer: Mapping[str, Any]) -> Model:
        """Commits a model, a copy of qwen3-8b with values on top."""
        values = self.repository.folder / "values"
        shutil.copytree(ROOT / "values/environments", values / "environments", dirs_exist_ok=True)
        model = Model(self, name, environment)
        shutil.copytree(MODEL, model.folder, ignore=shutil.ignore_patterns("envs"))
        shutil.copytree(MODEL / "envs" / environment, model.folder / "envs" / environment)
        model.commit(layer)
        return model

    def look(self, environment: str) -> None:
        """Makes the ApplicationSet look at Git anew; returns when it has."""
        path = f"{GROUP}/applicationsets/llm-gitops-{environment}"
        key = "argocd.argoproj.io/application-set-refresh"
        self.cluster.api("PATCH", path, {"metadata": {"annotations": {key: "true"}}}, MERGE_PATCH)
        until(
            lambda: key not in self.cluster.api("GET", path)["metadata"].get("annotations", {}),
            f"a look at the models of {environment}",
            seconds=30,
        )

    def head(self) -> str:
        """The newest commit."""
        return (self.repository.folder / ".git/refs/heads/main").read_text(encoding="utf-8").strip()

    def revert(self) -> None:
        self.repository.git("revert", "--no-edit", "HEAD")

    def applications(self) -> dict[str, dict[str, Any]]:
        return {item["metadata"]["name"]: item for item in self.cluster.api("GET", APPLICATIONS)["items"]}


@dataclass
class Model:
    """One model in one environment: its files, its Application, its objects."""

    tree: Tree
    name: str
    environment: str

    @property
    def namespace(self) -> str:
        return f"llm-{self.environment}"

    @property
    def folder(self) -> Path:
        """Its files in the repository."""
        return self.tree.repository.folder / "values/models" / self.name

    @property
    def helm(self) -> Helm:
        """For the states of a release; nothing is deployed by it."""
        return Helm(self.tree.cluster, self.tree.repository.folder, self.name, self.namespace)

    def path(self, kind: str, name: str = "") -> str:
        """The API path of an object, by default the one called as the release."""
        groups = {
            "services": "/api/v1",
            "configmaps": "/api/v1",
            "rollouts": "/apis/argoproj.io/v1alpha1",
            "traefikservices": "/apis/traefik.io/v1alpha1",
            "poddisruptionbudgets": "/apis/policy/v1",
        }
        return f"{groups[kind]}/namespaces/{self.namespace}/{kind}/{name or self.name}"

    def get(self, kind: str, name: str = "") -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.tree.cluster.api("GET", self.path(kind, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return found

    def patch(self, kind: str, change: Any, name: str = "", form: str = MERGE_PATCH) -> None:
        self.tree.cluster.api("PATCH", self.path(kind, name), change, form)

    def items(self, group: str, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind in its namespace."""
        return list(self.tree.cluster.api("GET", f"{group}/namespaces/{self.namespace}/{kind}")["items"])

    def create(self, kind: str, content: Mapping[str, Any]) -> None:
        self.tree.cluster.api("POST", self.path(kind).rpartition("/")[0], content)

    def delete(self, kind: str, name: str = "") -> None:
        self.tree.cluster.api("DELETE", self.path(kind, name))

    def act(self, status: Mapping[str, Any]) -> None:
        """What an action of Argo CD's or Rollouts' user interface does: a change of the Rollout's status."""
        self.tree.cluster.api("PATCH", f"{self.path('rollouts')}/status", {"status": status}, MERGE_PATCH)

    def write(self, layer: Mapping[str, Any]) -> str:
        """Puts values on top of the environment's own; the path written."""
        file = f"values/models/{self.name}/envs/{self.environment}/values.yaml"
        own = yaml.safe_load((MODEL / "envs" / self.environment / "values.yaml").read_text(encoding="utf-8"))
        # Until a person says go on; environments without a canary have no steps.
        until_told = {"steps": [{"setWeight": 50}, {"pause": {}}], "approval": False}
        steps = {"vllm-inference": {"strategy": until_told}}
        values = merged(own, stand_in(), steps if "strategy" in own.get("vllm-inference", {}) else {}, layer)
        self.tree.repository.write(file, yaml.safe_dump(values))
        return file

    def commit(self, layer: Mapping[str, Any]) -> None:
        file = self.write(layer)
        self.tree.repository.commit(file, (self.tree.repository.folder / file).read_text(encoding="utf-8"))

    def rollout(self) -> dict[str, Any]:
        """The Rollout's spec."""
        spec: dict[str, Any] = (self.get("rollouts") or {})["spec"]
        return spec

    def pods(self) -> set[str]:
        """Names of the servers that are not ending."""
        mine = [
            each["metadata"]
            for each in self.items("/api/v1", "pods")
            if each["metadata"]["name"].startswith(f"{self.name}-")
        ]
        return {each["name"] for each in mine if "deletionTimestamp" not in each}

    def uproot(self) -> None:
        """A commit without the model's folder."""
        self.tree.repository.git("rm", "-r", "--quiet", f"values/models/{self.name}")
        self.tree.repository.git("commit", "--quiet", f"--message=without {self.name}")

    def end(self) -> None:
        """Takes a release whose files vanished away for good, as docs/gitops.md says."""
        self.tree.look(self.environment)
        finalizer = {"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}}
        self.tree.cluster.api("PATCH", self.application_path, finalizer, MERGE_PATCH)
        self.tree.cluster.api("DELETE", self.application_path)
        own = f"{self.environment}-{self.name}"
        until(lambda: own not in self.tree.applications(), f"the end of {own}", seconds=60)

    # The Application.

    @property
    def application_path(self) -> str:
        return f"{APPLICATIONS}/{self.environment}-{self.name}"

    def application(self) -> dict[str, Any]:
        found: dict[str, Any] = self.tree.cluster.api("GET", self.application_path)
        return found

    def annotate(self, key: str, value: str | None) -> None:
        change = {"metadata": {"annotations": {f"argocd.argoproj.io/{key}": value}}}
        self.tree.cluster.api("PATCH", self.application_path, change, MERGE_PATCH)

    @contextmanager
    def braked(self) -> Iterator[None]:
        """With the brake on, from when Argo CD has finished what was under way; off again whatever happens."""

        def looked() -> tuple[Any, Any]:
            found = self.application()
            return found.get("operation"), found.get("status", {}).get("reconciledAt")

        def quiet() -> bool:
            seen = throughout(looked, 2)
            return len(seen) == 1 and seen[0][0] is None

        self.annotate("skip-reconcile", "true")
        try:
            until(quiet, "an Argo CD that has ended its last look", seconds=60)
            yield
        finally:
            self.annotate("skip-reconcile", None)

    def state(self) -> tuple[str, str]:
        """What Argo CD says: (sync, health); empty before it said anything."""
        try:
            status = self.application().get("status", {})
        except ApiError:
            return "", ""
        return status.get("sync", {}).get("status", ""), status.get("health", {}).get("status", "")

    def says(self, sync: str, health: str, seconds: float = 90) -> None:
        """Waits until Argo CD says so of the newest commit."""
        head = self.tree.head()

        def there() -> bool:
            if self.state() != (sync, health):
                return False
            return bool(self.application()["status"]["sync"].get("revision") == head)

        what = f"the Application of {self.name} being {sync} and {health} at the newest commit"
        until(there, what, seconds, every=0.3)

    def condition(self, kind: str) -> str:
        """The message of a condition of the Application; empty without it."""
        conditions = self.application().get("status", {}).get("conditions", [])
        return next((each["message"] for each in conditions if each["type"] == kind), "")

    def refresh(self, how: str = "normal") -> None:
        """Makes Argo CD look again, at Git (hard: and render anew) and at the cluster; returns when it has."""
        self.annotate("refresh", how)
        until(
            lambda: "argocd.argoproj.io/refresh" not in self.application()["metadata"].get("annotations", {}),
            "the end of a refresh",
            seconds=30,
        )

    def start(self) -> None:
        """What the button Sync does: with the options and the further attempts that the Application names."""
        policy = self.application()["spec"]["syncPolicy"]
        begun = {
            "initiatedBy": {"username": "a person"},
            "retry": policy["retry"],
            "sync": {"revision": self.tree.head(), "syncOptions": policy["syncOptions"]},
        }
        self.tree.cluster.api("PATCH", self.application_path, {"operation": begun}, MERGE_PATCH)

    def problem(self) -> str:
        """The message of the last sync."""
        return str(self.application().get("status", {}).get("operationState", {}).get("message", ""))

    def outcome(self, phase: str) -> str:
        """The message of the sync that a person started, once it came to that phase; empty before."""
        found = self.application()
        state = found.get("status", {}).get("operationState", {})
        by = state.get("operation", {}).get("initiatedBy", {}).get("username")
        done = "operation" not in found and by == "a person" and state.get("phase") == phase
        return str(state.get("message")) if done else ""

    def sync(self) -> None:
        """A sync by hand; returns when it was done."""
        self.start()
        until(lambda: self.outcome("Succeeded"), f"a sync of {self.name} by hand", seconds=40)


def throughout(check: Callable[[], Any], seconds: float, *during: Callable[[], None]) -> list[Any]:
    """The distinct answers of `check` over that time and longer, while each of `during` is done in turn."""
    seen: list[Any] = []

    def look() -> None:
        if (answer := check()) not in seen:
            seen.append(answer)

    end = time.monotonic() + seconds
    look()
    for action in during:
        action()
        look()

    def over() -> bool:
        look()
        return time.monotonic() > end

    until(over, "the end of the watch", seconds + 30, every=0.2)
    return seen


Layer = dict[str, Any]
Planted = Callable[..., Model]
Record = Callable[[str, object], None]
SERVED, WAITING = ("Synced", "Healthy"), ("OutOfSync", "Missing")
