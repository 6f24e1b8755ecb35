"""What leaves says no credential, by its form or because it stood where one belongs, and moves no cursor."""

import html
import json
from collections.abc import Iterator
from urllib.parse import quote

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
    assert forms.each(f"https://oapi.dingtalk.com/robot/send?access_token={SECRET}") == [forms.URL_TOKEN]


@pytest.mark.parametrize(
    "key",
    [
        f"https://user:{SECRET}@host/path",
        f"https://user:{SECRET}/b9@host/path",
        f"user:{SECRET}@registry.example.com",
        f"https://oapi.dingtalk.com/robot/send?access_token={SECRET}",
        f"https://open.feishu.cn/open-apis/bot/v2/hook/{SECRET}",
        f"Authorization: Bearer {SECRET}",
        HUB,
    ],
)
def test_a_credential_in_a_key_stays_unsaid_in_every_way_of_writing_a_place(key: str) -> None:
    redaction.learn({"podAnnotations": {key: "x"}})
    ways = (key, key.replace("~", "~0").replace("/", "~1"), quote(key), quote(key, safe=""), html.escape(key))
    for written in (*ways, json.dumps({key: 1})):
        shown = redaction.clean(f"values/podAnnotations/{written} is no known field.")
        assert SECRET not in shown
        assert HUB not in shown


def test_a_key_below_a_name_of_secrets_is_one_where_no_word_looks_so() -> None:
    redaction.learn({"apiKey": {SECRET: "x", "secretKeyRef": {"name": "x"}, "tokenSecret2": "y"}})
    assert redaction.clean(f"apiKey.{SECRET}, secretKeyRef") == "apiKey.(a secret), secretKeyRef"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{HUB} and {HUB[:-5]}ZZZZ9", ["a hub token", "a hub token"]),
        (
            f"a https://u:{SECRET}@h/x b AKIAIOSFODNN7CANARY1 c {HUB}",
            ["a password in a URL", "an AWS key", "a hub token"],
        ),
        (f"user:{SECRET}@h and Bearer {SECRET}", ["a password in a URL", "a token in a header"]),
        (f"https://u:{SECRET}@h/x?token={SECRET}", ["a password in a URL", forms.URL_TOKEN]),
        ("nothing of the kind", []),
    ],
)
def test_each_credential_of_a_text_is_named(text: str, found: list[str]) -> None:
    assert forms.each(text, hosts=True) == found
    assert SECRET not in redaction.clean(text)


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
        "http://registry.example.com:4873/npm/packages2/@scope/name",
        "https://x.example.com/a?sort_key=created_at&max_tokens=1000000",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    assert redaction.clean(text) == text


def test_nothing_obeys_a_text() -> None:
    shown = redaction.clean("a\x1b[8mb\u202ec\n::error::x\n  ::stop-commands::y\n##[error]z\r")
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in shown.splitlines())
    assert all(one.isprintable() for one in shown.splitlines())
