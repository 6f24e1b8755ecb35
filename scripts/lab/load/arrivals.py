"""What is asked for: the load as plain data, its bounds, its schedule, and where it may go."""

from __future__ import annotations

import ipaddress
import random
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

MOST_REQUESTS = 100_000
MOST_SECONDS = 3600.0
MOST_IN_FLIGHT = 10_000
# Loopback, and the range of RFC 2544 that is set aside for tests of network devices and routed nowhere.
ALLOWED = tuple(map(ipaddress.ip_network, ("127.0.0.0/8", "::1/128", "198.18.0.0/15")))
PROMPTS = (
    "Name the capital of France.",
    "Write one sentence about the sea.",
    "用一句话介绍长城。",
    "Explain in a few words why indexes make queries fast.",
    "请写一句关于春天的话。",
)


class LoadError(ValueError):
    """A load that must not or cannot run; the sentence says what to write instead."""


@dataclass(frozen=True)
class Load:
    """`rate` requests a second for `seconds`, constant or Poisson; each may take up to `timeout` seconds.

    Constant ones come `burst` at a time, as often as the rate allows.

    `host` replaces the Host header, for gateways; `header` is one more, as "Name: value". `stream` False asks for whole
    answers, which are complete when their body is. `seed` fixes Poisson arrivals. `api_key` goes into the Authorization
    header.
    """

    url: str
    model: str
    rate: float
    seconds: float
    poisson: bool = False
    host: str = ""
    chat: bool = True
    stream: bool = True
    max_tokens: int = 32
    ignore_eos: bool = False
    prompts: tuple[str, ...] = PROMPTS
    keep_alive: bool = False
    timeout: float = 60.0
    api_key: str = ""
    seed: int = 0
    header: str = ""
    burst: int = 1


@dataclass(frozen=True)
class Target:
    """Where the requests go: an address that was checked, and the names that the request line and Host carry."""

    address: str
    port: int
    host: str
    path: str


def target(load: Load) -> Target:
    """Resolves and checks the address once. LoadError for anything but http to loopback or 198.18.0.0/15."""
    parts = urlsplit(load.url)
    if parts.scheme != "http" or not parts.hostname:
        raise LoadError(f"{load.url} is no address: write http://ADDRESS:PORT")
    try:
        port = parts.port or 80
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise LoadError(f"{load.url} has no address ({error}): write http://ADDRESS:PORT") from None
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        # A version 4 address in a version 6 net is in no net: `in` compares versions first.
        if not any(ipaddress.ip_address(address) in net for net in ALLOWED):
            raise LoadError(f"{load.url} is {address}: load goes to loopback or 198.18.0.0/15 only")
    route = "/v1/chat/completions" if load.chat else "/v1/completions"
    return Target(addresses[0], port, load.host or parts.netloc, parts.path.rstrip("/") + route)


def check(load: Load) -> None:
    """LoadError for a load beyond its bounds."""
    if load.rate <= 0 or not 0 < load.seconds <= MOST_SECONDS or not 0 < load.timeout <= MOST_SECONDS:
        raise LoadError(f"rate, seconds and timeout must be above 0 and at most {MOST_SECONDS:g} seconds")
    if load.rate * load.seconds > MOST_REQUESTS:
        raise LoadError(
            f"{load.rate * load.seconds:.0f} requests are more than {MOST_REQUESTS}: lower the rate"
        )
    if load.rate * min(load.timeout, load.seconds) > MOST_IN_FLIGHT:
        raise LoadError(
            f"a server that hangs would hold {load.rate * min(load.timeout, load.seconds):.0f} requests, more than "
            f"{MOST_IN_FLIGHT}: lower rate or timeout"
        )
    if not load.prompts or load.max_tokens < 1 or load.burst < 1:
        raise LoadError("at least one prompt, one token and a burst of one are needed")
    if "\r" in load.host + load.api_key or "\n" in load.host + load.api_key:
        raise LoadError("host and key must be one line")


def schedule(load: Load) -> list[float]:
    """Start of each request in seconds after the start of the load, all fixed in advance."""
    if not load.poisson:
        count = max(1, round(load.rate * load.seconds))
        return [index // load.burst * load.burst / load.rate for index in range(count)]
    dice = random.Random(load.seed)  # noqa: S311 not for secrets
    starts: list[float] = []
    at = dice.expovariate(load.rate)
    while at < load.seconds and len(starts) < MOST_REQUESTS:
        starts.append(at)
        at += dice.expovariate(load.rate)
    return starts
