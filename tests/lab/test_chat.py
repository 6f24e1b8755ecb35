"""`llmops chat` as a person uses it: in a terminal, through a pipe, and on its page, with an engine on loopback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping

import pytest

from llmops.chat.client import AnswerError, Engine, pieces
from llmops.chat.page import Page
from tests.lab.conftest import MODEL, Reply, Start, texts

pytestmark = pytest.mark.real


def chat(*arguments: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llmops.cli", "chat", *arguments]
    env = {**os.environ, "PYTHONUTF8": "1", **environment}
    return subprocess.run(command, env=env, input=text, capture_output=True, text=True, check=False)


def test_one_question_prints_its_answer(start: Start) -> None:
    engine = start(behaviour={"answers": {"capital": "The capital of France is Paris."}})
    done = chat(engine.url, "-m", "What is the capital of France?")
    assert (done.returncode, done.stdout) == (0, "The capital of France is Paris.\n")


def test_a_conversation_is_remembered_until_a_new_one(start: Start) -> None:
    engine = start(behaviour={"answers": {"red": "It is red."}})
    done = chat(engine.url, text="My colour is red.\nWhich is it?\n/new\nWhich is it?\n\nnever sent\n")
    first, second, third = done.stdout.splitlines()
    assert (first, second) == ("It is red.", "It is red.")
    assert third != "It is red."
    assert done.returncode == 0


def test_what_a_model_writes_does_not_move_the_cursor(start: Start) -> None:
    engine = start(behaviour={"answers": {"?": "one \x1b[2J\x07\x9b two"}})
    assert chat(engine.url, "-m", "?").stdout == "one [2J two\n"


def test_the_key_comes_from_the_environment(start: Start) -> None:
    engine = start(VLLM_API_KEY="secret")
    denied = chat(engine.url, "-m", "Hello")
    assert denied.returncode == 2
    assert "answers 401: Unauthorized" in denied.stderr
    assert chat(engine.url, "-m", "Hello", "--key-env", "KEY", KEY="secret").returncode == 0


def test_a_broken_answer_is_said_and_no_answer(start: Start) -> None:
    engine = start(behaviour={"stream_error_rate": 1})
    done = chat(engine.url, "-m", "Hello")
    assert done.returncode == 1
    assert "the answer broke off: scripted failure in the stream" in done.stderr
    with pytest.raises(AnswerError, match="without \\[DONE\\]"):
        list(pieces(iter([b'data: {"choices": [{"delta": {"content": "half"}}]}\n'])))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9 does not answer"),
        ("127.0.0.1:8000", "is no URL of an engine: write it like http://127.0.0.1:8000"),
    ],
)
def test_no_engine_is_one_sentence(url: str, sentence: str) -> None:
    done = chat(url, "-m", "Hello")
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


ASKED = {
    "temperature": 0.0,
    "max_tokens": 7,
    "messages": [{"role": "system", "content": "</script> be short"}],
}


@pytest.fixture
def page(start: Start) -> Iterator[Page]:
    served = Page(Engine(start().url), {"model": MODEL, **ASKED})
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield served
    served.shutdown()
    served.server_close()


def ask(page: Page, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
    request = urllib.request.Request(page.url + path, body, dict(headers or {}))  # noqa: S310 loopback
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return Reply(answer.status, answer.read().decode(), dict(answer.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.read().decode(), dict(error.headers))


BODY = json.dumps(
    {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "stream": True}
).encode()
JSON = {"Content-Type": "application/json"}


def test_the_page_passes_a_conversation_on(page: Page) -> None:
    shown = ask(page, "/")
    assert f"<title>{MODEL}</title>" in shown.body
    # What the command was told holds for the page too, and ends none of its elements.
    asked = re.search("const asked = (.+?), start", shown.body)
    assert asked
    assert json.loads(asked[1]) == {"model": MODEL, **ASKED}
    assert shown.body.count("</script>") == 1
    answer = ask(page, "/v1/chat/completions", BODY, JSON)
    assert answer.status == 200
    assert texts(answer.body)
    assert answer.body.rstrip().endswith("data: [DONE]")


def test_other_sites_pages_cannot_talk_through_it(page: Page) -> None:
    assert ask(page, "/v1/chat/completions", BODY, {"Content-Type": "text/plain"}).status == 403
    assert ask(page, "/v1/chat/completions", BODY, JSON | {"Host": "rebound.example.com"}).status == 403
    assert ask(page, "/", headers={"Host": "rebound.example.com"}).status == 404
    assert ask(page, "/v1/models", BODY, JSON).status == 400
    refused = ask(page, "/v1/chat/completions", json.dumps({"model": "other"}).encode(), JSON)
    assert (refused.status, "answers 404" in refused.body) == (502, True)
