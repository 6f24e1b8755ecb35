"""The chart's routes in a real Traefik on loopback: rules and services as rendered, two plain servers as versions.

Traefik reads them from a file instead of the cluster; what the Rollouts controller would write (weights) and what the
cluster knows (the servers behind a Service) is put in by the test.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import ROOT, cache
from lab.cluster.waiting import until
from llmops.release import archive
from llmops.render import Target
from llmops.render.manifest import parse
from llmops.render.sdk import SdkRenderer
from tests.e2e.test_gateway import free_port, listens

HOST = "demo.example.com"
HEADER = {"type": "ab", "ab": {"header": {"name": "x-model-version", "value": "next"}}}
COOKIE = {"type": "ab", "ab": {"cookie": {"name": "version", "value": "v1.5"}}}
SHADOW = {"type": "shadow", "shadow": {"percent": 20}}


class Version:
    """A server that answers its name and keeps the bodies that it was sent."""

    def __init__(self, name: str) -> None:
        bodies: list[int] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(len(self.rfile.read(int(self.headers.get("Content-Length", 0)))))
                self.send_response(200)
                self.send_header("Content-Length", str(len(name)))
                self.end_headers()
                self.wfile.write(name.encode())

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.bodies = bodies
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


class Gateway:
    """A Traefik that has read the chart's routes; `weights` are (stable, canary), as the controller writes them."""

    def __init__(self, folder: Path, web: int) -> None:
        self.file, self.web = folder / "routes.yaml", web
        self.versions = {"demo": Version("stable"), "demo-canary": Version("canary")}

    def write(
        self, strategy: dict[str, Any], weights: tuple[int, int], route: dict[str, Any], canary: bool = True
    ) -> None:
        """Takes new routes; returns when Traefik answers by them. Without `canary` that Service has no server."""
        servers = {name: [{"url": one.url}] for name, one in self.versions.items()}
        if not canary:
            servers["demo-canary"] = []
        text = yaml.safe_dump({"http": dynamic(strategy, weights, route, servers)})
        marker = f"mark-{hash(text) & 0xFFFF}.example.com"
        read = {"rule": f"Host(`{marker}`)", "service": "demo-80"}
        config = yaml.safe_load(text)
        config["http"]["routers"]["read"] = read
        self.file.write_text(yaml.safe_dump(config))
        until(lambda: self.ask(host=marker)[0] == 200, "the new routes", seconds=20)
        for one in self.versions.values():
            one.bodies.clear()

    def ask(
        self, host: str = HOST, body: bytes = b"{}", path: str = "/v1/chat/completions", **headers: str
    ) -> tuple[int, str, str]:
        """Status, which version answered, and the cookie that was set."""
        connection = HTTPConnection("127.0.0.1", self.web, timeout=20)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("POST", path, body, {"Host": host, **sent})
            answer = connection.getresponse()
            cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
            return answer.status, answer.read().decode(), cookie
        finally:
            connection.close()

    def answers(self, count: int, **headers: str) -> set[tuple[int, str]]:
        return {self.ask(**headers)[:2] for _ in range(count)}


def dynamic(
    strategy: dict[str, Any],
    weights: tuple[int, int],
    route: dict[str, Any],
    servers: dict[str, list[dict[str, str]]],
) -> dict[str, Any]:
    """The rendered IngressRoute and TraefikServices in the form of Traefik's files."""
    values = {
        "global": {"llm": {"model": {"name": "demo", "source": "hf://Qwen/Qwen3-8B-AWQ"}}},
        "trafficRouter": "traefik",
        "route": {"host": HOST, "tls": False, "entryPoints": ["web"], **route},
        "strategy": strategy,
    }
    rendered = SdkRenderer().render(archive(ROOT / "charts/vllm-inference"), [values], Target(name="demo"))
    objects = [each.data for path, text in rendered.templates.items() for each in parse(text, path)]
    (ingress,) = [each for each in objects if each["kind"] == "IngressRoute"]
    services: dict[str, Any] = {
        f"{name}-80": {"loadBalancer": {"servers": listed}} for name, listed in servers.items()
    }
    for each in objects:
        if each["kind"] == "TraefikService":
            services[each["metadata"]["name"]] = translated(
                each["spec"], dict(zip(servers, weights, strict=True))
            )
    routers = {
        f"route-{number}": {"rule": one["match"], "service": named(one["services"][0])}
        for number, one in enumerate(ingress["spec"]["routes"])
    }
    return {"routers": routers, "services": services}


def named(reference: dict[str, Any]) -> str:
    name = reference["name"]
    return name if reference.get("kind") == "TraefikService" else f"{name}-{reference['port']}"


def translated(spec: dict[str, Any], weights: dict[str, int]) -> dict[str, Any]:
    if mirroring := spec.get("mirroring"):
        mirrors = [{"name": named(one), "percent": one["percent"]} for one in mirroring["mirrors"]]
        size = mirroring["maxBodySize"]
        return {"mirroring": {"service": named(mirroring), "maxBodySize": size, "mirrors": mirrors}}
    weighted = spec["weighted"]
    listed = [{"name": named(one), "weight": weights[one["name"]]} for one in weighted["services"]]
    return {"weighted": {**weighted, "services": listed}}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path, free_port())
    made.file.write_text("{}")
    flags = [f"--entrypoints.web.address=127.0.0.1:{made.web}", f"--providers.file.filename={made.file}"]
    flags += ["--providers.providersthrottleduration=100ms", "--log.level=ERROR"]
    flags += ["--global.checknewversion=false", "--global.sendanonymoususage=false"]
    program = subprocess.Popen([str(cache() / "bin/traefik"), *flags])
    try:
        until(lambda: listens(made.web), "the start of Traefik", seconds=20)
        yield made
    finally:
        program.terminate()
        program.wait(20)
        for one in made.versions.values():
            one.server.shutdown()
            one.server.server_close()


def test_a_header_takes_its_requests_to_the_canary_and_no_others(gateway: Gateway) -> None:
    gateway.write(HEADER, (100, 0), {})
    assert gateway.answers(20, x_model_version="next") == {(200, "canary")}
    assert gateway.answers(20) == {(200, "stable")}
    assert gateway.answers(5, x_model_version="nextt") == {(200, "stable")}
    assert gateway.ask(path="/metrics", x_model_version="next")[0] == 404


def test_a_cookie_takes_its_requests_to_the_canary_and_no_others(gateway: Gateway) -> None:
    gateway.write(COOKIE, (100, 0), {})
    for cookie in ("version=v1.5", "a=1; version=v1.5; b=2"):
        assert gateway.answers(10, cookie=cookie) == {(200, "canary")}
    for cookie in ("version=v1x5", "myversion=v1.5", "version=v1.50"):
        assert gateway.answers(5, cookie=cookie) == {(200, "stable")}


def test_marked_requests_stay_with_the_canary_while_others_move_by_weight(gateway: Gateway) -> None:
    gateway.write(HEADER, (50, 50), {})
    assert gateway.answers(20, x_model_version="next") == {(200, "canary")}
    assert gateway.answers(20) == {(200, "stable"), (200, "canary")}


def test_a_canary_without_servers_fails_marked_requests_only(gateway: Gateway) -> None:
    """After an abort the canary's pods go: whoever still sends the mark is told so, nobody else notices."""
    gateway.write(HEADER, (100, 0), {}, canary=False)
    assert {status for status, _ in gateway.answers(10, x_model_version="next")} == {503}
    assert gateway.answers(20) == {(200, "stable")}


def test_a_shadow_gets_copies_and_answers_nobody(gateway: Gateway) -> None:
    gateway.write(SHADOW, (100, 0), {"mirrorBodyMiB": 1})
    canary = gateway.versions["demo-canary"]
    assert gateway.answers(100) == {(200, "stable")}
    until(lambda: len(canary.bodies) >= 20, "the copies", seconds=10)
    assert canary.bodies == [2] * 20
    for _ in range(10):
        assert gateway.ask(body=b"x" * (2 << 20))[:2] == (200, "stable")
    assert gateway.answers(10) == {(200, "stable")}
    assert max(canary.bodies) == 2  # what is larger was answered and not copied
    assert gateway.versions["demo"].bodies.count(2 << 20) == 10


def test_a_shadow_without_servers_costs_nobody_an_answer(gateway: Gateway) -> None:
    gateway.write(SHADOW, (100, 0), {}, canary=False)
    assert gateway.answers(50) == {(200, "stable")}


def test_a_sticky_client_keeps_its_version_until_that_has_no_weight(gateway: Gateway) -> None:
    sticky = {"sticky": {"cookie": "llm-version"}}
    gateway.write({}, (50, 50), sticky)
    first = [gateway.ask() for _ in range(4)]
    cookies = {version: cookie for _, version, cookie in first}
    assert set(cookies) == {"stable", "canary"}
    for version, cookie in cookies.items():
        assert gateway.answers(10, cookie=cookie) == {(200, version)}
    gateway.write({}, (100, 0), sticky)
    assert gateway.answers(10, cookie=cookies["canary"]) == {(200, "stable")}
