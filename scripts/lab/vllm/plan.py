"""`python -m lab.vllm.plan CASE.json`, by the engine's Python: what vLLM's own code plans for one model, as JSON.

The model class is built on the meta device through the engine's own loader, so its parameters have sizes and no
memory; the cache is planned by the engine's own planner from the layers that registered themselves. A case has
`config` (config.json), `device`, `tensor`, `kvGiB` (the pool), and `engine` (arguments of the engine).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lab.vllm import pretend

GIB = 2**30


def plan(case: dict[str, Any]) -> dict[str, Any]:
    """GiB of weights on one GPU, and the cache: groups (layers, kind, tokens and bytes of a page), blocks, tokens."""
    device, tensor = pretend.Device(**case["device"]), case.get("tensor", 1)
    pretend.gpu(device, tensor)
    pretend.platform(device, tensor)
    pretend.libraries()
    config = engine_config(case, tensor)
    pretend.one_process(tensor, 0)
    with groups(config, tensor):
        model = build(config)
        found: dict[str, Any] = {
            "weightsGiB": round(size(model) / GIB, 3),
            "tokensAStep": config.scheduler_config.max_num_batched_tokens,
            "sequences": config.scheduler_config.max_num_seqs,
        }
        if config.speculative_config and config.speculative_config.draft_model_config:
            draft = build(config, config.speculative_config.draft_model_config)
            found["draftGiB"] = round(size(draft) / GIB, 3)
        return found | cache(config, int(case["kvGiB"] * GIB))


def engine_config(case: dict[str, Any], tensor: int) -> Any:
    from vllm.engine.arg_utils import EngineArgs
    from vllm.usage.usage_lib import UsageContext

    folder = Path(tempfile.mkdtemp(prefix="plan"))
    (folder / "config.json").write_text(json.dumps(case["config"]), encoding="utf-8")
    (folder / "preprocessor_config.json").write_text("{}", encoding="utf-8")
    arguments = {
        "model": str(folder),
        "skip_tokenizer_init": True,
        "tensor_parallel_size": tensor,
        "load_format": "dummy",
        "distributed_executor_backend": "mp" if tensor > 1 else None,
        **case.get("engine", {}),
    }
    return EngineArgs(**arguments).create_engine_config(usage_context=UsageContext.OPENAI_API_SERVER)


@contextmanager
def groups(config: Any, tensor: int) -> Iterator[None]:
    """The engine's own process groups, in this one process."""
    import torch
    import vllm.distributed.parallel_state as parallel
    from vllm.config import set_current_vllm_config
    from vllm.v1.worker.workspace import init_workspace_manager

    with set_current_vllm_config(config):
        with torch.device("cpu"):
            parallel._WORLD = parallel.init_world_group(list(range(tensor)), 0, "fake")
            parallel.initialize_model_parallel(tensor, 1, backend="fake")
        init_workspace_manager(torch.device("meta"))
        yield


def build(config: Any, model_config: Any = None) -> Any:
    """The model, or its draft, without a byte of memory."""
    import torch
    from vllm.model_executor.model_loader.utils import initialize_model
    from vllm.utils.torch_utils import set_default_torch_dtype

    own = model_config or config.model_config
    named = {"model_config": own, "prefix": ""} if model_config else {}
    with set_default_torch_dtype(own.dtype), torch.device("meta"), pretend.OnMeta():
        return initialize_model(vllm_config=config, **named)


def size(model: Any) -> int:
    """Bytes of parameters and buffers, tied tables once."""
    tensors = {id(one): one for one in (*model.parameters(), *model.buffers())}
    return sum(one.numel() * one.element_size() for one in tensors.values())


def cache(config: Any, pool: int) -> dict[str, Any]:
    from vllm.platforms import current_platform
    from vllm.v1.attention.backends.utils import resolve_kv_cache_layout
    from vllm.v1.core import kv_cache_planning as planning
    from vllm.v1.core import kv_cache_utils as utils
    from vllm.v1.core.single_type_kv_cache_manager import register_all_kvcache_specs
    from vllm.v1.worker import worker_base

    current_platform.update_block_size_for_backend(config)
    layers = specs(config)
    register_all_kvcache_specs(config)
    layouts = [
        one.name
        for one in worker_base.get_supported_kv_cache_layouts(worker_base.get_current_attn_backends(config))
    ]
    resolve_kv_cache_layout(config, [layouts], list(layers.values()))
    shared = planning.get_global_kv_cache_groups(config, [layers])
    found: dict[str, Any] = {
        "groups": [
            [len(group.layer_names), type(spec).__name__, spec.block_size, spec.page_size_bytes]
            for group in shared
            for spec in [group.kv_cache_spec]
        ]
    }
    try:
        (one,) = planning.get_kv_cache_configs(config, [layers], [pool], shared)
    except ValueError as error:
        return found | {"refused": str(error).split(". ")[0]}
    tokens, _ = utils.get_kv_cache_capacity(config, utils.generate_scheduler_kv_cache_config([one]))
    return found | {"blocks": one.num_blocks, "tokens": tokens}


def specs(config: Any) -> dict[str, Any]:
    """What each layer says of its own cache; a layer that reads another's has none."""
    from dataclasses import replace

    from vllm.config import get_layers_from_vllm_config
    from vllm.model_executor.layers.attention import Attention
    from vllm.model_executor.layers.attention_layer_base import AttentionLayerBase
    from vllm.v1.kv_cache_interface import AttentionSpec
    from vllm.v1.worker.utils import customize_attention_spec

    found = {}
    for name, layer in get_layers_from_vllm_config(config, AttentionLayerBase).items():
        if isinstance(layer, Attention) and layer.kv_sharing_target_layer_name:
            continue
        spec = layer.get_kv_cache_spec(config)
        if not spec:
            continue
        with suppress(Exception):
            if isinstance(spec, AttentionSpec):
                spec = customize_attention_spec(layer.get_attn_backend(), spec)
        found[name] = replace(spec, is_draft=True) if getattr(layer, "is_draft_layer", False) else spec
    return found


if __name__ == "__main__":
    pretend.quiet()
    try:
        answer = plan(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    except BaseException as error:  # whatever the engine does with a class that it cannot build
        answer = {"failed": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    # Threads of libraries would hold the process.
    os._exit(0)
