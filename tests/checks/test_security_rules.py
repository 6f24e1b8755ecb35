"""Secrets as text, and what production asks of routes and volumes: forms that the examples do not show."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
import yaml

from llmops import checks
from tests.checks.cases import manifests

# Put together here, so that no scanner takes this file for a leak.
RANDOM = "q7Zx91LmPv3RtY5wK2nB8cD4fG6hJ0sA1eU9"
FORMS = {
    "hub": "hf_" + RANDOM,
    "github": "ghp_" + RANDOM + "q7Zx",
    "gitlab": "glpat-" + RANDOM[:20],
    "aws": "AKIA" + "Q7ZX91LMPV3RTY5W",
    "google": "AIza" + RANDOM[:35],
    "openai": "sk-proj-" + RANDOM,
    "slack": "xoxb-" + "123456789012-" + RANDOM,
    "jwt": ".".join(["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0NTY3ODkwIn0", RANDOM]),
    "pem": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "url": "redis://:" + "n0tSoSecret@cache.example.com:6379/0",
}


def said(text: str, rule: str, values: dict[str, Any] | None = None) -> dict[str, str]:
    release = replace(manifests(text), values=values or {})
    return {one.path: one.message for one in checks.run(release).findings if one.rule == rule}


def config(data: dict[str, str], annotations: dict[str, str] | None = None) -> str:
    metadata = {"name": "x", "annotations": annotations or {}}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


@pytest.mark.parametrize("form", FORMS)
def test_a_credential_is_known_by_its_form_wherever_it_stands(form: str) -> None:
    value = FORMS[form]
    assert said(config({"note": f"use {value} for now"}), "security/secret-in-manifest").keys() == {
        "/data/note"
    }
    pod = {"containers": [{"name": "x", "image": "x:1", "args": ["--header", f"Authorization: {value}"]}]}
    text = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod})
    assert said(text, "security/secret-in-manifest").keys() == {"/spec/containers/0/args/1"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hfToken", "change-me-please-1"),
        ("password", "${POSTGRES_PASSWORD}"),
        ("password", "{{ .Values.password }}"),
        ("apiKey", "vault:secret/data/llm#key1"),
        ("auth-secret", "gateway/basic-auth-2"),
        ("tokenFile", "/var/run/secrets/Token1"),
        ("tokenizerSha", "9c1b2a0f5d3e4c6b7a8990a1b2c3d4e5f6071829"),
        (
            "image",
            "registry.example/x@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
        ),
        ("url", "https://hub.example.com:8443/a@b"),
        ("max_tokens", "16384"),
        ("stop_token", "<|im_end|>"),
        ("token", "correct horse battery staple 7"),
        ("dashboard.json", '{"uid": "aB3dE5fG7h", "title": "Tokens per second: 12345678"}'),
        ("app.yaml", "tokenizer: Qwen/Qwen3-8B\nmax_tokens: 16384\nsecret:\n  name: hub-token-1\n"),
        ("script.sh", 'TOKEN="$(cat /run/secrets/token)"\nexport API_KEY=$TOKEN\n'),
    ],
)
def test_names_places_and_settings_are_no_secrets(key: str, value: str) -> None:
    assert said(config({key: value}, {f"example.com/{key}": value}), "security/secret-in-manifest") == {}


def test_what_a_policy_reports_is_reported_once() -> None:
    token = FORMS["hub"]
    container = {
        "name": "x",
        "image": "x:1",
        "env": [{"name": "HF_TOKEN", "value": token}],
        "args": ["--api-key", token, f"--hf-token={token}"],
    }
    text = json.dumps(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [container]}}
    )
    assert said(text, "security/secret-in-manifest") == {}
    assert said(text, "policy/literal-secret").keys() == {"/spec/containers/0/env/0/value"}
    assert len(said(text, "policy/key-in-arguments")) == 2


@pytest.mark.parametrize("filler", ["a", "aB3", "a:", "://", "sk-", "token: ", 'api_key="x1', "eyJ.", "\n- "])
def test_long_texts_are_read_in_time_that_grows_with_their_length(filler: str) -> None:
    text = config({"big": filler * (400_000 // len(filler))})
    before = time.process_time()
    release = manifests(text)
    rule = checks.RULES["security/secret-in-manifest"]
    parsed = time.process_time()
    rule.judge(release)
    assert time.process_time() - parsed < max(2.0, 5 * (parsed - before))


PROD = {"global": {"llm": {"environment": {"name": "prod"}}}}
ISTIO = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: x}
spec: {hosts: [x.example.com], gateways: GATEWAYS, http: [{route: [{destination: {host: x}}]}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: outside}
spec: {servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"], tls: TLS}]}
"""


@pytest.mark.parametrize(
    ("gateways", "tls", "plain", "old"),
    [
        ("[outside]", "{mode: SIMPLE, minProtocolVersion: TLSV1_3}", False, False),
        ("[llm/outside]", "{mode: SIMPLE}", False, True),
        ("[outside]", "{}", True, False),
        ("[mesh]", "{}", False, False),
        ("[elsewhere/other]", "{}", False, True),
    ],
)
def test_istio_says_it_in_the_gateway(gateways: str, tls: str, plain: bool, old: bool) -> None:
    text = ISTIO.replace("GATEWAYS", gateways).replace("TLS}]", f"{tls}}}]")
    assert bool(said(text, "security/route-without-tls", PROD)) == plain
    assert bool(said(text, "security/tls-below-1-3", PROD)) == old
    assert said(text, "security/tls-below-1-3", {}) == {}


def test_claims_of_stateful_sets_and_pods_count_too() -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    named = {**claim, "storageClassName": "encrypted"}
    volumes = [{"name": "own", "ephemeral": {"volumeClaimTemplate": {"spec": claim}}}]
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [], "volumes": volumes}}
    templates = [{"metadata": {"name": "a"}, "spec": claim}, {"metadata": {"name": "b"}, "spec": named}]
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template, "volumeClaimTemplates": templates}
    text = json.dumps(
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "x"}, "spec": spec}
    )
    environment = {"name": "eu-prod", "encryptedStorage": ["encrypted"]}
    values = {"global": {"llm": {"environment": environment}}}
    assert said(text, "security/volume-not-encrypted", values).keys() == {
        "/spec/volumeClaimTemplates/0/spec",
        "/spec/template/spec/volumes/0/ephemeral/volumeClaimTemplate/spec",
    }
    assert (
        said(text, "security/volume-not-encrypted", {"global": {"llm": {"environment": {"name": "preprod"}}}})
        == {}
    )


@pytest.mark.parametrize(
    "odd", [None, 3, "text", [], [None], {"name": 3}, {"name": "prod", "encryptedStorage": 3}]
)
def test_values_of_a_wrong_shape_are_left_to_the_schema(odd: Any) -> None:
    values = {"global": {"llm": {"environment": odd}}}
    assert (
        said(ISTIO.replace("GATEWAYS", "3").replace("TLS}]", "3}]"), "security/route-without-tls", values)
        == {}
    )
