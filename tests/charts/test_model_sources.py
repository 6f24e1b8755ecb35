"""Where the weights come from: image, object store, or a download that is checked and then served without network."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.findings import RefusedError
from llmops.kubernetes.schema import violations
from llmops.render.manifest import parse
from tests.charts.conftest import CHARTS, Objects, Render, merge, refused
from tests.waiting import PATIENCE

CHART = "vllm-inference"
SCRIPT = CHARTS / CHART / "files/download.py"
SHA = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "sha256:" + "3" * 64


def ci(name: str) -> dict[str, Any]:
    return yaml.safe_load((CHARTS / CHART / f"ci/{name}-values.yaml").read_text(encoding="utf-8"))


def source(uri: str, **more: Any) -> dict[str, Any]:
    return {"global": {"llm": {"model": {"source": uri}}}, **more}


def valid(objects: Objects) -> Objects:
    text = yaml.safe_dump_all(objects.items)
    assert [one for item in parse(text, "rendered") for one in violations(item, "1.35")] == []
    return objects


# --- rendered ---------------------------------------------------------------------------------------------------------


def test_weights_in_an_image_are_mounted_and_need_no_network(render: Render) -> None:
    objects = valid(render(CHART, ci("oci"), bare=True))
    assert objects.arguments[0] == "/models/models"
    (volume,) = [one for one in objects.pod["volumes"] if one["name"] == "model"]
    assert volume["image"]["reference"].startswith("registry.example.com:5000/models/qwen3-8b:1.2@sha256:")
    assert {"name": "model", "mountPath": "/models", "readOnly": True} in objects.engine["volumeMounts"]
    assert objects.environment["HF_HUB_OFFLINE"] == "1"
    assert objects.one("NetworkPolicy", "demo")["spec"]["egress"] == []
    assert render(CHART, source(f"oci://registry.example.com/m@{DIGEST}")).arguments[0] == "/models"


def test_weights_are_streamed_from_an_object_store(render: Render) -> None:
    objects = valid(render(CHART, ci("s3"), bare=True))
    assert objects.arguments[0] == "s3://models/qwen3-8b/v3"
    assert "--load-format=runai_streamer" in objects.arguments
    environment = objects.environment
    assert environment["AWS_ENDPOINT_URL"] == "http://minio.storage:9000"
    assert environment["AWS_DEFAULT_REGION"] == "eu-central-1"
    assert environment["AWS_SECRET_ACCESS_KEY"] == {
        "secretKeyRef": {"name": "store", "key": "AWS_SECRET_ACCESS_KEY"}
    }


def test_a_download_comes_before_an_engine_without_network(render: Render) -> None:
    objects = valid(render(CHART, ci("download"), bare=True))
    (before,) = objects.pod["initContainers"]
    environment = {item["name"]: item.get("value", item.get("valueFrom")) for item in before["env"]}
    folder = f"/home/vllm/models/Qwen--Qwen3-8B/{SHA}"
    assert environment["FOLDER"] == objects.arguments[0] == folder
    assert (environment["REPOSITORY"], environment["REVISION"]) == ("Qwen/Qwen3-8B", SHA)
    assert environment["HUB"] == "https://hub.example.com"
    assert environment["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    assert objects.environment["HF_HUB_OFFLINE"] == "1"
    assert "HF_TOKEN" not in objects.environment
    assert not [word for word in objects.arguments if word.startswith("--revision")]
    home = [one for one in objects.engine["volumeMounts"] if one["name"] == "home"]
    assert home == [one for one in before["volumeMounts"] if one["name"] == "home"]
    # 300 s of load twice, image pull, download and margin.
    assert objects.workload["spec"]["progressDeadlineSeconds"] == 600 + 900 + 900 + 120
    script = objects.one("ConfigMap", "demo-download")["data"]["download.py"]
    assert script == SCRIPT.read_text(encoding="utf-8")
    assert before["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def cache_of(objects: Objects) -> tuple[str, str]:
    """Folder of the claim that the pod sees, and the compile cache in it."""
    (home,) = [one for one in objects.engine["volumeMounts"] if one["name"] == "home"]
    return home["subPath"], str(objects.environment["VLLM_CACHE_ROOT"])


@pytest.mark.long
def test_what_the_engine_runs_from_a_claim_is_its_own(render: Render) -> None:
    kept = {"cache": {"existingClaim": "shared"}}
    folder, compiled = cache_of(render(CHART, kept, name="one"))
    assert folder == "one"
    assert cache_of(render(CHART, kept, name="two"))[0] == "two"
    assert cache_of(render(CHART, kept, {"replicas": 7}, name="one")) == (folder, compiled)
    others = [
        {"image": {"digest": DIGEST}},
        {"engine": {"maxModelLen": 4096}},
        {"engine": {"parallelism": {"tensor": 2}}},
        source("hf://Qwen/Qwen3-14B"),
        {"global": {"llm": {"model": {"revision": SHA}}}},
    ]
    keys = {cache_of(render(CHART, kept, other, name="one"))[1] for other in others}
    assert len(keys | {compiled}) == len(others) + 1
    assert "VLLM_CACHE_ROOT" not in render(CHART).environment


SIGNED: dict[str, Any] = {"signature": ci("signed")["signature"]}
# What the program itself takes, read from its source; see scripts/generate/signing.py.
SIGNING: dict[str, Any] = yaml.safe_load(
    (CHARTS.parent / "scripts/llmops/data/signing.yaml").read_text(encoding="utf-8")
)


def checked(objects: Objects) -> tuple[dict[str, Any], str, argparse.Namespace]:
    """The container that checks, its method, and its words as the program would take them."""
    (container,) = [one for one in objects.pod["initContainers"] if one["name"] == "verify"]
    assert container["command"] == [SIGNING["program"]]
    verify, method, *words = container["args"]
    assert verify == "verify"
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_argument("folder")
    for option in SIGNING["verify"][method]:
        action = {"value": "store", "values": "append", "nothing": "store_true"}[option["takes"]]
        parser.add_argument(*option["names"], action=action, required=option["required"])
    return container, method, parser.parse_args(words)


@pytest.mark.parametrize("method", ["key", "certificate", "sigstore"])
def test_a_signature_is_checked_before_the_engine_starts(render: Render, method: str) -> None:
    signer = {"method": method, "file": "signed/model.sig"}
    if method == "sigstore":
        signer |= {"identity": "models@example.com", "identityProvider": "https://accounts.example.com"}
    objects = valid(render(CHART, source("pvc://weights/demo", **SIGNED), {"signature": signer}))
    container, said, words = checked(objects)
    assert said == method
    assert words.folder == objects.arguments[0] == "/models/demo"
    assert words.signature == "/models/demo/signed/model.sig"
    trusted = {
        "key": lambda: words.public_key,
        "certificate": lambda: words.certificate_chain[0],
        # Without a configuration the program would ask the network for one.
        "sigstore": lambda: words.trust_config,
    }[method]()
    assert trusted == "/signer/signer.pub"
    if method == "sigstore":
        assert (words.identity, words.identity_provider) == (signer["identity"], signer["identityProvider"])
    # A file that nobody signed is a finding, or code could be put beside the weights.
    assert not words.ignore_unsigned_files
    assert words.ignore_paths is None
    mounts = {one["name"]: one for one in container["volumeMounts"]}
    assert {name: (one["mountPath"], one["readOnly"]) for name, one in mounts.items()} == {
        "signer": ("/signer", True),
        "model": ("/models", True),
    }
    volumes = {one["name"]: one for one in objects.pod["volumes"]}
    assert volumes["signer"]["configMap"] == {"name": "signer"}
    assert objects.one("NetworkPolicy", "demo")["spec"]["egress"] == []
    assert container["image"] == SIGNED["signature"]["image"]


def test_a_download_is_complete_before_its_signature_is_checked(render: Render) -> None:
    objects = valid(render(CHART, ci("signed"), bare=True))
    assert [one["name"] for one in objects.pod["initContainers"]] == ["download", "verify"]
    container, _, words = checked(objects)
    assert words.folder == objects.arguments[0]
    # What the download writes beside the model, and nothing else.
    assert words.ignore_paths == [f"{words.folder}/.complete.json", f"{words.folder}/.lock"]
    (home,) = [one for one in container["volumeMounts"] if one["name"] == "home"]
    assert home == {"name": "home", "mountPath": "/home/vllm", "readOnly": True}
    fetched = {item["name"]: item.get("value") for item in objects.pod["initContainers"][0]["env"]}
    assert fetched["EVERY_FILE"] == "1"
    # 300 s of load twice, image pull, download, check and margin.
    assert objects.workload["spec"]["progressDeadlineSeconds"] == 600 + 900 + 1800 + 300 + 120
    kept = render(CHART, ci("signed"), {"cache": {"existingClaim": "shared"}}, bare=True)
    (home,) = [one for one in checked(kept)[0]["volumeMounts"] if one["name"] == "home"]
    assert (home["subPath"], home["readOnly"]) == ("demo", True)


def test_weights_in_an_image_are_checked_where_they_are_mounted(render: Render) -> None:
    objects = valid(render(CHART, ci("oci"), SIGNED, bare=True))
    assert checked(objects)[2].folder == objects.arguments[0] == "/models/models"


def test_without_a_signature_nothing_checks(render: Render) -> None:
    assert "initContainers" not in render(CHART, source("pvc://weights")).pod
    (before,) = render(CHART, ci("download"), bare=True).pod["initContainers"]
    assert "EVERY_FILE" not in {item["name"] for item in before["env"]}


REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "download of a volume": (
        source("pvc://weights", cache={"download": True}),
        "cache.download",
        "cache: {download: false}",
    ),
    "download without a commit": (
        {"cache": {"download": True}},
        "cache.download",
        'global: {llm: {model: {revision: "40 hex digits"}}}',
    ),
    "signature of what the engine loads itself": (SIGNED, "signature", "cache: {download: true}"),
    "signature of a stream": (
        source("s3://models/demo", **SIGNED),
        "signature",
        "s3://models/demo is in none",
    ),
    "signature of a part of the image": (
        source("file:///opt/demo", **SIGNED),
        "signature",
        "file:///opt/demo is in none",
    ),
    "store of a hub model": (
        {"objectStore": {"secret": "store"}},
        "objectStore",
        'global: {llm: {model: {source: "s3://BUCKET/PATH"}}}',
    ),
    "token of an image": (
        source(f"oci://registry.example.com/m@{DIGEST}", hub={"tokenSecret": {"name": "hub"}}),
        "hub.tokenSecret",
        'global: {llm: {model: {source: "hf://ORG/NAME"}}}',
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_contradictions_are_refused_in_one_sentence(render: Render, case: str) -> None:
    values, key, advice = REFUSALS[case]
    with refused(key, advice):
        render(CHART, values)


def test_an_old_cluster_cannot_mount_an_image(render: Render) -> None:
    with pytest.raises(RefusedError, match=r"which Kubernetes v1\.32\.0 cannot do: use 1\.33"):
        render(CHART, source(f"oci://registry.example.com/m@{DIGEST}"), kube_version="1.32.0")


# --- the download, run against a hub ----------------------------------------------------------------------------------

WEIGHTS = b"weights" * 1000
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS, "sub/tokenizer.json": b"[1]"}
DOUBLES = {"pytorch_model.bin": b"old", "original/consolidated.00.pth": b"old"}


class Hub:
    """A hub with one repository of `files`.

    `seen` collects paths; `broken` maps a file to what is sent in its place, once.
    """

    def __init__(self, files: Mapping[str, bytes] = {**FILES, **DOUBLES}) -> None:
        self.files = files
        self.seen: list[str] = []
        self.tokens: set[str | None] = set()
        self.broken: dict[str, bytes] = {}
        self.status: dict[str, int] = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.seen.append(self.path)
                hub.tokens.add(self.headers.get("Authorization"))
                body = hub.answer(self.path)
                self.send_response(hub.status.get(self.path, 200))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str) -> bytes:
        if path.startswith("/api/models/"):
            listed = [self.entry(name, data) for name, data in self.files.items()]
            return json.dumps({"sha": SHA, "siblings": listed}).encode()
        name = path.removeprefix(f"/ORG/NAME/resolve/{SHA}/")
        return self.broken.pop(name, None) or self.files.get(name, b"")

    @staticmethod
    def entry(name: str, data: bytes) -> dict[str, Any]:
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324 what git calls the file
        large = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        return {"rfilename": name, "size": len(data), "blobId": blob} | (
            {"lfs": large} if name.endswith(".safetensors") else {}
        )


@pytest.fixture
def hub() -> Iterator[Hub]:
    one = Hub()
    yield one
    one.server.shutdown()
    one.server.server_close()


def variables(hub: Hub, folder: Path, **more: str) -> dict[str, str]:
    told = {"HUB": hub.url, "REPOSITORY": "ORG/NAME", "REVISION": SHA, "FOLDER": str(folder), "PAUSE": "0"}
    return {"PATH": os.environ["PATH"], **told, **more}


def download(hub: Hub, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT)],
        env=variables(hub, folder, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def files(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(".")}


@pytest.mark.real
def test_it_brings_every_file_once_and_no_second_spelling(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    done = download(hub, folder, HF_TOKEN="secret")  # noqa: S106
    assert done.returncode == 0, done.stderr
    assert files(folder) == FILES
    assert hub.tokens == {"Bearer secret"}
    asked = len(hub.seen)
    assert "is complete" in download(hub, folder).stdout
    assert len(hub.seen) == asked


@pytest.mark.real
def test_what_was_signed_is_the_whole_commit(hub: Hub, tmp_path: Path) -> None:
    """A folder that was filled for an engine alone is filled up once its signature is asked for."""
    folder = tmp_path / "model"
    assert download(hub, folder).returncode == 0
    assert download(hub, folder, EVERY_FILE="1").returncode == 0
    assert files(folder) == {**FILES, **DOUBLES}
    asked = len(hub.seen)
    assert "is complete" in download(hub, folder, EVERY_FILE="1").stdout
    assert "is complete" in download(hub, folder).stdout
    assert len(hub.seen) == asked


@pytest.mark.real
def test_a_damaged_file_is_asked_for_again(hub: Hub, tmp_path: Path) -> None:
    hub.broken = {"model.safetensors": WEIGHTS[:-1] + b"?", "config.json": b"{"}
    assert download(hub, tmp_path / "model").returncode == 0
    assert files(tmp_path / "model") == FILES


@pytest.mark.real
@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        (f"/api/models/ORG/NAME/revision/{SHA}?blobs=true", 404, "list of files: the hub answers 404"),
        (f"/ORG/NAME/resolve/{SHA}/config.json", 403, "config.json: the hub answers 403"),
        (f"/ORG/NAME/resolve/{SHA}/model.safetensors", 503, "the hub answers 503, after 5 tries"),
    ],
)
def test_a_failed_download_is_never_marked_complete(
    hub: Hub, tmp_path: Path, path: str, status: int, sentence: str
) -> None:
    hub.status = {path: status}
    failed = download(hub, tmp_path / "model")
    assert failed.returncode == 1
    assert sentence in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "model/.complete.json").exists()
    hub.status = {}
    assert download(hub, tmp_path / "model").returncode == 0
    assert files(tmp_path / "model") == FILES


@pytest.mark.real
def test_a_file_that_went_missing_is_brought_back(hub: Hub, tmp_path: Path) -> None:
    assert download(hub, tmp_path / "model").returncode == 0
    (tmp_path / "model/model.safetensors").unlink()
    assert download(hub, tmp_path / "model").returncode == 0
    assert files(tmp_path / "model") == FILES


@pytest.mark.real
def test_servers_that_share_a_folder_download_once(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    command = [sys.executable, str(SCRIPT)]
    running = [subprocess.Popen(command, env=variables(hub, folder)) for _ in range(3)]
    assert [one.wait(PATIENCE) for one in running] == [0, 0, 0]
    assert len(hub.seen) == 1 + len(FILES)
    assert files(folder) == FILES


def test_layers_of_values_reach_the_umbrella(render: Render) -> None:
    values = merge(ci("download"), {"global": {"llm": {"components": {"monitoring": False}}}})
    stack = {"global": values["global"], "vllm-inference": {"cache": values["cache"], "hub": values["hub"]}}
    assert render("llm-stack", stack, bare=True).pod["initContainers"][0]["name"] == "download"
