"""What leaves says no credential, by its form or because it stood where one belongs, and moves no cursor."""

import json
from collections.abc import Iterator

import pytest

from llmops import redaction
from llmops.commands.output import leaving
from llmops.redaction import forms

SECRET = "CaN4ryS3cretXyz"  # noqa: S105 planted
HUB = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    redaction.forget()
    yield
    redaction.forget()


@pytest.mark.parametrize(
    "data",
    [
        {"engine": {"apiKey": SECRET}},
        {"engine": {"apiKey": {"value": SECRET}}},
        {"env": [{"name": "DB_PASSWORD", "value": SECRET}]},
        {"args": ["--api-key", SECRET]},
        {"imagePullSecrets": [SECRET]},
        {"args": [f"--some-password={SECRET}"]},
        {"annotations": {"example.com/token": SECRET}},
        {"kind": "Secret", "stringData": {"a": SECRET}},
        {"kind": "Secret", "data": {"a": "Q2FONHJ5UzNjcmV0WHl6"}},
    ],
)
def test_what_stood_where_a_secret_belongs_is_named_instead(data: dict[str, object]) -> None:
    redaction.learn(data)
    assert SECRET not in redaction.clean(f'it must be an object, not the string "{SECRET}"')
    assert SECRET not in leaving(json.dumps({"message": f"got {SECRET}."}), "json")


@pytest.mark.parametrize(
    "text",
    [
        f"http://user:{SECRET}@minio:9000",
        f"user:{SECRET}@registry.example.com",
        f"registry.example.com/user:{SECRET}@x y",
        f"https://oapi.dingtalk.com/robot/send?access_token={SECRET}",
        f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={SECRET}",
        f"https://open.feishu.cn/open-apis/bot/v2/hook/{SECRET}",
        f"https://hooks.slack.com/services/T00/B00/{SECRET}",
        f"https://hooks.example.com/services/T00/B00/{SECRET}",
        f"https://x.example.com/a?sign={SECRET}&b=c",
        f"https://store.example.com/a?X-Amz-Date=2026&X-Amz-Signature={SECRET}",
        f"https://x.example.com/a?client_secret={SECRET}",
        f"https://x.example.com/a?a=b&subscription-key={SECRET}",
        f"--token={SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"&#39;{{&#34;api_key&#34;: &#34;{SECRET}&#34;}}&#39;",
        HUB,
    ],
)
def test_a_credential_is_known_by_its_form(text: str) -> None:
    assert SECRET not in redaction.clean(text)
    assert HUB not in redaction.clean(text)


def test_a_token_in_a_url_is_a_finding_of_values() -> None:
    assert forms.in_values(f"https://oapi.dingtalk.com/robot/send?access_token={SECRET}") == forms.URL_TOKEN


def test_a_rotation_says_what_was_changed_and_not_into_what() -> None:
    other = HUB[:-5] + "ZZZZ9"
    assert redaction.clean(f"{HUB} -> {other}") == "(a hub token) -> (a hub token)"


def test_a_number_that_is_a_secret_leaves_the_document_whole() -> None:
    redaction.learn({"kind": "Secret", "stringData": {"pin": 73219987654}})
    assert json.loads(leaving('{"before": 73219987654}', "json")) == {"before": "(a secret)"}


@pytest.mark.parametrize(
    "text",
    [
        "vllm/vllm-openai:v0.19.1@sha256:" + "0" * 64,
        "maxTokens: 4096",
        "hf://Qwen/Qwen3-8B",
        "basic authentication of the bearer transportation",
        "https://x.example.com/a?sort_key=created_at&max_tokens=1000000",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    assert redaction.clean(text) == text


def test_nothing_obeys_a_text() -> None:
    shown = redaction.clean("a\x1b[8mb\u202ec\n::error::x\n  ::stop-commands::y\n##[error]z\r")
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in shown.splitlines())
    assert all(one.isprintable() for one in shown.splitlines())
