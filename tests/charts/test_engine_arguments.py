"""The engine's flags are read from its source as text: by name, from fields of a class, choices of a type."""

from __future__ import annotations

from pathlib import Path

import pytest

from generate import arguments

SOURCE = {
    arguments.ENGINE: """
def add_cli_args(parser):
    group.add_argument("--model", **kwargs["model"])
    group.add_argument("--tensor-parallel-size", "-tp", **kwargs["tensor_parallel_size"])
    parser.remove_argument("--gone")
""",
    arguments.SERVER: """
@config
class BaseFrontendArgs:
    tool_call_parser: str | None = None
    enable_log_outputs: bool = False
class Other:
    nothing: int = 1
def make(parser):
    parser.add_argument("--headless", action="store_true")
""",
    "vllm/config/cache.py": 'CacheDType = Literal["auto", "fp8"]\nKVOffloadingBackend = Literal["native"]\n',
    "vllm/config/lora.py": "MaxLoRARanks = Literal[1, 8]\n",
    "vllm/config/model.py": 'ModelDType = Literal["auto"]\n',
    "vllm/config/structured_outputs.py": 'StructuredOutputsBackend = Literal[\n    "auto", "xgrammar"\n]\n',
    "vllm/model_executor/layers/quantization/__init__.py": 'QuantizationMethods = Literal["awq"]\n',
    "vllm/reasoning/__init__.py": '_REASONING_PARSERS_TO_REGISTER = {"qwen3": ("a", "B")}\n',
    "vllm/tool_parsers/__init__.py": '_TOOL_PARSERS_TO_REGISTER: dict = {"hermes": ("a", "B")}\n',
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name, text in SOURCE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_flags_and_choices_are_those_of_the_source(source: Path) -> None:
    found = arguments.read(source, "1.2.3")
    assert found["version"] == "1.2.3"
    assert found["flags"] == [
        "--enable-log-outputs",
        "--headless",
        "--model",
        "--tensor-parallel-size",
        "--tool-call-parser",
        "-tp",
    ]
    assert found["choices"]["--kv-cache-dtype"] == ["auto", "fp8"]
    assert found["choices"]["--max-lora-rank"] == ["1", "8"]
    assert found["choices"]["--tool-call-parser"] == ["hermes"]


def test_a_source_that_has_changed_is_said(source: Path) -> None:
    (source / "vllm/config/lora.py").write_text("Ranks = 1\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="has no MaxLoRARanks"):
        arguments.read(source, "1.2.3")
