"""The fit as a release asks for it: which keys it reads, and what a check is told."""

from pathlib import Path
from typing import Any

import pytest

from llmops.capacity.fit import from_release, missing, reasons
from llmops.findings import InputError, Severity
from llmops.release import Inputs, Release
from llmops.render import Target

CONFIG = {
    "model_type": "qwen3",
    "num_hidden_layers": 36,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 12288,
    "vocab_size": 151936,
    "tie_word_embeddings": False,
    "max_position_embeddings": 131072,
}


def release(engine: dict[str, Any], product: str = "L4", chart: str = "llm-stack", **change: Any) -> Release:
    llm = {"model": {"quantization": "awq"}, "gpu": {"product": product}}
    block = {"vllm-inference": {"engine": engine}} if chart == "llm-stack" else {"engine": engine}
    values = {"global": {"llm": llm}, **block}
    return Release("m", "ns", "1.35.0", [], values=values, model={**CONFIG, **change})


@pytest.mark.parametrize(
    ("chart", "key", "path"),
    [
        ("llm-stack", "vllm-inference.engine.maxModelLen", "values/vllm-inference/engine/maxModelLen"),
        ("vllm-inference", "engine.maxModelLen", "values/engine/maxModelLen"),
    ],
)
def test_a_reason_points_at_the_key_of_the_chart_that_is_installed(chart: str, key: str, path: str) -> None:
    (reason,) = reasons(release({"maxModelLen": 131072, "gpuMemoryUtilization": 0.9}, chart=chart))
    assert reason.severity is Severity.ERROR
    assert reason.path == path
    assert reason.message.startswith(f"{key} is 131072")
    assert f"{key}: " in reason.fix


def test_a_release_that_fits_or_is_not_covered_gives_a_check_nothing_to_report() -> None:
    assert reasons(release({"maxModelLen": 32768, "gpuMemoryUtilization": 0.9})) == ()
    assert reasons(release({"maxModelLen": 32768}, model_type="mamba")) == ()


@pytest.mark.parametrize(
    ("product", "said"),
    [
        ("MI300X", "Write one of MI300X-192GB as"),
        ("H100", "Write one of H100-80GB, H100-PCIE-80GB, H100-NVL-94GB as"),
        ("Voodoo2", "Write one of L4, A10"),
    ],
)
def test_an_unknown_product_is_a_warning_with_those_of_its_chip_or_all(product: str, said: str) -> None:
    (reason,) = reasons(release({"maxModelLen": 1024}, product=product))
    assert reason.severity is Severity.WARNING
    assert reason.path == "values/global/llm/gpu/product"
    assert reason.message == f'GPU product "{product}" is not known'
    assert reason.fix.startswith(said)


def test_without_model_figures_there_is_no_fit() -> None:
    bare = release({"maxModelLen": 1024})
    bare.model = None
    assert from_release(bare) is None
    assert from_release(Release("m", "ns", "1.35.0", [])) is None


def test_what_is_missing_for_a_verdict_is_named() -> None:
    assert missing(release({"maxModelLen": 1024})) == ()
    assert missing(release({"maxModelLen": 1024}, product="")) == ("global.llm.gpu.product is empty",)
    bare = release({"maxModelLen": 1024})
    bare.model = None
    assert missing(bare) == ("there is no config.json beside the values",)


def test_a_figure_that_cannot_be_read_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    wrong = release({"maxModelLen": 1024}, vocab_size="many")
    wrong.inputs = Inputs(tmp_path, (), Target("m", "ns"), model_dir=tmp_path)
    with pytest.raises(InputError) as error:
        from_release(wrong)
    assert str(error.value).startswith(f"{tmp_path / 'config.json'} has 'many' as vocab_size: write")
    (reason,) = reasons(wrong)
    assert reason.message == f"{tmp_path / 'config.json'} has 'many' as vocab_size"
    assert reason.fix == "Write the figure of the model's own file."


@pytest.mark.parametrize(("product", "known"), [("H100-80GB", True), ("L4", True), ("L20", False)])
def test_only_a_running_engine_measures_the_memory_of_a_gpu(product: str, known: bool) -> None:
    result = from_release(release({"maxModelLen": 1024, "gpuMemoryUtilization": 0.9}, product=product))
    assert result
    assert result.gpu_measured is known


def test_a_gpu_that_the_table_does_not_have_is_described_in_the_values() -> None:
    own = release({"maxModelLen": 8192, "gpuMemoryUtilization": 0.9}, product="lab-gpu")
    own.values["global"]["llm"]["gpu"]["figures"] = {"memoryGiB": 47.5, "bandwidthGBs": 900}
    found = from_release(own)
    assert found
    assert (found.usable, found.gpu_measured, found.fits) == (47.5, False, True)
    own = release({"maxModelLen": 8192}, product="lab-gpu")
    own.values["global"]["llm"]["gpu"]["figures"] = {"memoryGiB": "much"}
    with pytest.raises(InputError, match="'much' as memoryGiB"):
        from_release(own)
