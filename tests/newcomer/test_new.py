"""A model of one's own: written by one command, pinned by a second one, and ready without a waiver."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from llmops.cli import main

ROOT = Path(__file__).parents[2]
COMMIT, DIGEST = "9c1b2a0f5d3e4c6b7a8990a1b2c3d4e5f6071829", "sha256:" + "5" * 64


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of models beside the environments and the platform of this repository; no hub."""
    for name in ("environments", "platform"):
        shutil.copytree(ROOT / "values" / name, tmp_path / name)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    return tmp_path / "models"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def new(models: Path, name: str, *words: object) -> Result:
    return run("new", name, "--models", models, *words)


@pytest.mark.parametrize(
    ("source", "product"),
    [("Qwen/Qwen3-8B-AWQ", "L4"), ("Qwen/Qwen3-32B", "A100-80GB"), ("openai/gpt-oss-20b", "L40S")],
)
def test_three_models_of_ones_own_are_ready_with_nothing_waived(
    source: str, product: str, models: Path
) -> None:
    written = new(models, "mine", "--source", f"hf://{source}", "--gpu", product)
    assert written.exit_code == 0, written.output
    assert not list(models.rglob("waivers.yaml"))
    for env in ("dev", "test", "staging", "prod"):
        pinned = run(
            *("release", "set", "mine", "--models", models, "--env", env),
            *("--revision", COMMIT, "--image-digest", DIGEST),
        )
        assert pinned.exit_code == 0, pinned.output
    checked = run("check", "--models", models, "--chart", ROOT / "charts/llm-stack", "--format", "json")
    document = json.loads(checked.stdout)
    assert document["findings"] == []
    assert document["releases"] == 4


def test_what_is_not_pinned_is_told_and_not_waived(models: Path) -> None:
    new(models, "mine", "--source", "hf://Qwen/Qwen3-8B", "--gpu", "L40S", "--env", "prod")
    checked = run("check", "--models", models, "--chart", ROOT / "charts/llm-stack", "--format", "json")
    rules = {one["rule"] for one in json.loads(checked.stdout)["findings"]}
    assert rules == {"image/missing-digest", "model/unpinned-revision"}


def test_as_many_gpus_as_the_model_needs_are_proposed(models: Path) -> None:
    new(models, "large", "--source", "hf://Qwen/Qwen3-32B", "--gpu", "L40S", "--env", "prod")
    text = (models / "large/values.yaml").read_text(encoding="utf-8")
    assert "tensor: 2" in text
    assert "2 x L40S" in text


def test_a_model_whose_figures_nobody_has_is_written_and_said_to_be_unjudged(models: Path) -> None:
    written = new(models, "odd", "--source", "hf://nobody/nothing", "--gpu", "L40S", "--env", "dev")
    assert written.exit_code == 0
    assert "nobody judged them" in written.output
    assert not (models / "odd/config.json").exists()


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("Qwen/Qwen3-4B", ["--source", "hf://Qwen/Qwen3-8B", "--gpu", "L40S"], "for example qwen-qwen3-4b"),
        ("mine", ["--source", "Qwen/Qwen3-8B", "--gpu", "L40S"], "write hf://Qwen/Qwen3-8B"),
        ("mine", ["--source", "hf://Qwen/Qwen3-8B", "--gpu", "NVIDIA-L40S"], "global.llm.gpu.product: L40S"),
        ("mine", ["--source", "hf://Qwen/Qwen3-8B", "--gpu", "L40S", "--env", "qa"], "there are dev"),
        ("mine", ["--source", "hf://Qwen/Qwen3-8B", "--gpu", "L40S", "--config", "none.json"], "none.json"),
    ],
)
def test_what_cannot_be_written_is_one_sentence_and_nothing_is_written(
    name: str, words: list[str], said: str, models: Path
) -> None:
    answer = new(models, name, *words)
    assert answer.exit_code == 2
    assert said in answer.output
    assert answer.output.count("\n") == 1
    assert not models.exists()


def test_a_model_that_is_there_is_left_as_it_is(models: Path) -> None:
    (models / "mine").mkdir(parents=True)
    answer = new(models, "mine", "--source", "hf://Qwen/Qwen3-8B", "--gpu", "L40S")
    assert answer.exit_code == 2
    assert "there already" in answer.output
    assert not list((models / "mine").iterdir())


def test_where_nobody_may_write_nothing_is_left(models: Path) -> None:
    models.write_text("a file in the place of the folder", encoding="utf-8")
    answer = new(models, "mine", "--source", "hf://Qwen/Qwen3-8B", "--gpu", "L40S")
    assert answer.exit_code == 2
    assert "nothing was written" in answer.output


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--revision", "main", "its 40 hex digits"),
        ("--revision", COMMIT[:7], "its 40 hex digits"),
        ("--image-digest", "latest", "sha256: and 64 hex digits"),
    ],
)
def test_a_pin_that_moves_is_refused_with_the_way_to_the_right_one(
    option: str, value: str, said: str, models: Path
) -> None:
    new(models, "mine", "--source", "hf://Qwen/Qwen3-8B", "--gpu", "L40S", "--env", "prod")
    file = models / "mine/envs/prod/release.yaml"
    before = file.read_text(encoding="utf-8")
    answer = run("release", "set", "mine", "--models", models, "--env", "prod", option, value)
    assert answer.exit_code == 2
    assert said in answer.output
    assert file.read_text(encoding="utf-8") == before


def test_release_set_keeps_comments_and_takes_the_digest_out_of_an_image(models: Path) -> None:
    new(models, "mine", "--source", "hf://Qwen/Qwen3-8B", "--gpu", "L40S", "--env", "prod")
    file = models / "mine/envs/prod/release.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "# asked by the team of search\n", encoding="utf-8")
    image = f"vllm/vllm-openai@{DIGEST}"
    answer = run("release", "set", "mine", "--models", models, "--env", "prod", "--image-digest", image)
    assert answer.exit_code == 0
    text = file.read_text(encoding="utf-8")
    assert "# asked by the team of search" in text
    assert f'digest: "{DIGEST}"' in text


@pytest.mark.parametrize(
    ("weights", "word"),
    [
        ({"type": "float", "num_bits": 8}, "fp8"),
        ({"type": "int", "num_bits": 8}, "w8a8"),
        ({"type": "int", "num_bits": 4, "group_size": 128}, "w4a16"),
        ({"type": "float", "num_bits": 4, "group_size": 16}, ""),
    ],
)
def test_compressed_weights_get_a_word_that_the_values_take(
    models: Path, tmp_path: Path, weights: dict[str, object], word: str
) -> None:
    config = json.loads((ROOT / "values/models/llama-3.1-8b/config.json").read_text(encoding="utf-8"))
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    config["quantization_config"] = {"quant_method": "compressed-tensors", "config_groups": groups}
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    command = (
        "new",
        "mine",
        "--source",
        "hf://acme/mine",
        "--gpu",
        "H100-80GB",
        "--config",
        file,
        "--models",
        models,
    )
    assert (made := run(*command)).exit_code == 0, made.output
    written = yaml.safe_load((models / "mine/values.yaml").read_text(encoding="utf-8"))
    assert written["global"]["llm"]["model"].get("quantization", "") == word
    checked = run("check", "--models", models / "mine", "--env", "prod", "--format", "json")
    assert "values/refused" not in checked.output
