"""The memory estimate against parameter counts, measured runs of vLLM and figures worked by hand."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.capacity import gpu_products
from llmops.capacity.fit import Fit, Verdict, fit
from llmops.findings import InputError

ROOT = Path(__file__).parents[2]


def config(model_type: str, layers: int, hidden: int, heads: int, **rest: Any) -> dict[str, Any]:
    return {
        "model_type": model_type,
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        **rest,
    }


QWEN = {"vocab_size": 151936, "max_position_embeddings": 40960}
LLAMA = {"vocab_size": 128256, "max_position_embeddings": 131072}
QWEN3_8B = config("qwen3", 36, 4096, 32, intermediate_size=12288, **QWEN)
QWEN3_32B = config("qwen3", 64, 5120, 64, intermediate_size=25600, **QWEN)
LLAMA_8B = config("llama", 32, 4096, 32, intermediate_size=14336, **LLAMA)
LLAMA_70B = config("llama", 80, 8192, 64, intermediate_size=28672, **LLAMA)
QWEN25_7B = config(
    "qwen2",
    28,
    3584,
    28,
    num_key_value_heads=4,
    intermediate_size=18944,
    vocab_size=152064,
    max_position_embeddings=32768,
    sliding_window=131072,
    use_sliding_window=False,
)


def on(product: str, model: dict[str, Any], quantization: str = "", **engine: Any) -> Fit:
    return fit(
        model,
        {"gpuMemoryUtilization": 0.9, **engine},
        gpu_products.product(product),
        quantization=quantization,
    )


def measured(model: dict[str, Any], **engine: Any) -> Fit:
    """The set-up of the measured runs: vLLM 0.19, H100, utilization 0.95."""
    return on("H100-80GB", model, **{"gpuMemoryUtilization": 0.95, "version": "0.19.0", **engine})


@pytest.mark.parametrize(
    ("model", "billions", "kv_bytes"),
    # KV bytes: 2 (K and V) x layers x KV heads x head size x 2 bytes
    [
        (QWEN3_8B, 8.19, 147456),
        (QWEN3_32B, 32.8, 262144),
        (LLAMA_70B, 70.6, 327680),
        (QWEN25_7B, 7.62, 2 * 28 * 4 * 128 * 2),
    ],
)
def test_parameters_and_kv_bytes_of_a_token_follow_from_the_architecture(
    model: dict[str, Any], billions: float, kv_bytes: int
) -> None:
    result = measured(model)
    assert result.parameters / 1e9 == pytest.approx(billions, rel=0.005)
    assert result.kv_bytes_per_token == kv_bytes


@pytest.mark.parametrize(
    ("model", "engine", "weights", "kv_pool"),
    [
        (LLAMA_8B, {}, 14.99, 58.11),
        (LLAMA_8B, {"parallelism": {"tensor": 2}}, 7.51, 75.23 - 7.51 - 1.89 - 2.07),
        (LLAMA_8B, {"parallelism": {"tensor": 4}}, 3.77, 75.23 - 3.77 - 1.89 - 2.13),
        # The fullest stage is the last: it has the sampler, and with it the activation of a single GPU.
        (LLAMA_8B, {"parallelism": {"pipeline": 2}}, 7.51, 75.23 - 7.51 - 1.89 - 0.25),
        (LLAMA_8B, {"parallelism": {"pipeline": 4}}, 4.26, 75.23 - 4.26 - 1.89 - 0.25),
        (LLAMA_8B, {"quantization": "fp8"}, 8.49, 64.61),
        (QWEN25_7B, {}, 14.25, 58.53),
    ],
)
def test_weights_and_kv_pool_are_those_that_vllm_reported(
    model: dict[str, Any], engine: dict[str, Any], weights: float, kv_pool: float
) -> None:
    result = measured(model, **engine)
    assert result.weights == pytest.approx(weights, rel=0.01)
    assert result.kv_pool == pytest.approx(kv_pool, rel=0.01)
    assert result.gpu_measured


def test_an_fp8_kv_cache_holds_twice_the_tokens_in_the_same_pool() -> None:
    plain, fp8 = measured(LLAMA_8B), measured(LLAMA_8B, kvCacheDtype="fp8_e4m3")
    assert fp8.kv_pool == plain.kv_pool
    assert fp8.kv_tokens == pytest.approx(2 * plain.kv_tokens, abs=16)


def test_kv_heads_are_copied_where_there_are_more_gpus_than_heads() -> None:
    wide = measured(QWEN25_7B, parallelism={"tensor": 28})
    # One head of 128 in each of 28 layers, K and V, 2 bytes.
    assert wide.kv_bytes_per_token_per_gpu == 2 * 28 * 128 * 2


@pytest.mark.parametrize(
    ("product", "model", "quantization", "engine"),
    [
        ("L4", QWEN3_8B, "awq", {"maxModelLen": 32768}),
        ("A100-80GB", QWEN3_32B, "none", {"maxModelLen": 32768, "parallelism": {"tensor": 2}}),
        ("H100-80GB", LLAMA_70B, "fp8", {"maxModelLen": None, "parallelism": {"tensor": 4}}),
        ("L40S", LLAMA_70B, "fp8", {"maxModelLen": 131072, "parallelism": {"tensor": 4}}),
    ],
)
def test_the_reference_releases_fit(
    product: str, model: dict[str, Any], quantization: str, engine: dict[str, Any]
) -> None:
    result = on(product, model, quantization, **engine)
    assert result.fits
    assert result.reasons == ()
    assert result.warnings == ()
    assert result.concurrency >= 1


def test_a_context_that_does_not_fit_is_answered_with_the_largest_one_that_does() -> None:
    long_model = {**QWEN3_8B, "max_position_embeddings": 131072}
    result = on("L4", long_model, maxModelLen=131072, maxNumSeqs=64)
    (reason,) = result.reasons
    assert not result.fits
    assert "vllm-inference.engine.maxModelLen is 131072" in reason
    assert f"vllm-inference.engine.maxModelLen: {result.largest_context} or less" in reason
    assert "parallelism.tensor: 2" in reason
    assert result.largest_context % 1024 == 0
    assert on("L4", long_model, maxModelLen=result.largest_context, maxNumSeqs=64).verdict is Verdict.FITS
    beyond = on("L4", long_model, maxModelLen=result.largest_context + 1024, maxNumSeqs=64)
    assert (beyond.verdict, beyond.fits) == (Verdict.TIGHT, True)
    assert "may refuse to start" in beyond.warnings[0]
    assert on("L4", long_model, maxModelLen=131072, maxNumSeqs=64, parallelism={"tensor": 2}).fits


def test_the_verdict_stands_when_the_kv_pool_comes_out_8_percent_smaller() -> None:
    # 147456 bytes a token, the pool less 8 %, in GiB: what the largest context needs must be within.
    result = on("L4", {**QWEN3_8B, "max_position_embeddings": 131072}, maxModelLen=8192)
    need = result.largest_context * 147456 / 2**30
    assert need <= result.kv_pool * 0.92
    assert need + 1024 * 147456 / 2**30 > result.kv_pool * 0.92 - 0.01


@pytest.mark.parametrize(
    ("engine", "names", "writes"),
    [
        ({"maxModelLen": 65536}, "max_position_embeddings of 40960", "write 40960 or less"),
        ({"parallelism": {"tensor": 3}}, "32 attention heads and 8 KV heads", "write one of 1, 2, 4, 8, 16"),
        (
            {"dtype": "float32", "gpuMemoryUtilization": 0.3},
            "the weights alone take 30.",
            "parallelism.tensor: 4",
        ),
        (
            {"gpuMemoryUtilization": 0.2},
            "the weights, activation, libraries and graphs take 17.0 GiB",
            "tensor: 2",
        ),
        ({"parallelism": {"pipeline": 40}}, "36 layers", "write 36 or less"),
    ],
)
def test_what_cannot_start_is_refused_with_the_key_and_what_to_write(
    engine: dict[str, Any], names: str, writes: str
) -> None:
    result = on("A100-80GB", QWEN3_8B, **engine)
    sentences = " ".join(result.reasons)
    assert result.verdict is Verdict.DOES_NOT_FIT
    assert "vllm-inference.engine." in sentences
    assert names in sentences
    assert writes in sentences


def test_more_gpus_than_the_pod_asks_for_are_refused() -> None:
    result = fit(QWEN3_8B, {"parallelism": {"tensor": 2}}, gpu_products.product("L40S"), 1)
    assert "a pod asks for 1" in result.reasons[0]


@pytest.mark.parametrize(
    ("version", "names", "writes"),
    [
        # 256 sequences x 151,936 logits x 12 bytes and half a GiB of the driver, of 21.99 GiB
        ("0.33.0", "leaves 0.0 GiB of each L4 for the sampler's warm-up", "write 0.95 or less"),
        # and 1.9 GiB of graphs
        ("0.19.0", "for CUDA graphs and the sampler's warm-up", "write 0.87 or less"),
    ],
)
def test_a_utilization_without_room_for_what_comes_after_is_a_warning_not_a_refusal(
    version: str, names: str, writes: str
) -> None:
    result = on("L4", QWEN3_8B, "awq", gpuMemoryUtilization=0.98, version=version)
    assert (result.fits, result.verdict) == (True, Verdict.TIGHT)
    (warning,) = result.warnings
    assert names in warning
    assert writes in warning


def test_engines_from_0_21_on_take_the_graphs_out_of_the_pool_and_none_are_made_with_enforce_eager() -> None:
    batch = {"maxNumSeqs": 256, "extraArgs": ["--max-num-batched-tokens=8192"]}
    old, new = (measured(LLAMA_8B, version=version, **batch) for version in ("0.20.0", "0.21.0"))
    assert new.kv_pool == pytest.approx(old.kv_pool - new.graphs)
    assert 0.5 < new.graphs < 1.9
    eager = measured(LLAMA_8B, version="0.21.0", maxNumSeqs=256, extraArgs=["--enforce-eager"])
    assert eager.kv_pool == pytest.approx(old.kv_pool)


def test_smaller_batches_leave_more_kv_cache() -> None:
    few = measured(LLAMA_8B, maxNumSeqs=64, extraArgs=["--max-num-batched-tokens", "2048"])
    assert few.kv_pool > measured(LLAMA_8B).kv_pool + 1.5


def packed(bits: int, group: int | None = None) -> dict[str, Any]:
    """The quantization_config of a checkpoint of compressed-tensors."""
    weights = {"num_bits": bits, "group_size": group, "type": "int"}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": weights}}}


# Bits of a weight. Llama 3.1 8B has 6.98e9 in matrices of layers, and 1.05e9 in embedding and head, which stay at
# 16 bit; 4 bit in groups of 128 have 20 bit more for each group; mxfp4 is for experts, and here are none.
DESCRIBED = {
    "none": 16,
    "": 16,
    "mxfp4": 16,
    "fp8": 8,
    "int8": 8,
    "w8a8": 8,
    "awq": 4.16,
    "gptq": 4.16,
    "w4a16": 4.16,
}


@pytest.mark.parametrize("described", DESCRIBED)
def test_what_the_values_may_say_of_the_weights_is_covered(described: str) -> None:
    result = on("H100-80GB", LLAMA_8B, described)
    assert result.covered
    assert result.weights == pytest.approx((6.98e9 * DESCRIBED[described] / 8 + 1.05e9 * 2) / 2**30, abs=0.05)


def test_every_description_that_the_schema_offers_has_its_bytes() -> None:
    schema = yaml.safe_load((ROOT / "charts/llm-common/global.schema.yaml").read_text(encoding="utf-8"))
    model = schema["properties"]["llm"]["properties"]["model"]["properties"]
    assert set(model["quantization"]["enum"]) == set(DESCRIBED)


@pytest.mark.parametrize(
    ("own", "bits"),
    # Bits of a weight of the matrices, with a scale of 16 bit for each group of integers.
    [
        (packed(8), 8),
        (packed(4, 128), 4 + 16 / 128),
        (packed(4, 32), 4 + 16 / 32),
        (packed(4), 4),
        ({"quant_method": "gptq", "bits": 8, "group_size": 128}, 8 + (16 + 8) / 128),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 128}, 4 + (16 + 4) / 128),
        # A scale of 8 bit for each 16 or 32 weights.
        ({"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head"]}, 4 + 8 / 16),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, 8),
        ({"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp4"}}}, 4 + 8 / 32),
        ({"quant_method": "mxfp8"}, 8 + 8 / 32),
    ],
)
def test_a_checkpoint_says_itself_how_it_is_packed(own: dict[str, Any], bits: float) -> None:
    found = on("H100-80GB", {**LLAMA_8B, "quantization_config": own})
    assert found.weights == pytest.approx((6.98e9 * bits / 8 + 1.05e9 * 2) / 2**30, abs=0.05)


@pytest.mark.parametrize(
    "ignored",
    ["re:.*self_attn.*", "model.layers.*.self_attn*", "self_attn", "model.layers.17.self_attn.o_proj"],
)
def test_modules_that_stay_16_bit_are_counted_so(ignored: str) -> None:
    own = {"quant_method": "fp8", "modules_to_not_convert": [ignored, "lm_head"]}
    whole, part = (
        on("H100-80GB", {**LLAMA_8B, "quantization_config": q}) for q in ({"quant_method": "fp8"}, own)
    )
    # q and o of 4096 x 4096, k and v of 4096 x 1024, in 32 layers: one byte more each.
    assert part.weights - whole.weights == pytest.approx(32 * 4096 * (2 * 4096 + 2 * 1024) / 2**30)


def test_groups_of_a_container_have_bits_of_their_own() -> None:
    groups = {
        "experts": {"targets": ["re:.*mlp.*"], "weights": {"num_bits": 4, "group_size": 128, "type": "int"}},
        "others": {"targets": ["re:.*self_attn.*"], "weights": {"num_bits": 8, "type": "float"}},
    }
    own = {"quant_method": "compressed-tensors", "config_groups": groups}
    attention, mlp = 32 * 4096 * (2 * 4096 + 2 * 1024), 32 * 3 * 4096 * 14336
    expected = attention + mlp * (4 + 16 / 128) / 8 + 1.05e9 * 2
    assert on("H100-80GB", {**LLAMA_8B, "quantization_config": own}).weights == pytest.approx(
        expected / 2**30, abs=0.05
    )


def test_a_container_without_figures_needs_the_values_description() -> None:
    bare = {**LLAMA_8B, "quantization_config": {"quant_method": "compressed-tensors"}}
    assert on("H100-80GB", bare, "w8a8").weights == on("H100-80GB", LLAMA_8B, "w8a8").weights
    odd = on("H100-80GB", bare)
    assert not odd.covered
    assert "compressed-tensors weights without global.llm.model.quantization" in odd.reasons[0]


@pytest.mark.parametrize(
    ("change", "engine", "says"),
    [
        ({"model_type": "rwkv7"}, {}, "model type rwkv7"),
        ({"index_topk": 2048}, {}, "sparse attention"),
        ({"layer_types": ["full_attention", "linear_attention"]}, {}, "layers of linear_attention"),
        ({"vision_config": {"depth": 32}}, {}, "vision_config"),
        ({"quantization_config": {"quant_method": "fp8", "bits": 6}}, {}, "6 bit"),
        ({}, {"quantization": "bitsandbytes"}, "bitsandbytes"),
        ({}, {"kvCacheDtype": "nvfp4"}, "nvfp4"),
        ({}, {"extraArgs": ["--cpu-offload-gb=8"]}, "--cpu-offload-gb"),
        (
            {},
            {"speculative": {"method": "eagle3", "tokens": 3, "model": "a/b"}},
            "engine.speculative.method eagle3",
        ),
        ({}, {"speculative": {"method": "mtp", "tokens": 3}}, "engine.speculative.method mtp"),
        ({}, {"kvOffload": {"sizeGiB": 16}}, "engine.kvOffload.sizeGiB"),
        ({}, {"parallelism": {"tensor": 1, "data": 2}}, "engine.parallelism.data 2"),
        ({}, {"chunkedPrefill": False}, "engine.chunkedPrefill false"),
    ],
)
def test_what_is_not_covered_gets_no_verdict_and_no_figure(
    change: dict[str, Any], engine: dict[str, Any], says: str
) -> None:
    result = on("H100-80GB", {**QWEN3_8B, **change}, **engine)
    assert not result.covered
    assert not result.fits
    assert (result.weights, result.kv_tokens) == (0, 0)
    assert result.reasons[0].startswith("Not covered yet: no verdict for ")
    assert says in result.reasons[0]
    assert f"The weights alone take at least {result.at_least:.1f} GiB of each GPU." in result.reasons[0]
    # Never more than the model has: 8.19e9 parameters in 16 bit.
    assert 1 < result.at_least <= 15.3


def test_weights_that_are_too_many_without_a_verdict_are_refused_as_such() -> None:
    unknown = {**LLAMA_70B, "model_type": "rwkv7"}
    result = on("L4", unknown)
    assert (result.verdict, result.fits, result.uncovered) == (Verdict.DOES_NOT_FIT, False, result.uncovered)
    assert "the weights alone take at least" in result.reasons[0]


@pytest.mark.parametrize(
    ("lora", "tensor", "gib"),
    # Llama 3.1 8B, rank 16: inputs and outputs of seven matrices in 32 layers and of the output head, 2 bytes each.
    [
        ({}, 1, 16 * (32 * (4 * 4096 + 6144 + 4096 + 3 * 4096 + 3 * 14336) + 4096 + 128256) * 2),
        (
            {"maxLoras": 4, "maxRank": 64},
            1,
            256 * (32 * (4 * 4096 + 6144 + 4096 + 3 * 4096 + 3 * 14336) + 132352) * 2,
        ),
        ({}, 2, 16 * (32 * (4 * 4096 + 3072 + 2048 + 3 * 4096 + 3 * 7168) + 4096 + 64128) * 2),
    ],
)
def test_adapters_are_an_addition_that_is_stated(lora: dict[str, Any], tensor: int, gib: float) -> None:
    adapters = {"lora": {"adapters": [{"name": "sql", "path": "sql"}], **lora}}
    plain, found = (
        on("H100-80GB", LLAMA_8B, parallelism={"tensor": tensor}, **more) for more in ({}, adapters)
    )
    assert found.adapters == pytest.approx(gib / 2**30)
    assert found.weights == plain.weights
    assert found.kv_pool == pytest.approx(plain.kv_pool - found.adapters)


def test_adapters_beside_experts_are_not_counted_and_said_to_be_missing() -> None:
    mixture = {
        **QWEN3_8B,
        "model_type": "qwen3_moe",
        "num_experts": 8,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 768,
    }
    found = on("H100-80GB", mixture, lora={"adapters": [{"name": "sql", "path": "sql"}]})
    assert not found.covered
    assert "engine.lora.adapters beside experts" in found.reasons[0]


def test_keys_that_are_there_and_say_nothing_change_no_verdict() -> None:
    plain = on("H100-80GB", QWEN3_8B)
    empty = {"speculative": {}, "lora": {"adapters": []}, "kvOffload": {}, "chunkedPrefill": True}
    assert on("H100-80GB", QWEN3_8B, parallelism={"tensor": 1, "data": None}, **empty) == plain
    assert on("H100-80GB", QWEN3_8B, parallelism={"data": 1}) == plain


def test_nodes_share_a_model_as_gpus_of_one_node_do() -> None:
    """A server over two nodes: 16 bit weights of 70.6e9 parameters over 4 GPUs, 33 GiB each."""
    over_nodes = on("H100-80GB", LLAMA_70B, parallelism={"tensor": 2, "pipeline": 2, "nodes": 2})
    assert over_nodes.fits
    assert over_nodes.weights == pytest.approx(70.6e9 * 2 / 4 / 2**30, rel=0.03)
    assert over_nodes == on("H100-80GB", LLAMA_70B, parallelism={"tensor": 2, "pipeline": 2})


def test_the_checkpoint_says_how_it_is_quantized_before_the_values_do() -> None:
    awq = {**QWEN3_8B, "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}}
    # 6.95e9 matrix weights at 4 bit, of which every 128 have 20 bit more, and 1.24e9 of embedding and head at 2 bytes.
    assert on("L4", awq, "none").weights == pytest.approx(
        (6.95e9 * (4 + 20 / 128) / 8 + 1.24e9 * 2) / 2**30, abs=0.02
    )


@pytest.mark.parametrize(
    ("model", "engine", "says"),
    [
        ({**QWEN3_8B, "vocab_size": None}, {}, "no vocab_size"),
        (QWEN3_8B, {"gpuMemoryUtilization": 90}, "gpuMemoryUtilization is 90"),
        (QWEN3_8B, {"maxModelLen": "32k"}, "engine.maxModelLen is '32k'"),
        (QWEN3_8B, {"parallelism": {"tensor": 0}}, "engine.parallelism.tensor is 0"),
    ],
)
def test_figures_that_cannot_be_read_are_named(
    model: dict[str, Any], engine: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        on("L4", model, **engine)
