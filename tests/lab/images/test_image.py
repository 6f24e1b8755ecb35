"""The image of our own programs: what images/Dockerfile promises, and that the assembled one keeps it and runs."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import cache
from lab.images import llmops_image
from lab.images.assemble import DOCKERFILE, GIT_REF, ROOT, distribution, images
from lab.images.dockerfile import Stage, parse
from llmops.release import archive as chart_archive
from llmops.render import Target
from llmops.render.manifest import parse as manifests
from llmops.render.sdk import SdkRenderer
from tests.lab.cluster.test_images import read
from tests.lab.images.rootfs import run, unpack

pytestmark = pytest.mark.real

# Without the names of the version before, which only lead to a service.
PROGRAMS = [
    *(
        f"jobs.{file.stem}"
        for file in sorted((ROOT / "scripts/llmops/jobs").glob("*.py"))
        if "__main__" in file.read_text(encoding="utf-8") and file.stem != "exporter"
    ),
    *(
        f"services.{file.parent.name}"
        for file in sorted((ROOT / "scripts/llmops/services").glob("*/__main__.py"))
    ),
]


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    return parse(DOCKERFILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def archive() -> tuple[dict[str, Any], tarfile.TarFile]:
    return read(llmops_image())


@pytest.fixture(scope="module")
def root(archive: tuple[dict[str, Any], tarfile.TarFile], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The assembled image's files, where any user may read them."""
    folder = tmp_path_factory.mktemp("root")
    folder.chmod(0o755)
    yield unpack(archive[1], folder)
    shutil.rmtree(folder)


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_the_assembled_image_is_set_up_as_the_dockerfile_says(
    stages: list[Stage], archive: tuple[dict[str, Any], tarfile.TarFile]
) -> None:
    config, final = archive[0], stages[-1]
    assert config["tags"] == ["llm-charts.local/llmops:dev"]
    assert config["Entrypoint"] == ["python", "-m"] == list(final.entrypoint)
    assert config["Cmd"] == ["llmops.jobs.drift", "--help"] == list(final.command)
    assert config["User"] == "65532:65532" == final.user
    assert config["WorkingDir"] == "/" == final.workdir
    assert config["Labels"] == final.labels
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert {f"{key}={value}" for key, value in final.env.items()} <= set(config["Env"])
    assert {"PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"} <= set(config["Env"])


def test_both_hold_what_is_locked_and_no_extra(archive: tuple[dict[str, Any], tarfile.TarFile]) -> None:
    names = archive[1].getnames()
    held = {match[1] for name in names if (match := re.search(r"/site-packages/([^/]+)\.dist-info$", name))}
    locked = re.compile(r"^([a-z0-9-]+)==(\S+) ", re.MULTILINE)
    lines = set(locked.findall(text("requirements/jobs.txt")))
    # Of the lines for one package, one is for this Python.
    spelled = {(name.replace("-", "_"), version) for name, version in lines}
    assert {tuple(each.split("-", 1)) for each in held} <= spelled | {("llm_charts", "0.1.0")}
    services = {"anyio", "h11", "idna", "starlette", "typing_extensions", "uvicorn"}
    assert {name for name, _ in spelled} == {"click", "numpy", "pyyaml"} | services
    assert {each.split("-", 1)[0] for each in held} == {name for name, _ in spelled} | {"llm_charts"}
    # What tests ran on.
    assert lines <= set(locked.findall(text("requirements/dev.txt")))


def test_every_install_of_the_dockerfile_is_held_to_hashes_or_to_the_wheel(stages: list[Stage]) -> None:
    installs = re.findall(r"pip install ([^&]*)", " && ".join(stages[0].runs))
    assert [each.split("-r ")[-1].strip() for each in installs] == [
        "requirements/build.txt",
        "requirements/jobs.txt",
        "--no-index --no-deps --prefix /install /wheel/*.whl",
    ]
    assert ["--require-hashes" in each for each in installs] == [True, True, False]
    for lock in ("requirements/build.txt", "requirements/jobs.txt"):
        for block in re.split(r"\n(?=\S)", text(lock).strip()):
            assert "--hash=sha256:" in block, block.splitlines()[0]
    assert stages[-1].runs == []


def test_mirrors_are_arguments_and_leave_no_trace(stages: list[Stage]) -> None:
    given = {
        "REGISTRY": "registry.example.com/mirror",
        "PYTHON": "3.11-slim@sha256:" + "a" * 64,
        "PIP_INDEX_URL": "https://name:secret@pypi.example.com/simple",
    }
    build, final = parse(DOCKERFILE.read_text(encoding="utf-8"), given)
    assert (
        build.base == final.base == "registry.example.com/mirror/library/python:3.11-slim@sha256:" + "a" * 64
    )
    assert build.arguments["PIP_INDEX_URL"] == given["PIP_INDEX_URL"]
    assert "PIP_INDEX_URL" not in stages[0].arguments
    assert "secret" not in json.dumps([final.arguments, final.env, final.labels, final.runs])
    assert [(copy.stage, copy.sources) for copy in final.copies] == [("build", ("/install/lib",))]


def test_the_base_is_the_python_that_tests_run_on(stages: list[Stage]) -> None:
    tag = re.search(r"/library/python:(\d+\.\d+)\.\d+-slim-[a-z]+$", stages[-1].base)
    jobs = yaml.safe_load(text(".github/workflows/ci.yaml"))["jobs"].values()
    tested = {
        step["with"]["python-version"]
        for job in jobs
        for step in job["steps"]
        if "python" in str(step.get("uses"))
    }
    assert tag is not None
    assert tested == {tag[1]}


def test_name_version_and_user_are_those_that_the_chart_asks_for(stages: list[Stage]) -> None:
    values = yaml.safe_load(text("charts/drift-cronjob/values.yaml"))
    chart = yaml.safe_load(text("charts/drift-cronjob/Chart.yaml"))
    version = stages[-1].labels["org.opencontainers.image.version"]
    assert version == tomllib.loads(text("pyproject.toml"))["project"]["version"]
    assert (values["image"]["repository"], values["image"]["tag"] or chart["version"]) == (
        "llm-charts/llmops",
        version,
    )
    context = values["securityContext"]
    assert stages[-1].user == f"{context['runAsUser']}:{context['runAsGroup']}"


def test_the_chart_runs_it_as_the_user_and_by_a_program_that_are_there(
    archive: tuple[dict[str, Any], tarfile.TarFile],
) -> None:
    chart = ROOT / "charts/drift-cronjob"
    values = [yaml.safe_load(text("charts/drift-cronjob/ci/cluster-values.yaml"))]
    rendered = SdkRenderer().render(chart_archive(chart), values, Target("platform"))
    objects = [each.data for path, words in rendered.templates.items() for each in manifests(words, path)]
    pods = [each["spec"]["template"]["spec"] for each in objects if each["kind"] == "Deployment"]
    modules = set()
    for pod in pods:
        context = pod["securityContext"]
        assert f"{context['runAsUser']}:{context['runAsGroup']}" == archive[0]["User"]
        program, flag, module = pod["containers"][0]["command"]
        assert flag == "-m"
        modules.add(module)
        assert f"usr/local/bin/{program}" in archive[1].getnames()
    assert modules == {"llmops.services.results", "llmops.services.feedback"}


def test_no_secret_stands_in_it() -> None:
    assert not re.search(r"(?i)password|token|secret|:latest", text("images/Dockerfile"))


def test_the_engine_gets_what_is_copied_and_nothing_else(stages: list[Stage]) -> None:
    lines = [line for line in text("images/Dockerfile.dockerignore").splitlines() if not line.startswith("#")]
    sent = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert lines[0] == "*"
    assert sent == {source for copy in stages[0].copies for source in copy.sources}


@pytest.mark.parametrize("user", ["65532:65532", "1000660000:0"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_starts_as_the_images_user_and_as_any_other(
    archive: tuple[dict[str, Any], tarfile.TarFile], root: Path, program: str, user: str
) -> None:
    done = run(root, archive[0], [f"llmops.{program}", "--help"], user)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: python -m llmops.{program}" in done.stdout


def test_a_job_gets_as_far_as_its_first_question(
    archive: tuple[dict[str, Any], tarfile.TarFile], root: Path
) -> None:
    """It has read its tables and settings by then: a library that is missing shows before."""
    question = ["--prometheus=http://127.0.0.1:9", "--namespace=a", "--release=b", "--model=c"]
    done = run(root, archive[0], ["llmops.jobs.drift", *question])
    assert done.returncode == 2
    assert done.stderr.startswith("Prometheus at http://127.0.0.1:9 cannot be reached")


def test_what_a_job_does_not_need_is_not_there(archive: tuple[dict[str, Any], tarfile.TarFile]) -> None:
    names = archive[1].getnames()
    assert any(name.endswith("/llmops/jobs/drift.py") for name in names)
    assert not [name for name in names if re.search(r"/site-packages/(helm|kubernetes|jinja2|pytest)", name)]
    assert "usr/local/bin/llmops" not in names


def test_a_package_of_another_version_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"click \S+ is installed here and 0\.1 is locked"):
        distribution("click", "0.1")


def test_the_image_with_git_is_the_other_one_and_reaches_a_server_by_it(
    archive: tuple[dict[str, Any], tarfile.TarFile], tmp_path: Path
) -> None:
    config, layer = read(images(cache() / "images")[GIT_REF])
    settings = ("Entrypoint", "Cmd", "User", "WorkingDir", "Env", "Labels")
    assert [config[key] for key in settings] == [archive[0][key] for key in settings]
    assert set(archive[1].getnames()) < set(layer.getnames())
    # What the engine builds on top, and as whom it ends.
    (stage,) = parse(text("images/Dockerfile.git"))
    assert stage.base == f"{chart_image('reverter')['repository'].removesuffix('-git')}:0.1.0"
    assert stage.user == config["User"]
    root = unpack(layer, tmp_path)
    tmp_path.chmod(0o755)
    # A container has devices; a file does for the one that git wants.
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev/null").touch()
    (root / "dev/null").chmod(0o666)
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    repository = ["--repository=http://127.0.0.1:9/values.git", "--folder=/tmp/clone"]
    done = run(root, config, ["llmops.services.reverter", *repository])
    assert done.returncode == 2
    # So says git's own HTTP, behind which a library that is missing would show.
    assert "ailed to connect to 127.0.0.1 port 9" in done.stderr


def chart_image(name: str) -> dict[str, Any]:
    image: dict[str, Any] = yaml.safe_load(text(f"charts/{name}/values.yaml"))["image"]
    return image
