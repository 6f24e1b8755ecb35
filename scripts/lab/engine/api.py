"""The routes of the engine as a raw ASGI application."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from . import asgi, completions, exposition, process, text
from .asgi import HttpError, Message, Receive, Scope, Send
from .behaviour import BehaviourError, merge
from .catalogue import Catalogue, Metric
from .command import Command
from .core import Core
from .exposition import Registry

GUARDED = ("/v1", "/v2", "/inference", "/cohere")  # the only prefixes that vLLM's key guards
NOT_COUNTED = ("/load", "/ping", "/version", "/server_info", "/_behaviour")
# What vLLM answers after SIGTERM where it has to make tokens of a text.
RENDERER_GONE = "cannot schedule new futures after shutdown"
# What a series is called whose label values only a real engine knows.
UNKNOWN = "none"


@dataclass(frozen=True)
class Call:
    """One HTTP request and the two ends of its connection."""

    scope: Scope
    receive: Receive
    send: Send


class Api:
    """`draining` is set by the server after SIGTERM: what new requests get then, see Behaviour.drain_answer."""

    def __init__(
        self,
        command: Command,
        catalogue: Catalogue,
        registry: Registry,
        core: Core,
        environment: Mapping[str, str],
    ) -> None:
        self.command = command
        self.catalogue = catalogue
        self.registry = registry
        self.core = core
        self.environment = environment
        self.scripted = environment.get("ENGINE_SCRIPTED") == "1"
        self.draining = ""
        keys = command.flags.get("api-key") or (environment.get("VLLM_API_KEY", ""),)
        self.keys = [digest(key) for key in keys if key]
        pod = environment.get("POD_NAME") or environment.get("HOSTNAME", "")
        self.headers = {"x-pod": pod} if pod else {}
        self.declare()
        both = ("GET", "POST")
        self.routes: dict[str, tuple[tuple[str, ...], Callable[[Call], Awaitable[None]]]] = {
            catalogue.health: (("GET",), self.health),
            "/ping": (both, self.health),
            "/version": (("GET",), self.version),
            "/load": (("GET",), self.show_load),
            catalogue.metrics_path: (("GET",), self.metrics),
            f"{catalogue.metrics_path}/": (("GET",), self.metrics),
            "/v1/models": (("GET",), self.models),
            "/v1/chat/completions": (("POST",), self.complete),
            "/v1/completions": (("POST",), self.complete),
            "/tokenize": (("POST",), self.tokenize),
        }
        if self.scripted:
            self.routes["/_behaviour"] = (both, self.behave)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        seen = {"status": 0, "size": 0}

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                sizes = [value for name, value in message["headers"] if name == b"content-length"]
                seen.update(status=message["status"], size=int(sizes[0]) if sizes else 0)
            await send(message)

        started = self.core.now()
        try:
            await self.handle(scope, receive, counted)
            # Unanswered, since its client has left: the framework calls that a success.
            seen["status"] = seen["status"] or 200
        finally:
            seen["status"] = seen["status"] or 500
            # The key is looked at before anything counts.
            silent = (*NOT_COUNTED, self.catalogue.health, self.catalogue.metrics_path)
            if path.rstrip("/") not in silent and seen["status"] != 401:
                known = path in self.routes and seen["status"] != 405
                self.count(scope, method, path if known else "none", seen, self.core.now() - started)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if self.draining == "silent" and path != "/health":
            await asyncio.Event().wait()
        if method != "OPTIONS" and path.startswith(GUARDED) and not self.may(scope):
            return await asgi.reply_json(send, 401, {"error": "Unauthorized"}, self.headers)
        if path not in self.routes:
            return await asgi.reply_json(send, 404, {"detail": "Not Found"}, self.headers)
        methods, handler = self.routes[path]
        if method not in methods:
            return await asgi.reply_json(send, 405, {"detail": "Method Not Allowed"}, self.headers)
        try:
            return await handler(Call(scope, receive, send))
        except HttpError as error:
            return await asgi.reply_json(send, error.status, error.body, self.headers)

    def may(self, scope: Scope) -> bool:
        sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"").decode(
            "latin-1"
        )
        scheme, _, key = sent.partition(" ")
        matches = [secrets.compare_digest(digest(key), known) for known in self.keys]
        return not self.keys or (scheme.lower() == "bearer" and any(matches))

    def count(self, scope: Scope, method: str, handler: str, seen: Mapping[str, int], seconds: float) -> None:
        registry = self.registry
        sent = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        registry.inc(
            "http_requests_total", method=method, handler=handler, status=f"{seen['status'] // 100}xx"
        )
        registry.observe("http_request_size_bytes", int(sent), handler=handler)
        registry.observe("http_response_size_bytes", seen["size"], handler=handler)
        registry.observe("http_request_duration_highr_seconds", seconds)
        registry.observe("http_request_duration_seconds", seconds, method=method, handler=handler)

    def declare(self) -> None:
        """Makes the series that are on the page before the first request."""
        for metric in self.catalogue.metrics:
            # What flags bring has labels that only a real engine can fill; a placeholder keeps the family visible.
            spare = {label: UNKNOWN for label in metric.labels if label not in metric.values}
            known = {
                key: value
                for key, value in spare.items()
                if metric.requires and key not in ("engine", "model_name")
            }
            for engine in self.core.ranks if "engine" in metric.labels else [""]:
                self.registry.declare(metric.name, engine=engine, **known)

    def shown(self, metric: Metric) -> bool:
        # Of several processes nobody's own figures are on the page.
        if self.command.api_servers > 1 and metric.name.startswith(exposition.COLLECTED):
            return False
        return self.core.behaviour.all_metrics or self.command.asks_for(metric.requires, self.environment)

    # The routes.

    async def health(self, call: Call) -> None:
        status = 503 if self.draining == "silent" else self.core.behaviour.health_status
        await asgi.reply(call.send, status, b"", "", self.headers)

    async def version(self, call: Call) -> None:
        version = self.environment.get("ENGINE_VERSION") or self.catalogue.version
        await asgi.reply_json(call.send, 200, {"version": version}, self.headers)

    async def show_load(self, call: Call) -> None:
        """Always 0: vLLM counts only with --enable-server-load-tracking."""
        await asgi.reply_json(call.send, 200, {"server_load": 0}, self.headers)

    async def metrics(self, call: Call) -> None:
        self.core.update()
        process.update(self.registry)
        page = self.registry.render(self.shown, self.core.behaviour.gauges, self.command.api_servers == 1)
        await asgi.reply(call.send, 200, page.encode(), exposition.CONTENT_TYPE, self.headers)

    async def models(self, call: Call) -> None:
        data = [
            {
                "id": name,
                "object": "model",
                "created": int(process.STARTED),
                "owned_by": self.catalogue.engine,
                "root": self.command.model,
                "parent": None,
                "max_model_len": self.command.max_model_len,
            }
            for name in self.command.names
        ]
        await asgi.reply_json(call.send, 200, {"object": "list", "data": data}, self.headers)

    async def complete(self, call: Call) -> None:
        chat = call.scope["path"] == "/v1/chat/completions"
        request = completions.parse(await asgi.read_object(call.scope, call.receive), chat, self.command)
        if self.draining == "503":
            raise HttpError(503, "the server is shutting down", "ServiceUnavailableError")
        if self.draining == "500" and not request.ids:
            raise HttpError(500, RENDERER_GONE, "InternalServerError")
        if self.draining == "500" and self.core.idle:
            # Token ids need no renderer, but the core that would answer has ended.
            await asyncio.Event().wait()
        if self.draining:
            return await completions.aborted(completions.Answer(request, self.headers), call.send)
        return await completions.respond(self.core, request, call.receive, call.send, self.headers)

    async def tokenize(self, call: Call) -> None:
        body = await asgi.read_object(call.scope, call.receive)
        completions.model_of(body, self.command)
        if "messages" not in body and "prompt" not in body:
            raise completions.unreadable("prompt", "a text is needed")
        if self.draining == "500":
            raise HttpError(500, RENDERER_GONE, "InternalServerError")
        if "messages" in body:
            found = text.tokens(completions.conversation(body))
        else:
            found = text.tokens(completions.prompts_of(body.get("prompt"))[0][0])
        strings = found if body.get("return_token_strs") is True else None
        content: dict[str, Any] = {"count": len(found), "max_model_len": self.command.max_model_len}
        content |= {"tokens": [text.token_id(token) for token in found], "token_strs": strings}
        await asgi.reply_json(call.send, 200, content, self.headers)

    async def behave(self, call: Call) -> None:
        """GET shows the behaviour. POST merges; its key `add` raises counters once, {"family name": amount}."""
        if call.scope["method"] == "POST":
            patch = await asgi.read_json(call.receive)
            try:
                added = patch.pop("add", {}) if isinstance(patch, dict) else {}
                changed = merge(self.core.behaviour, patch)
                self.check_names(added, "counter")
                self.check_names(changed.gauges, "gauge")
            except BehaviourError as error:
                raise HttpError(400, str(error)) from None
            for name, amount in added.items():
                for series in self.registry.families[name].series.values():
                    series.total += amount
            self.core.change(changed)
        await asgi.reply_json(call.send, 200, asdict(self.core.behaviour), self.headers)

    def check_names(self, table: Any, kind: str) -> None:
        if not isinstance(table, Mapping):
            raise BehaviourError(f"a table of {kind} names and numbers is needed")
        for name, value in table.items():
            family = self.registry.families.get(name)
            if family is None or family.metric.type != kind:
                raise BehaviourError(f"{name} is no {kind} of the catalogue")
            if not isinstance(value, int | float):
                raise BehaviourError(f"{name} is {value!r}: write a number")


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
