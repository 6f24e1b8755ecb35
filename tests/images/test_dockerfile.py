"""images/Dockerfile and the image that the live tests use are the same in what the charts rely on."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.release import archive as chart_archive
from llmops.render import Target
from llmops.render.manifest import parse
from llmops.render.sdk import SdkRenderer
from tests.e2e.programs_image import image, programs_image

ROOT = Path(__file__).parents[2]


def instructions(text: str) -> list[tuple[str, str]]:
    """(instruction, rest) of a Dockerfile, lines with a backslash joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [
        (word.upper(), rest) for word, _, rest in (line.partition(" ") for line in joined.split("\n") if line)
    ]


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """Each stage's instructions, its FROM first."""
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions((ROOT / "images/Dockerfile").read_text(encoding="utf-8")):
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


@pytest.fixture(scope="module")
def archive() -> tuple[dict[str, Any], bytes]:
    """The assembled image's configuration and its layer."""
    with tarfile.open(programs_image()) as outer:
        content = {name: outer.extractfile(name).read() for name in outer.getnames()}  # type: ignore[union-attr]
    (manifest,) = json.loads(content["manifest.json"])
    return json.loads(content[manifest["Config"]])["config"], content[manifest["Layers"][0]]


def test_entry_point_user_and_folder_are_equal(
    stages: list[list[tuple[str, str]]], archive: tuple[dict[str, Any], bytes]
) -> None:
    last, config = dict(stages[-1]), archive[0]
    assert json.loads(last["ENTRYPOINT"]) == config["Entrypoint"]
    assert last["USER"] == config["User"]
    assert last["WORKDIR"] == config["WorkingDir"]


def test_both_hold_the_locked_packages_of_the_jobs_and_no_others(stages: list[list[tuple[str, str]]]) -> None:
    """The last stage copies one environment, which is installed from the lock of the jobs and our own wheel."""
    copied = [rest for word, rest in stages[-1] if word == "COPY"]
    assert copied == ["--from=build /opt/llmops /opt/llmops"]
    (run,) = [rest for word, rest in stages[0] if word == "RUN"]
    into = [part for part in run.split("&&") if "--python /opt/llmops/bin/python3" in part]
    assert [re.findall(r"-r (\S+)|(/wheels/\S+)", part) for part in into] == [
        [("requirements/jobs.txt", "")],
        [("", "/wheels/*.whl")],
    ]
    folders = {path.split("/site-packages/")[1] for path in image().files if "/site-packages/" in path}
    assert {name for name in folders if "/" not in name} == {"click", "yaml", "llmops"}


def test_no_secret_and_no_moving_tag(stages: list[list[tuple[str, str]]]) -> None:
    text = (ROOT / "images/Dockerfile").read_text(encoding="utf-8")
    assert not re.search(r"(?i)password|token|secret", text)
    assert ":latest" not in text
    assert re.search(r"^ARG BASE=\S+:3\.\d+-slim-\w+$", text, re.MULTILINE)
    assert [rest for word, rest in stages[-1] if word == "FROM"] == ["${BASE}"]


def test_the_charts_run_it_as_the_user_that_it_is_made_for(stages: list[list[tuple[str, str]]]) -> None:
    chart = ROOT / "charts/drift-cronjob"
    values = yaml.safe_load((chart / "ci/cluster-values.yaml").read_text())
    rendered = SdkRenderer().render(chart_archive(chart), [values], Target("platform"))
    objects = [each.data for path, text in rendered.templates.items() for each in parse(text, path)]
    (pod,) = [each["spec"]["template"]["spec"] for each in objects if each["kind"] == "Deployment"]
    context = pod["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == dict(stages[-1])["USER"]
    assert pod["containers"][0]["command"][0] == "python3"
