"""Asks a served model what a client would ask. Standard library only: runs on any engine image.

Environment: ENGINE_URL, MODEL_NAME, API_KEY (optional), TIMEOUT_SECONDS (per answer), and, if set: LATENCY_SECONDS
(limit of an answer), MAX_MODEL_LEN and TOKENIZER_FINGERPRINT (what the engine must say), JSON_MODE=1, and for a canary
GATE_URL, GATE_TOKEN_FILE, NAMESPACE, RELEASE and CANARY_HASH: the gate gets the result (names, milliseconds, problems;
no answers).
Prints a line per check. Exit status 1 if a check failed, unless the gate took the result: then it decides.
"""

import hashlib
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request

URL = os.environ["ENGINE_URL"].rstrip("/")
MODEL = os.environ["MODEL_NAME"]
GATE = os.environ.get("GATE_URL", "").rstrip("/")
TIMEOUT = float(os.environ.get("TIMEOUT_SECONDS") or 30)
LIMIT = min(float(os.environ.get("LATENCY_SECONDS") or TIMEOUT), TIMEOUT)
REPORT_SECONDS = float(os.environ.get("REPORT_SECONDS") or 300)
LONGEST = 2**20  # bytes of an answer
LONGEST_METRICS = 2**24
BUSY = (408, 429)  # the gate may take the same result in a moment
BAD_REPORT_SECONDS = min(30, REPORT_SECONDS)
PROMPTS = (
    ("Name the capital of France.", 50),
    ("Write one sentence about the sea.", 100),
    ("用一句话介绍长城。", 200),
)
# Letters, digits, spaces, Chinese and an emoji: two tokenizers seldom cut all of them alike.
SAMPLE = "The quick brown fox, 12345.678 km!  用一句话介绍长城。 naïve café 🙂\n\tdef f(x): return x**2"


class CheckError(Exception):
    """A check saw something else than a client needs; the text says what."""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like another: followed, it would carry the key to another host."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # noqa: ARG002 as urllib has it
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirects)


def ask(path, body=None, base=URL):
    """Sends one request and returns the open response. Nothing goes through a proxy of the image."""
    headers = {"Content-Type": "application/json"}
    if os.environ.get("API_KEY") and base == URL:
        headers["Authorization"] = "Bearer " + os.environ["API_KEY"]
    if base == GATE and os.environ.get("GATE_TOKEN_FILE"):
        # The kubelet renews it while the checks run.
        with open(os.environ["GATE_TOKEN_FILE"], encoding="utf-8") as file:  # noqa: PTH123
            headers["Authorization"] = "Bearer " + file.read().strip()
    data = None if body is None else json.dumps(body).encode()
    return OPENER.open(urllib.request.Request(base + path, data, headers), timeout=TIMEOUT)


def ask_json(path, body=None):
    with ask(path, body) as response:
        return json.loads(response.read(LONGEST))


def chat(prompt, tokens, **more):
    messages = [{"role": "user", "content": prompt}]
    return ask("/v1/chat/completions", {"model": MODEL, "messages": messages, "max_tokens": tokens, **more})


def answer_text(message):
    # A reasoning model may spend a short answer on its reasoning alone.
    return message.get("content") or message.get("reasoning_content") or message.get("reasoning") or ""


def models_listed():
    names = [model["id"] for model in ask_json("/v1/models")["data"]]
    if MODEL not in names:
        raise CheckError(f"served models are {names}, not {MODEL}")


def context_length():
    wanted = int(os.environ["MAX_MODEL_LEN"])
    found = {model["id"]: model.get("max_model_len") for model in ask_json("/v1/models")["data"]}
    if found.get(MODEL) != wanted:
        raise CheckError(f"max_model_len of {MODEL} is {found.get(MODEL)}, not {wanted}")


def tokenizer():
    wanted = os.environ["TOKENIZER_FINGERPRINT"]
    # No API of the engine names the tokenizer's revision; how it cuts a text tells one from another.
    tokens = ask_json("/tokenize", {"model": MODEL, "prompt": SAMPLE, "add_special_tokens": False})["tokens"]
    found = hashlib.sha256(json.dumps(tokens).encode()).hexdigest()[:16]
    if found != wanted:
        raise CheckError(f"the tokenizer's fingerprint is {found}, not {wanted}")


def chat_completion(prompt, tokens):
    with chat(prompt, tokens) as response:
        answer = json.loads(response.read(LONGEST))
    choice = answer["choices"][0]
    if not answer_text(choice["message"]).strip():
        raise CheckError(f"the answer is empty (finish_reason {choice.get('finish_reason')})")
    used = (answer.get("usage") or {}).get("completion_tokens") or 0
    if used > tokens:
        raise CheckError(f"the answer has {used} tokens, {tokens} were the most")


def streaming():
    text, done, seen, ends = "", False, 0, time.monotonic() + TIMEOUT
    with chat(*PROMPTS[0], stream=True) as response:
        # A line may be as endless as the stream.
        while line := response.readline(LONGEST):
            seen += len(line)
            if time.monotonic() > ends:
                raise CheckError(f"the stream did not end within {TIMEOUT:g} s")
            if seen > LONGEST:
                raise CheckError(f"the stream has more than {LONGEST} bytes")
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


def json_mode():
    prompt = 'Reply with a JSON object that has the key "city" for the capital of France.'
    with chat(prompt, 200, response_format={"type": "json_object"}, temperature=0) as response:
        choice = json.loads(response.read(LONGEST))["choices"][0]
    try:
        found = json.loads(choice["message"].get("content") or "")
    except ValueError:
        reason = choice.get("finish_reason")
        raise CheckError(f"the answer in JSON mode is no JSON (finish_reason {reason})") from None
    if not isinstance(found, dict):
        raise CheckError("the answer in JSON mode is no JSON object")


def metrics_present():
    with ask("/metrics") as response:
        text = response.read(LONGEST_METRICS).decode(errors="replace")
    if f'model_name="{MODEL}"' not in text or "vllm:num_requests_running" not in text:
        raise CheckError(f"no vllm:num_requests_running for model_name {MODEL}")


def wanted_checks():
    """Name, check, and whether its time counts."""
    yield "models listed", models_listed, False
    if os.environ.get("MAX_MODEL_LEN"):
        yield "context length", context_length, False
    if os.environ.get("TOKENIZER_FINGERPRINT"):
        yield "tokenizer", tokenizer, False
    for number, (prompt, tokens) in enumerate(PROMPTS, 1):
        yield f"chat completion {number}", lambda p=prompt, t=tokens: chat_completion(p, t), True
    yield "streaming", streaming, True
    if os.environ.get("JSON_MODE") == "1":
        yield "JSON mode", json_mode, False
    yield "metrics present", metrics_present, False


def visible(text):
    """Without what a terminal or a log viewer obeys, and in one line; an engine may say anything."""
    return " ".join("".join(one if one.isprintable() else " " for one in text[:2000]).split())[:500]


def body_of(error):
    """The first words of an error's body; nothing where it breaks off."""
    try:
        with error:
            return error.read(200).decode(errors="replace").strip()
    except Exception:
        return ""


def attempt(check):
    """What is wrong, in words; empty for nothing. Whatever a server does, there is a reason for the gate."""
    try:
        check()
    except CheckError as error:
        return str(error) or "it failed"
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code} {body_of(error)}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def run(name, check, timed):
    """Makes one check, prints its line and returns it as plain data."""
    started, problems = time.monotonic(), []
    # A server that drips bytes holds its client for ever: each packet comes in time. It may keep this thread.
    worker = threading.Thread(target=lambda: problems.append(attempt(check)), daemon=True)
    worker.start()
    worker.join(TIMEOUT + 1)
    problem = visible(problems[0]) if problems else f"no answer within {TIMEOUT:g} s"
    elapsed = time.monotonic() - started
    limit = LIMIT if timed else TIMEOUT
    if not problem and elapsed > limit:
        problem = f"took longer than {limit:g} s"
    print(f"{'FAIL' if problem else 'ok':4} {name:18} {elapsed * 1000:6.0f} ms  {problem}", flush=True)
    return {"name": name, "ok": not problem, "milliseconds": round(elapsed * 1000), "problem": problem}


def report(checks):
    """Posts the result to the gate. Tries on while the gate is away; whether it took it."""
    good = sum(check["ok"] for check in checks)
    bad = [f"{check['name']}: {check['problem']}" for check in checks if not check["ok"]]
    document = {
        "outcome": "fail" if bad else "pass",
        "reason": f"{good} of {len(checks)} checks passed" + "".join("; " + words for words in bad),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "model": MODEL,
        "checks": checks,
    }
    body = {"kind": "smoke", "namespace": os.environ["NAMESPACE"], "release": os.environ["RELEASE"]}
    body |= {"canary": os.environ["CANARY_HASH"], "document": document}
    # A bad canary need not wait long for anybody, but its reason shall be known.
    ends, said = time.monotonic() + (BAD_REPORT_SECONDS if bad else REPORT_SECONDS), ""
    while True:
        try:
            with ask("/v1/results", body, GATE):
                return True
        except urllib.error.HTTPError as error:
            words = visible(f"HTTP {error.code} {body_of(error)}")
            if error.code < 500 and error.code not in BUSY:
                print(f"the gate at {GATE} refused the result: {words}")
                return False
        except Exception as error:
            words = visible(f"{type(error).__name__}: {error}")
        if said != words:
            said = words
            print(f"the gate at {GATE} did not take the result, trying on: {words}", flush=True)
        if time.monotonic() + 5 > ends:
            return False
        time.sleep(5)


def main():
    checks = [run(*each) for each in wanted_checks()]
    good = sum(check["ok"] for check in checks)
    print(f"{good} of {len(checks)} checks passed", flush=True)
    if GATE and report(checks):
        print("the gate has the result and decides")
        return 0
    return 0 if good == len(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
