"""Asks a served model what a client would ask. Standard library only: runs on any engine image.

Environment: ENGINE_URL, MODEL_NAME, API_KEY (optional), TIMEOUT_SECONDS (per answer).
Prints one line per check with milliseconds; exit status 1 if any check failed.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

URL = os.environ["ENGINE_URL"].rstrip("/")
MODEL = os.environ["MODEL_NAME"]
TIMEOUT = float(os.environ.get("TIMEOUT_SECONDS", "30"))
PROMPTS = ("Name the capital of France.", "Write one sentence about the sea.", "用一句话介绍长城。")


class CheckError(Exception):
    """A check saw something else than a client needs; the text says what."""


def ask(path, body=None):
    """Sends one request and returns the open response."""
    headers = {"Content-Type": "application/json"}
    if os.environ.get("API_KEY"):
        headers["Authorization"] = "Bearer " + os.environ["API_KEY"]
    data = None if body is None else json.dumps(body).encode()
    return urllib.request.urlopen(urllib.request.Request(URL + path, data, headers), timeout=TIMEOUT)


def chat(prompt, **more):
    messages = [{"role": "user", "content": prompt}]
    return ask("/v1/chat/completions", {"model": MODEL, "messages": messages, "max_tokens": 64, **more})


def answer_text(message):
    # A reasoning model may spend a short answer on its reasoning alone.
    return message.get("content") or message.get("reasoning_content") or message.get("reasoning") or ""


def models_listed():
    with ask("/v1/models") as response:
        names = [model["id"] for model in json.load(response)["data"]]
    if MODEL not in names:
        raise CheckError(f"served models are {names}, not {MODEL}")


def chat_completion(prompt):
    with chat(prompt) as response:
        choice = json.load(response)["choices"][0]
    if not answer_text(choice["message"]).strip():
        raise CheckError(f"the answer is empty (finish_reason {choice.get('finish_reason')})")


def streaming():
    text, done = "", False
    with chat(PROMPTS[0], stream=True) as response:
        for line in response:
            if not line.startswith(b"data:"):
                continue
            payload = line[5:].strip()
            if payload == b"[DONE]":
                done = True
                break
            event = json.loads(payload)
            if "error" in event:
                raise CheckError(f"the stream carries an error: {event['error']}")
            for choice in event.get("choices", []):
                text += answer_text(choice.get("delta", {}))
    if not done:
        raise CheckError("the stream ended without [DONE]")
    if not text.strip():
        raise CheckError("the stream carried no text")


def metrics_present():
    with ask("/metrics") as response:
        text = response.read().decode()
    if f'model_name="{MODEL}"' not in text or "vllm:num_requests_running" not in text:
        raise CheckError(f"no vllm:num_requests_running for model_name {MODEL}")


def main():
    checks = [("models listed", models_listed)]
    checks += [(f"chat completion {i}", lambda p=p: chat_completion(p)) for i, p in enumerate(PROMPTS, 1)]
    checks += [("streaming", streaming), ("metrics present", metrics_present)]
    failures = 0
    for name, check in checks:
        started, problem = time.monotonic(), ""
        try:
            check()
        except CheckError as error:
            problem = str(error)
        except urllib.error.HTTPError as error:
            problem = f"HTTP {error.code} {error.read(200).decode(errors='replace')}"
        except (OSError, ValueError, LookupError, TypeError) as error:
            problem = f"{type(error).__name__}: {error}"
        elapsed = time.monotonic() - started
        if not problem and elapsed > TIMEOUT:
            problem = f"took longer than {TIMEOUT:g} s"
        failures += bool(problem)
        verdict = "FAIL" if problem else "ok"
        print(f"{verdict:4} {name:18} {elapsed * 1000:6.0f} ms  {problem}", flush=True)
    print(f"{len(checks) - failures} of {len(checks)} checks passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
