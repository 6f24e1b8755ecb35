"""What a pod of another namespace tries with every credential that it has; a JSON line with the statuses.

Runs in the image of the toolkit, with the environment GATE, NAMESPACE, RELEASE, CANARY and STABLE.
"""

import json
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

GATE, NAMESPACE, RELEASE = (os.environ[name] for name in ("GATE", "NAMESPACE", "RELEASE"))
CANARY, STABLE = os.environ["CANARY"], os.environ["STABLE"]
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKENS = {
    "none": "",
    "its account": (ACCOUNT / "token").read_text(),
    "its own for the gate": Path("/var/run/secrets/gate/token").read_text(),
}


def status(url: str, token: str, body: bytes | None = None) -> int:
    request = urllib.request.Request(url, body, {"Authorization": f"Bearer {token}"} if token else {})  # noqa: S310
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def selector(name: str, labels: dict[str, str]) -> bytes:
    pairs = ", ".join(f"{key}={value!r}" for key, value in labels.items())
    return urllib.parse.urlencode({"query": f"{name}{{{pairs}}}"}).encode()


def main() -> None:
    own = {"namespace": NAMESPACE, "release": RELEASE, "canary": CANARY}
    policy = json.dumps({"gates": ["errors"], "looks": [1], "windowSeconds": 1, "minRequests": 1})
    verdict = {**own, "stable": STABLE, "step": "0", "mode": "absolute", "gate": "errors", "policy": policy}
    result = {**own, "kind": "smoke"}
    bad = {"checks": [{"name": "models", "ok": False, "problem": "forged"}]}
    found = {}
    for name, token in TOKENS.items():
        found[f"evidence, {name}"] = status(f"{GATE}/v1/evidence/{NAMESPACE}/{RELEASE}", token)
        query = f"{GATE}/api/v1/query"
        found[f"verdict, {name}"] = status(query, token, selector("llm_gate_verdict", verdict))
        found[f"result, {name}"] = status(query, token, selector("llm_gate_result", result))
        posted = json.dumps({**result, "document": bad}).encode()
        found[f"forged result, {name}"] = status(f"{GATE}/v1/results", token, posted)
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    secret = f"https://{host}:{port}/api/v1/namespaces/{NAMESPACE}/secrets/llm-canary-gate"
    found["the Secret"] = status(secret, TOKENS["its account"])
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()
