"""Turns a case of an example file into a release on disk and in memory, and judges it by every rule."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from llmops import checks
from llmops.findings import Finding
from llmops.release import Inputs, Release
from llmops.render import Target
from llmops.render.manifest import Object, parse, read_values

NAMESPACE = "llm"
TODAY = date(2026, 1, 1)


def release_of(case: dict[str, Any], folder: Path, kube_version: str = "1.35.0") -> Release:
    """The release of a case: `manifests`, `values`, `model`, the chart's values `schema`, the model's `waivers`.

    `repository` is the Git repository that the chart stands in: its `remote` and its `files`.

    `environments` are facts of clusters, by name, in a folder beside that of the models.

    `files` are further files, by their path.

    `beside` are the manifests of further releases that are checked in the same run.

    Its pods live in namespaces that Pod Security holds to `privileged`, unless `podSecurity` names a profile.
    """
    model = folder / "models" / "demo"
    (model / "envs" / "prod").mkdir(parents=True, exist_ok=True)
    values_file = model / "values.yaml"
    values_file.write_text(yaml.safe_dump(case.get("values", {}), sort_keys=False))
    chart = folder / "chart"
    chart.mkdir(exist_ok=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: demo, version: 0.1.0}\n")
    if "schema" in case:
        (chart / "values.schema.json").write_text(json.dumps(case["schema"]))
    if "repository" in case:
        for file in case["repository"]["files"]:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).touch()
        (folder / ".git").mkdir(exist_ok=True)
        (folder / ".git" / "config").write_text(
            f'[remote "origin"]\n\turl = {case["repository"]["remote"]}\n'
        )
    for name, facts in case.get("environments", {}).items():
        (folder / "environments").mkdir(exist_ok=True)
        (folder / "environments" / f"{name}.yaml").write_text(yaml.safe_dump(facts, sort_keys=False))
    for name, text in case.get("files", {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    if "waivers" in case:
        (model / "waivers.yaml").write_text(yaml.safe_dump(case["waivers"], sort_keys=False))
    return Release(
        name="demo",
        namespace=NAMESPACE,
        kube_version=kube_version,
        objects=placed(parse(case.get("manifests", ""), "case.yaml"), case.get("podSecurity", "privileged")),
        values=case.get("values", {}),
        values_files=(read_values(values_file),),
        model=case.get("model"),
        inputs=Inputs(
            chart=chart,
            values=(values_file,),
            target=Target("demo", NAMESPACE, kube_version),
            model_dir=model,
            environment="prod",
        ),
        templates={},
    )


def placed(objects: list[Object], profile: str) -> list[Object]:
    """The objects, and the Namespaces that they live in without bringing them along."""
    needed = {obj.namespace or NAMESPACE for obj in objects}
    needed -= {obj.name for obj in objects if obj.kind == "Namespace"}
    labels = {"pod-security.kubernetes.io/enforce": profile}
    return objects + [
        Object(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
            "case.yaml",
        )
        for name in sorted(needed)
    ]


def judge(case: dict[str, Any], folder: Path) -> list[Finding]:
    """All findings of a case, those about its waivers included."""
    today = date.fromisoformat(case["today"]) if "today" in case else TODAY
    outcome = checks.run(release_of(case, folder), today=today)
    tree = [outcome]
    for index, text in enumerate(case.get("beside", ())):
        release = release_of({**case, "manifests": text, "waivers": []}, folder / f"beside-{index}")
        tree.append(checks.Outcome(replace(release, name=f"beside-{index}"), [], []))
    return outcome.findings + checks.review_waivers([outcome], today=today) + checks.review_tree(tree)


def manifests(text: str, **more: Any) -> Release:
    """A release of plain manifests."""
    return Release(
        name="demo",
        namespace=NAMESPACE,
        kube_version="1.35.0",
        objects=parse(text, "given.yaml"),
        values={},
        values_files=(),
        model=None,
        templates={},
        **more,
    )
