"""The life of the process: load, listen, and the end after SIGTERM as vLLM 0.33 has it.

Read in vLLM 0.33.0 (entrypoints/launchers/launcher.py, v1/engine/core.py) and seen there: after SIGTERM the port stays
open and /health stays 200 until the engine core is done. With --shutdown-timeout 0 requests in flight get finish_reason
abort at once; with N they have N seconds. A text that arrives meanwhile gets 500, token ids get status 200, no text and
finish_reason abort. When the time is over, the process ends with whatever is open. With several API servers SIGTERM
cuts each from the core at once: nobody gets another token, nor any answer, until the time is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Iterator, Mapping

import uvicorn

from .api import Api
from .behaviour import Behaviour
from .catalogue import Catalogue
from .command import Command
from .core import Core
from .exposition import Registry

KEEP_ALIVE_SECONDS = "5"  # of idle connections, as in vLLM without VLLM_HTTP_TIMEOUT_KEEP_ALIVE
LAST_WORDS_SECONDS = 2  # for answers that are complete but not sent yet


class Server(uvicorn.Server):
    """Leaves the signals to serve()."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def happens(event: asyncio.Event, seconds: float | None) -> bool:
    """Whether the event comes within that time; None waits for ever."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def listen(host: str, port: int) -> socket.socket:
    bound = socket.create_server((host, port), backlog=2048)
    # Accepted connections inherit it. Without it a small chunk waits for the client's delayed acknowledgement: 40 ms.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    bound.setblocking(False)
    return bound


async def drain(api: Api, server: Server, seconds: int) -> None:
    """What follows SIGTERM, up to the point where the HTTP server may go."""
    core, behaviour = api.core, api.core.behaviour
    if api.command.api_servers > 1:
        api.draining = "silent"
        core.moving.clear()
        await asyncio.sleep(seconds)
        return core.interrupt_all("cut")
    api.draining = behaviour.drain_answer
    if behaviour.drain_answer == "refuse":
        for listener in server.servers:
            listener.close()
    aborted = "cut" if behaviour.abort_style == "cut" else "abort"
    if seconds == 0:
        core.interrupt_all(aborted)
    deadline = core.now() + seconds
    while not core.idle and core.now() < deadline:
        await asyncio.sleep(0.01)
    # vLLM's core is gone by now, so nobody can tell these clients a reason.
    core.interrupt_all("cut")
    return await asyncio.sleep(behaviour.drain_seconds)


async def serve(
    command: Command, behaviour: Behaviour, catalogue: Catalogue, environment: Mapping[str, str]
) -> int:
    """Runs one engine until SIGTERM or SIGINT; returns its exit status. UsageError for a wrong flag value."""
    host, port = command.text("host", "0.0.0.0"), command.number("port", catalogue.port)  # noqa: S104 as vLLM
    timeout, common = command.number(catalogue.drain, 0), {"model_name": command.names[0]}
    registry = Registry(catalogue, command.max_model_len, common)
    core = Core(command, behaviour, registry, environment.get("HOSTNAME", ""))
    api = Api(command, catalogue, registry, core, environment)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    if await happens(stop, None if behaviour.never_ready else behaviour.load_seconds):
        return 0
    if behaviour.crash_at_start is not None:
        sys.stderr.write("engine: scripted crash at start\n")
        return behaviour.crash_at_start

    bound = listen(host, port)
    config = uvicorn.Config(
        api,
        lifespan="off",
        http="h11",
        ws="none",
        loop="asyncio",
        log_level="critical",
        access_log=False,
        timeout_keep_alive=int(environment.get("VLLM_HTTP_TIMEOUT_KEEP_ALIVE", KEEP_ALIVE_SECONDS)),
        timeout_graceful_shutdown=LAST_WORDS_SECONDS,
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    address = bound.getsockname()
    sys.stdout.write(f"engine: {command.names[0]} listens on http://{address[0]}:{address[1]}\n")
    sys.stdout.flush()
    ended = [asyncio.create_task(event.wait()) for event in (stop, core.dead)]
    await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        await drain(api, server, timeout)
    server.should_exit = True
    await serving
    return 0
