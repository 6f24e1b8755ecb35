"""The script: single requests as data, by name. The model answers to `MODEL`; the context has 2,048 tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MODEL = "smollm2"
KEY = "conformance"
CHAT, COMPLETIONS, TOKENIZE = "/v1/chat/completions", "/v1/completions", "/tokenize"
HELLO = [{"role": "user", "content": "Say hello."}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@dataclass(frozen=True)
class Exchange:
    """One request. `body` is sent as JSON, bytes as they are. `leave`: seconds after which the client goes."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    leave: float | None = None


def chat(**more: Any) -> Exchange:
    """A chat of six tokens; a key set to ABSENT is left out."""
    return Exchange(
        "POST", CHAT, _body({"model": MODEL, "messages": HELLO, "max_tokens": 6, "ignore_eos": True}, more)
    )


def completion(**more: Any) -> Exchange:
    own = {"model": MODEL, "prompt": "The capital of France is", "max_tokens": 6, "ignore_eos": True}
    return Exchange("POST", COMPLETIONS, _body(own, more))


ABSENT: Any = object()


def _body(own: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (own | more).items() if value is not ABSENT}


def _long(tokens: int) -> str:
    return "word " * tokens


LONG = {"max_tokens": 1900, "ignore_eos": True}

EXCHANGES: dict[str, Exchange] = {
    # What answers without a model.
    "health": Exchange("GET", "/health"),
    "health by POST": Exchange("POST", "/health"),
    "ping": Exchange("GET", "/ping"),
    "ping by POST": Exchange("POST", "/ping"),
    "version": Exchange("GET", "/version"),
    "load": Exchange("GET", "/load"),
    "metrics": Exchange("GET", "/metrics"),
    "metrics with a slash": Exchange("GET", "/metrics/"),
    "models": Exchange("GET", "/v1/models"),
    "models by POST": Exchange("POST", "/v1/models", {}),
    "an unknown path": Exchange("GET", "/nothing"),
    "an unknown path of the API": Exchange("GET", "/v1/nothing"),
    "chat by GET": Exchange("GET", CHAT),
    "completions by GET": Exchange("GET", COMPLETIONS),
    "chat by DELETE": Exchange("DELETE", CHAT),
    # Chats.
    "chat": chat(),
    "chat of one token": chat(max_tokens=1),
    "chat by max_completion_tokens": chat(max_tokens=ABSENT, max_completion_tokens=4),
    "chat without model": chat(model=ABSENT),
    "chat with model null": chat(model=None),
    "chat with an unknown model": chat(model="other"),
    "chat with a system message": chat(messages=[{"role": "system", "content": "Be short."}, *HELLO]),
    "chat with parts": chat(messages=[{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}]),
    "chat without messages": chat(messages=ABSENT),
    "chat with messages that are none": chat(messages="hello"),
    "chat with no message": chat(messages=[]),
    "chat with a message of text": chat(messages=["hello"]),
    "chat with two choices": chat(n=2, temperature=1, seed=1),
    "chat with n 0": chat(n=0),
    "chat with n -1": chat(n=-1),
    "chat with n of text": chat(n="two"),
    "chat at temperature 0": chat(temperature=0),
    "chat at temperature -1": chat(temperature=-1),
    "chat at temperature of text": chat(temperature="hot"),
    "chat with top_p 0": chat(top_p=0),
    "chat with top_p 1.5": chat(top_p=1.5),
    "chat with presence_penalty 3": chat(presence_penalty=3),
    "chat with max_tokens 0": chat(max_tokens=0),
    "chat with max_tokens -1": chat(max_tokens=-1),
    "chat with max_tokens of text": chat(max_tokens="many"),
    "chat with max_tokens over the context": chat(max_tokens=5000),
    "chat over the context": chat(messages=[{"role": "user", "content": _long(4000)}]),
    "chat with an unknown key": chat(colour="blue"),
    "chat with a seed": chat(seed=7),
    "chat with stream of text": chat(stream="perhaps"),
    "chat with stream_options but no stream": chat(stream_options={"include_usage": True}),
    "chat as a stream": chat(stream=True),
    "chat as a stream with usage": chat(stream=True, stream_options={"include_usage": True}),
    "chat as a stream of one token": chat(stream=True, max_tokens=1),
    "chat as a stream of two choices": chat(stream=True, n=2, temperature=1, seed=1),
    "chat as a stream with an unknown model": chat(stream=True, model="other"),
    "chat as a stream over the context": chat(stream=True, messages=[{"role": "user", "content": _long(4000)}]),
    # Bodies.
    "chat that is no JSON": Exchange("POST", CHAT, b"{"),
    "chat that is empty": Exchange("POST", CHAT, b""),
    "chat that is a list": Exchange("POST", CHAT, []),
    "chat as plain text": Exchange("POST", CHAT, chat().body, {"Content-Type": "text/plain"}),
    "chat with a charset": Exchange("POST", CHAT, chat().body, {"Content-Type": "application/json; charset=utf-8"}),
    "a body of 9 MB": completion(prompt="a" * 9 * 2**20),
    # Completions.
    "completion": completion(),
    "completion without a length": completion(max_tokens=ABSENT),
    "completion of two prompts": completion(prompt=["One", "Two"]),
    "completion of two prompts, two choices each": completion(prompt=["One", "Two"], n=2, temperature=1, seed=1),
    "completion of token ids": completion(prompt=[504, 3575, 282]),
    "completion of two lists of token ids": completion(prompt=[[504, 3575], [282, 504]]),
    "completion of two choices": completion(n=2, temperature=1, seed=1),
    "completion of nothing": completion(prompt=""),
    "completion of no prompts": completion(prompt=[]),
    "completion without prompt": completion(prompt=ABSENT),
    "completion with prompt null": completion(prompt=None),
    "completion of a number": completion(prompt=5),
    "completion with max_tokens -1": completion(max_tokens=-1),
    "completion over the context": completion(prompt=_long(4000)),
    "completion with an unknown model": completion(model="other"),
    "completion that is no JSON": Exchange("POST", COMPLETIONS, b"{"),
    "completion at temperature -1": completion(temperature=-1),
    "completion as a stream": completion(stream=True),
    "completion as a stream with usage": completion(stream=True, stream_options={"include_usage": True}),
    "completion of two prompts as a stream": completion(prompt=["One", "Two"], stream=True),
    "the same long prompt": completion(prompt=_long(200)),
    "the same long prompt again": completion(prompt=_long(200)),
    # Tokens.
    "tokenize": Exchange("POST", TOKENIZE, {"model": MODEL, "prompt": "Hello there"}),
    "tokenize a chat": Exchange("POST", TOKENIZE, {"model": MODEL, "messages": HELLO}),
    "tokenize into words": Exchange("POST", TOKENIZE, {"model": MODEL, "prompt": "Hello", "return_token_strs": True}),
    "tokenize nothing": Exchange("POST", TOKENIZE, {"model": MODEL}),
    "tokenize with an unknown model": Exchange("POST", TOKENIZE, {"model": "other", "prompt": "Hello"}),
    "tokenize that is no JSON": Exchange("POST", TOKENIZE, b"{"),
    # Keys.
    "models with a wrong key": Exchange("GET", "/v1/models", None, {"Authorization": "Bearer wrong"}),
    "chat with a wrong key": Exchange("POST", CHAT, chat().body, {"Authorization": "Bearer wrong"}),
    "chat with a key of another scheme": Exchange("POST", CHAT, chat().body, {"Authorization": f"Basic {KEY}"}),
    "chat without key": Exchange("POST", CHAT, chat().body, {"Authorization": ""}),
    "an unknown path of the API without key": Exchange("GET", "/v1/nothing", None, {"Authorization": ""}),
    "tokenize without key": Exchange(
        "POST", TOKENIZE, {"model": MODEL, "prompt": "Hello"}, {"Authorization": ""}
    ),
    "metrics without key": Exchange("GET", "/metrics", None, {"Authorization": ""}),
    # Clients that leave.
    "a client leaves a chat": Exchange("POST", CHAT, chat(**LONG).body, leave=0.7),
    "a client leaves a stream": Exchange("POST", CHAT, chat(**LONG, stream=True).body, leave=0.7),
    "a client leaves a completion": Exchange("POST", COMPLETIONS, completion(**LONG).body, leave=0.7),
    "a client leaves a stream of a completion": Exchange(
        "POST", COMPLETIONS, completion(**LONG, stream=True).body, leave=0.7
    ),
}  # fmt: skip
