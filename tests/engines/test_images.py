"""Which engine an image runs, and which version of it, from what its name says."""

from __future__ import annotations

import pytest

from llmops import engines
from llmops.findings import InputError

DIGEST = "@sha256:" + "4f53cda18c2baa0c" * 4


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("vllm/vllm-openai:v0.33.0", "0.33.0"),
        ("vllm/vllm-openai:0.33.0" + DIGEST, "0.33.0"),
        ("docker.io/vllm/vllm-openai-rocm:v0.10.0", "0.10.0"),
        ("vllm/vllm-openai-cpu:v0.33.0-x86_64", "0.33.0"),
        ("vllm/vllm-openai-nonroot:v0.33.0", "0.33.0"),
        ("vllm/vllm-openai:v0.10.1.1", "0.10.1.1"),
        ("vllm/vllm-openai:v0.8.5.post1", "0.8.5"),
        ("vllm/vllm-openai:v0.9.2-cu129", "0.9.2"),
        ("registry.example.com/library/vllm-openai:v0.9.2", "0.9.2"),
        ("registry.example.com:5000/x/library/vllm-openai:v0.9.2", "0.9.2"),
        ("registry.example.com/docker-hub/vllm/vllm-openai:v0.9.2", "0.9.2"),
        ("vllm-openai:v0.9.2", "0.9.2"),
        ("public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:v0.10.2", "0.10.2"),
        (
            "763104351884.dkr.ecr.us-west-2.amazonaws.com/vllm:0.15.1-gpu-py312-cu129-ubuntu22.04-ec2-v1.1",
            "0.15.1",
        ),
        (
            "public.ecr.aws/deep-learning-containers/vllm:0.11.0-gpu-py312-cu128-ubuntu22.04-sagemaker-v1.1",
            "0.11.0",
        ),
        ("nvcr.io/nvidia/vllm:25.09-py3", "0.10.1.1"),
        ("registry.example.com/mirror/nvidia/vllm:26.05.post1-py3", "0.20.1"),
        ("rocm/vllm:rocm6.4.1_vllm_0.9.0.1_20250605", "0.9.0.1"),
        ("rocm/vllm:rocm6.3.1_vllm0.8.5_20250521", "0.8.5"),
        ("rocm/vllm:rocm7.14.0_cdna_ubuntu24.04_py3.14_pytorch_2.11.0_vllm_0.23.0", "0.23.0"),
        ("quay.io/ascend/vllm-ascend:v0.18.0rc1-a3", "0.18.0"),
        ("intel/vllm:0.17.0-xpu", "0.17.0"),
        # A name that tells the engine, and of its version nothing.
        ("vllm/vllm-openai" + DIGEST, ""),
        ("vllm/vllm-openai:latest", ""),
        ("vllm/vllm-openai:nightly-0.22", ""),
        ("vllm/vllm-openai:0.22", ""),
        ("registry.example.com:5000/vllm/vllm-openai", ""),
        ("lmcache/vllm-openai:v0.3.9", ""),
        ("nvcr.io/nvidia/vllm:99.01-py3", ""),
        ("rocm/vllm:rocm7.14.0", ""),
        ("public.ecr.aws/deep-learning-containers/vllm:server-cuda", ""),
        ("registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.2.5", ""),
        (
            "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve:20250801_0916_RC01",
            "",
        ),
        (
            "us-docker.pkg.dev/deeplearning-platform-release/vertex-model-garden/"
            "vllm-inference.cu121.0-6.ubuntu2204.py310",
            "",
        ),
        ("nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0", ""),
    ],
)
def test_an_image_tells_its_engine_and_perhaps_the_version(image: str, version: str) -> None:
    found = engines.of_image(image)
    assert found is not None
    assert found.engine.title == "vLLM"
    assert engines.spelled(found.version or ()) == version


@pytest.mark.parametrize(
    "image",
    [
        "",
        "nginx:1.29.0",
        "registry.example.com/team/not-vllm-openai:v0.9.2",
        "registry.example.com/vllm/vllm-openai/sidecar:v0.9.2",
        # A private image of that name counts as its owner likes.
        "registry.example.com/team/vllm:v0.1.3",
        "lmsysorg/sglang:v0.5.0",
    ],
)
def test_other_images_run_no_engine_that_is_known(image: str) -> None:
    assert engines.of_image(image) is None


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["vllm", "serve", "a/b"], "a/b"),
        (["/usr/local/bin/vllm", "serve", "a/b"], "a/b"),
        (["numactl", "-m", "0", "vllm", "serve", "a/b"], "a/b"),
        (["python3", "-m", "vllm.entrypoints.openai.api_server", "--model=a/b"], "--model=a/b"),
    ],
)
def test_a_command_line_tells_where_the_engine_s_arguments_begin(words: list[str], first: str) -> None:
    at = engines.engine("vllm").after_launcher(words)
    assert at is not None
    assert words[at] == first


def test_a_command_line_without_the_engine_has_no_arguments_of_it() -> None:
    assert engines.engine("vllm").after_launcher(["vllm", "bench", "serve"]) is None


def test_a_table_without_a_port_is_refused_with_its_file(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines/odd.yaml").write_text("server: {title: Odd}\n", encoding="utf-8")
    monkeypatch.setenv("LLMOPS_DATA", str(tmp_path))
    with pytest.raises(InputError, match="port is None; write the port") as refused:
        engines.engines()
    assert refused.value.source == str(tmp_path / "engines/odd.yaml")
