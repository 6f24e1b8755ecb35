"""What the engine is started with: every typed key becomes the flag that vLLM's own parser takes, once it is set."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.checks.reading.values_schema import violations
from llmops.findings import RefusedError
from llmops.release import archive
from llmops.render import Renderer, Target
from llmops.render.sdk import merge_values
from tests.charts.conftest import CHARTS, MODEL, ROOT, Render, merge, refused

CHART = "vllm-inference"
ENGINES = ROOT / "scripts/llmops/data/engines"
TABLE: dict[str, Any] = yaml.safe_load((ENGINES / "vllm.yaml").read_text(encoding="utf-8"))
PARSER: dict[str, Any] = yaml.safe_load((ENGINES.parent / "arguments/vllm.yaml").read_text(encoding="utf-8"))
SCHEMA: dict[str, Any] = json.loads((CHARTS / CHART / "values.schema.json").read_text(encoding="utf-8"))
EVERYTHING: dict[str, Any] = yaml.safe_load(
    (CHARTS / CHART / "ci/everything-values.yaml").read_text(encoding="utf-8")
)
ONE = {"replicas": 1, "workload": "Deployment"}
DRAFT_COMMIT = "0123456789abcdef0123456789abcdef01234567"

WORDS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "prefix cache on": ({"prefixCaching": True}, ["--enable-prefix-caching"]),
    "prefix cache off": ({"prefixCaching": False}, ["--no-enable-prefix-caching"]),
    "chunked prefill off": ({"chunkedPrefill": False}, ["--no-enable-chunked-prefill"]),
    "tokens of a step": ({"maxNumBatchedTokens": 1048576}, ["--max-num-batched-tokens=1048576"]),
    "guess from the prompt": (
        {"speculative": {"method": "ngram", "tokens": 4, "lookupMax": 3}},
        ['--speculative-config={"method":"ngram","num_speculative_tokens":4,"prompt_lookup_max":3}'],
    ),
    "guess by a draft": (
        {"speculative": {"method": "eagle3", "tokens": 3, "model": "ORG/draft", "revision": DRAFT_COMMIT}},
        [
            f'--speculative-config={{"method":"eagle3","model":"ORG/draft",'
            f'"num_speculative_tokens":3,"revision":"{DRAFT_COMMIT}"}}'
        ],
    ),
    "tool calls": (
        {"toolCallParser": "hermes"},
        ["--enable-auto-tool-choice", "--tool-call-parser=hermes"],
    ),
    "reasoning": ({"reasoningParser": "deepseek_r1"}, ["--reasoning-parser=deepseek_r1"]),
    "chat template": (
        {"chatTemplate": {"configMap": "template", "key": "chat.jinja"}},
        ["--chat-template=/etc/llm/chat-template/chat.jinja"],
    ),
    "structured output": (
        {"structuredOutput": {"backend": "xgrammar"}},
        ['--structured-outputs-config={"backend":"xgrammar"}'],
    ),
    "adapters": (
        {
            "lora": {
                "claim": "adapters",
                "adapters": [{"name": "sql", "path": "sql/v1"}, {"name": "law", "path": "/opt/law"}],
                "maxLoras": 2,
                "maxRank": 64,
            }
        },
        [
            "--enable-lora",
            "--lora-modules",
            "sql=/adapters/sql/v1",
            "law=/opt/law",
            "--max-loras=2",
            "--max-lora-rank=64",
        ],
    ),
    "native offload": (
        {"kvOffload": {"sizeGiB": 64}},
        ["--kv-offloading-size=64"],
    ),
    "LMCache": (
        {"kvOffload": {"sizeGiB": 64, "backend": "lmcache"}},
        ["--kv-offloading-size=64", "--kv-offloading-backend=lmcache"],
    ),
    "no videos": (
        {"multimodal": {"image": 2, "video": 0}},
        ['--limit-mm-per-prompt={"image":2,"video":0}'],
    ),
    "media from": ({"mediaDomains": ["a.com", "b.com"]}, ["--allowed-media-domains", "a.com", "b.com"]),
    "limits": (
        {"limits": {"queuedRequests": 512, "queuedTokens": 2000000}},
        ["--max-num-queued-reqs=512", "--max-num-queued-tokens=2000000"],
    ),
    "prompts in the log": (
        {"logging": {"requests": True, "maxChars": 0}},
        ["--enable-log-requests", "--max-log-len=0"],
    ),
    "traces": (
        {"tracing": {"endpoint": "http://otel.mon:4317"}},
        ["--otlp-traces-endpoint=http://otel.mon:4317"],
    ),
    "TLS": (
        {"tls": {"secret": "cert"}},
        [
            "--ssl-certfile=/etc/llm/tls/tls.crt",
            "--ssl-keyfile=/etc/llm/tls/tls.key",
            "--enable-ssl-refresh",
        ],
    ),
}


@pytest.mark.parametrize("case", WORDS)
def test_a_key_adds_exactly_these_words(render: Render, case: str) -> None:
    engine, words = WORDS[case]
    before = render(CHART).arguments
    after = render(CHART, {"engine": engine}).arguments
    assert [word for word in after if word not in before] == words
    assert [word for word in after if word in before] == before


def flags(arguments: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in arguments if word.startswith("-")}


def positive(flag: str) -> str:
    return "--" + flag.removeprefix("--no-") if flag.startswith("--no-") else flag


def test_every_flag_of_the_table_is_emitted_and_taken_by_the_engines_own_parser(render: Render) -> None:
    """The parser's list was read from the source of the same version; see scripts/generate/arguments.py."""
    assert PARSER["version"] == TABLE["floor"]
    everything = render(CHART, EVERYTHING, bare=True).arguments
    secured = render(CHART, {"engine": {"tls": {"secret": "cert"}}}).arguments
    emitted = flags(everything) | flags(secured)
    typed = {row["flag"] for row in TABLE["flags"]}
    assert typed <= emitted
    assert {positive(flag) for flag in emitted} <= set(PARSER["flags"])
    for row in (*TABLE["flags"], *TABLE["derived"], *TABLE["refused"]):
        for flag in (row["flag"], *row.get("aliases", ())):
            assert positive(flag) in PARSER["flags"] or flag == "--config", flag


ENUMS = {
    "--kv-cache-dtype": SCHEMA["properties"]["engine"]["properties"]["kvCacheDtype"],
    "--dtype": SCHEMA["properties"]["engine"]["properties"]["dtype"],
    "--quantization": SCHEMA["properties"]["engine"]["properties"]["quantization"],
}


@pytest.mark.parametrize("flag", ENUMS)
def test_every_choice_is_one_of_the_engines(flag: str) -> None:
    offered = {choice for choice in ENUMS[flag]["enum"] if choice is not None}
    assert offered
    assert offered <= set(PARSER["choices"][flag])


@pytest.mark.parametrize(
    ("flag", "at"),
    [
        ("--kv-offloading-backend", ("kvOffload", "backend")),
        ("--structured-outputs-config", ("structuredOutput", "backend")),
        ("--max-lora-rank", ("lora", "maxRank")),
    ],
)
def test_every_choice_inside_an_object_is_one_of_the_engines(flag: str, at: tuple[str, str]) -> None:
    for choice in PARSER["choices"][flag]:
        value: Any = int(choice) if choice.isdecimal() else choice
        more = {"kvOffload": {"sizeGiB": 1}, "lora": {"adapters": [{"name": "a", "path": "/a"}]}}
        engine = {at[0]: {**more.get(at[0], {}), at[1]: value}}
        assert not violations(
            CHARTS / CHART, merge_values(archive(CHARTS / CHART), [MODEL, {"engine": engine}])
        )
    engine = {at[0]: {**more.get(at[0], {}), at[1]: "unknown"}}
    assert violations(CHARTS / CHART, merge_values(archive(CHARTS / CHART), [MODEL, {"engine": engine}]))


@pytest.mark.parametrize("flag", sorted({row["flag"] for row in TABLE["flags"] if "keySince" not in row}))
def test_a_typed_flag_is_refused_among_the_further_ones(render: Render, flag: str) -> None:
    for given in (flag, f"{flag}=1", flag.replace("-", "_").replace("__", "--", 1), f"{flag}.part=1"):
        with pytest.raises(RefusedError, match=rf"extraArgs has {flag}, which belongs to engine\."):
            render(CHART, {"engine": {"extraArgs": [given]}})


@pytest.mark.parametrize(
    "words", [["--enable-prefix-cachng"], ["--max-modl-len=5"], ["--seed=1", "--no-such-thing"], ["--SEED=1"]]
)
def test_a_flag_that_the_engine_does_not_know_is_refused(render: Render, words: list[str]) -> None:
    wrong = words[-1].partition("=")[0]
    with pytest.raises(RefusedError, match=rf"has {wrong}, which vLLM 0\.33\.0 does not know"):
        render(CHART, {"engine": {"extraArgs": words}})


@pytest.mark.parametrize(
    "engine",
    [
        {
            "extraArgs": [
                "--seed=1",
                "--no-async-scheduling",
                "--compilation-config.mode=3",
                "-O3",
                "--stream_interval",
                "4",
            ]
        },
        {"extraArgs": ["--from-the-future"], "version": "0.34.0"},
        {"extraArgs": ["--of-another-program"], "command": ["python3", "fake.py"]},
        {"toolCallParser": "ours", "extraArgs": ["--tool-parser-plugin=/opt/ours.py"]},
    ],
    ids=["known", "newer engine", "own command", "plugin"],
)
def test_what_the_engine_may_know_is_left_to_it(render: Render, engine: dict[str, Any]) -> None:
    given = engine["extraArgs"]
    assert render(CHART, {"engine": engine}).arguments[-len(given) :] == given


@pytest.mark.long
@pytest.mark.parametrize("key", ["toolCallParser", "reasoningParser"])
def test_a_parser_is_one_that_the_engine_has(render: Render, key: str) -> None:
    flag = {"toolCallParser": "--tool-call-parser", "reasoningParser": "--reasoning-parser"}[key]
    for name in PARSER["choices"][flag]:
        assert f"{flag}={name}" in render(CHART, {"engine": {key: name}}).arguments
    with pytest.raises(
        RefusedError, match=rf"engine\.{key} is hermit, which vLLM 0\.33\.0 does not have: write one of"
    ):
        render(CHART, {"engine": {key: "hermit"}})


@pytest.mark.parametrize("row", TABLE["refused"], ids=lambda row: str(row["flag"]))
def test_a_dangerous_flag_is_refused_with_its_reason(render: Render, row: dict[str, str]) -> None:
    with pytest.raises(
        RefusedError, match=re.escape(f"{row['flag']}, which no release may have, since {row['why']}")
    ):
        render(CHART, {"engine": {"extraArgs": [row["flag"]]}})


@pytest.mark.parametrize(
    "name", [row["name"] for row in (*TABLE["variables"], *TABLE["refusedVariables"])] + ["OTEL_SERVICE_NAME"]
)
def test_a_variable_that_the_chart_owns_or_forbids_is_refused(render: Render, name: str) -> None:
    with pytest.raises(RefusedError, match=f"extraEnv sets {name}, which"):
        render(CHART, {"engine": {"extraEnv": [{"name": name, "value": "1"}]}})


def test_a_flag_that_the_pinned_version_lacks_is_refused(renderer: Renderer, tmp_path: Path) -> None:
    """No flag of the table is younger than the floor, so a copy of the chart gets one that is."""
    for name in (CHART, "llm-common", "llm-serving"):
        ignored = shutil.ignore_patterns("charts", "Chart.lock")
        shutil.copytree(CHARTS / name, tmp_path / name, ignore=ignored)
    define = tmp_path / CHART / "templates/_table.tpl"
    text = define.read_text(encoding="utf-8")
    row = "- key: prefixCaching\n  flag: --enable-prefix-caching\n  since: "
    assert row + "0.11.0" in text
    define.write_text(text.replace(row + "0.11.0", row + "0.40.0"), encoding="utf-8")

    def run(engine: dict[str, Any]) -> None:
        renderer.render(archive(tmp_path / CHART), [MODEL, {"engine": engine}], Target(name="demo"))

    run({})
    run({"prefixCaching": True, "version": "0.40.0"})
    with pytest.raises(RefusedError, match=r"engine\.prefixCaching needs vLLM 0\.40\.0 or newer"):
        run({"prefixCaching": False})


# --- what goes with a flag --------------------------------------------------------------------------------------------


def test_templates_adapters_and_certificates_are_mounted_for_reading(render: Render) -> None:
    engine = {
        "chatTemplate": {"configMap": "template", "key": "chat.jinja"},
        "lora": {"claim": "adapters", "adapters": [{"name": "sql", "path": "sql"}]},
        "tls": {"secret": "cert"},
    }
    objects = render(CHART, {"engine": engine})
    mounts = {mount["name"]: mount for mount in objects.engine["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in objects.pod["volumes"]}
    assert [mounts[name]["mountPath"] for name in ("chat-template", "adapters", "tls")] == [
        "/etc/llm/chat-template",
        "/adapters",
        "/etc/llm/tls",
    ]
    assert all(mounts[name]["readOnly"] for name in ("chat-template", "adapters", "tls"))
    assert volumes["chat-template"]["configMap"] == {"name": "template"}
    assert volumes["adapters"]["persistentVolumeClaim"] == {"claimName": "adapters", "readOnly": True}
    assert volumes["tls"]["secret"]["secretName"] == "cert"


def test_probes_and_the_test_speak_tls_with_the_engine(render: Render) -> None:
    objects = render(CHART, {"engine": {"tls": {"secret": "cert"}}})
    probes = [objects.engine[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert [probe["scheme"] for probe in probes] == ["HTTPS"] * 3
    test = objects.one("Pod")["spec"]
    environment = {item["name"]: item.get("value") for item in test["containers"][0]["env"]}
    assert environment["ENGINE_URL"] == "https://demo:80"
    assert environment["SSL_CERT_FILE"] == "/tls/ca.crt"
    # The test has no business with the private key.
    assert test["volumes"][1]["secret"] == {
        "secretName": "cert",
        "items": [{"key": "ca.crt", "path": "ca.crt"}],
    }
    plain = render(CHART)
    assert all("scheme" not in plain.engine[name]["httpGet"] for name in ("startupProbe", "livenessProbe"))


def test_offloaded_cache_is_memory_of_the_pod(render: Render) -> None:
    values = {"resources": {"memoryGiB": 30, "shmGiB": 2}, "engine": {"kvOffload": {"sizeGiB": 64}}}
    resources = render(CHART, values).engine["resources"]
    assert resources["limits"]["memory"] == resources["requests"]["memory"] == "96Gi"


def test_variables_go_with_their_keys(render: Render) -> None:
    engine = {
        "limits": {"choices": 8},
        "mediaDomains": ["a.com"],
        "tracing": {"endpoint": "http://otel.mon:4318/v1/traces", "protocol": "http/protobuf"},
    }
    environment = render(CHART, {"engine": engine}).environment
    assert environment["VLLM_MAX_N_SEQUENCES"] == "8"
    assert environment["VLLM_MEDIA_URL_ALLOW_REDIRECTS"] == "0"
    assert environment["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] == "http/protobuf"
    assert environment["OTEL_SERVICE_NAME"] == "demo"
    assert not [name for name in render(CHART).environment if name.startswith(("OTEL", "VLLM_M"))]


def test_adapters_may_be_loaded_at_run_time_by_one_keyed_server(render: Render) -> None:
    lora = {"adapters": [{"name": "a", "path": "/a"}], "runtimeLoading": True}
    engine = {"lora": lora, "apiKey": {"secret": "key"}}
    assert render(CHART, ONE, {"engine": engine}).environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "1"


# --- refusals ---------------------------------------------------------------------------------------------------------

LORA = {"adapters": [{"name": "a", "path": "/a"}]}
TLS = {"engine": {"tls": {"secret": "cert"}}}
REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "adapter named like the model": (
        {"engine": {"lora": {"adapters": [{"name": "demo", "path": "/a"}]}}},
        "engine.lora.adapters",
        "name demo",
    ),
    "two adapters of a name": (
        {"engine": {"lora": {"adapters": [*LORA["adapters"], *LORA["adapters"]]}}},
        "engine.lora.adapters",
        "name a",
    ),
    "adapter without a claim": (
        {"engine": {"lora": {"adapters": [{"name": "a", "path": "sql"}]}}},
        "engine.lora.adapters",
        "engine: {lora: {claim: NAME}}",
    ),
    "run time loading into one of two": (
        {"engine": {"lora": {**LORA, "runtimeLoading": True}, "apiKey": {"secret": "key"}}},
        "engine.lora.runtimeLoading",
        "global: {llm: {replicas: {min: 1}}}",
    ),
    "run time loading for everybody": (
        {**ONE, "engine": {"lora": {**LORA, "runtimeLoading": True}}},
        "engine.lora.runtimeLoading",
        "engine: {apiKey: {secret: NAME}}",
    ),
    "draft of the hub, offline": (
        {
            "global": {"llm": {"model": {"source": "pvc://weights"}}},
            "engine": {"speculative": {"method": "eagle", "tokens": 2, "model": "ORG/draft"}},
        },
        "engine.speculative.model",
        "/models/draft",
    ),
    "revision of a path": (
        {
            "engine": {
                "speculative": {"method": "eagle", "tokens": 2, "model": "/d", "revision": DRAFT_COMMIT}
            }
        },
        "engine.speculative.revision",
        "/d is a path",
    ),
    "TLS behind a router": (
        {**TLS, "trafficRouter": "traefik", "route": {"host": "a.example.com"}},
        "engine.tls",
        "engine: {tls: {secret: null}}",
    ),
    "TLS and scrapes": (
        {**TLS, "global": {"llm": {"components": {"monitoring": True}}}},
        "engine.tls",
        "global: {llm: {components: {monitoring: false}}}",
    ),
    "TLS and tests of blue-green": (
        {**TLS, "strategy": {"type": "blueGreen"}},
        "engine.tls",
        "smoke: {enabled: false}",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_contradictions_are_refused_in_one_sentence(render: Render, case: str) -> None:
    values, key, advice = REFUSALS[case]
    with refused(key, advice):
        render(CHART, values)


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "guess nothing": ({"speculative": {"method": "ngram"}}, "/speculative/tokens"),
    "draft without a model": ({"speculative": {"method": "eagle", "tokens": 2}}, "/speculative/model"),
    "ngram with a draft": (
        {"speculative": {"method": "ngram", "tokens": 2, "model": "a/b"}},
        "/speculative/model",
    ),
    "lookup of a draft": (
        {"speculative": {"method": "mtp", "tokens": 2, "lookupMax": 2}},
        "/speculative/lookupMax",
    ),
    "template without a key": ({"chatTemplate": {"configMap": "a"}}, "/chatTemplate/key"),
    "ranks without adapters": ({"lora": {"maxRank": 16}}, "/lora/adapters"),
    "no adapters": ({"lora": {"adapters": []}}, "/lora/adapters"),
    "odd rank": ({"lora": {**LORA, "maxRank": 20}}, "/lora/maxRank"),
    "backend of nothing": ({"kvOffload": {"backend": "native"}}, "/kvOffload/sizeGiB"),
    "prompts in the log without an end": ({"logging": {"requests": True}}, "/logging/maxChars"),
    "protocol to nowhere": ({"tracing": {"protocol": "grpc"}}, "/tracing/endpoint"),
    "unknown medium": ({"multimodal": {"smell": 1}}, "/multimodal/smell"),
    "domain with a path": ({"mediaDomains": ["a.com/x"]}, "/mediaDomains/0"),
    "quantization that the engine dropped": ({"quantization": "bitsandbytes"}, "/quantization"),
}


@pytest.mark.parametrize("case", INVALID)
def test_what_cannot_be_is_refused_at_its_path(case: str) -> None:
    engine, pointer = INVALID[case]
    chart = CHARTS / CHART
    found = violations(chart, merge_values(archive(chart), [merge(MODEL, {"engine": engine})]))
    assert [one.pointer for one in found] == [f"/engine{pointer}"]
    assert "\n" not in found[0].message
