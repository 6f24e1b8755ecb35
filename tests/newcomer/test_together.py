"""Several mistakes at once are told in one run: those of a schema, of the templates of a chart, and of other models."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from llmops.cli import main
from llmops.render import Renderer
from tests.newcomer.judged import CHART, findings, planted

MODEL = "models/mine/values.yaml"


def keys(values: Path, renderer: Renderer) -> set[str]:
    told = findings(values, "prod", renderer)
    return {key for one in told for _, key in one.places if key}


def test_refusals_of_schema_and_templates_come_in_one_run(tmp_path: Path, renderer: Renderer) -> None:
    changes = {
        "maxNumSeqs: 64": "maxNumSeq: 64\n    toolCallParser: qwen4",
        "product: L40S": "product: V100",
        "max: 4": "max: 1",
    }
    values = planted({}, tmp_path)
    text = (values / MODEL).read_text(encoding="utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    (values / MODEL).write_text(text, encoding="utf-8")
    assert keys(values, renderer) == {
        "vllm-inference.engine.maxNumSeq",
        "vllm-inference.engine.toolCallParser",
        "global.llm.gpu.product",
        "global.llm.replicas.max",
    }


def test_a_value_that_the_schema_refuses_is_judged_by_no_template(tmp_path: Path, renderer: Renderer) -> None:
    change = ["source: hf://Qwen/Qwen3-4B-Instruct-2507", "source: Qwen/Qwen3-4B"]
    values = planted({"change": {MODEL: change}}, tmp_path)
    text = (values / MODEL).read_text(encoding="utf-8")
    (values / MODEL).write_text(text.replace("max: 4", "max: 1"), encoding="utf-8")
    assert keys(values, renderer) == {"global.llm.model.source", "global.llm.replicas.max"}


def test_a_file_that_is_no_yaml_hides_no_other_model(tmp_path: Path, renderer: Renderer) -> None:
    values = planted({"copy": ["models/mine", "models/other"]}, tmp_path)
    (values / "models/other/values.yaml").write_text("a:\n\tb: 1\n", encoding="utf-8")
    text = (values / MODEL).read_text(encoding="utf-8")
    (values / MODEL).write_text(text.replace("maxNumSeqs", "maxNumSeq"), encoding="utf-8")
    told = [one.text for one in findings(values, "prod", renderer)]
    assert any("maxNumSeq" in one for one in told)
    assert any("tab" in one for one in told)


def test_one_rule_is_selected_or_ignored_by_name_or_code(tmp_path: Path) -> None:
    change = {"models/mine/envs/prod/release.yaml": ["digest:", "tag: latest #"]}
    values = planted({"change": change, "remove": "models/mine/config.json"}, tmp_path)

    def rules(*options: str) -> set[str]:
        command = ["check", "--models", str(values / "models"), "--chart", str(CHART), "--env", "prod"]
        answer = CliRunner().invoke(main, [*command, "--format", "json", *options])
        return {one["rule"] for one in json.loads(answer.stdout)["findings"]}

    everything = rules()
    assert {"image/missing-digest", "image/floating-tag", "model/not-judged"} <= everything
    assert rules("--select", "LM308") == {"model/not-judged"}
    assert rules("--ignore", "model/not-judged") == rules("--disable", "LM308")
    assert rules("--ignore", "LM308") == everything - {"model/not-judged"}


def test_a_name_where_a_reference_belongs_is_told_the_form_and_a_credential_is_not_repeated(
    tmp_path: Path,
) -> None:
    file, token = tmp_path / "values.yaml", "hf_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xYz"
    told = {}
    for value in ("hub-token", token):
        file.write_text(f"hub: {{tokenSecret: {value}}}\n", encoding="utf-8")
        chart = str(CHART.parent / "vllm-inference")
        told[value] = CliRunner().invoke(main, ["check", chart, "-f", str(file)]).output
    assert "Write {name: hub-token}." in told["hub-token"]
    assert token not in told[token]
