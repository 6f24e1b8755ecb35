"""python -m tests.services.relay.load: ten thousand alerts in bursts, robots with every fault, a relay that is killed.

Alerts fire and end in groups; each robot is away for a while, then slow, rate-limited and busy; the relay is killed at
even distances. Writes out/relay.json and says how many were lost, told twice, out of order, and how late. Exits 1 where
one is lost, one is told twice more often than there were kills, or order is not kept.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.services.relay.fakes import SECRET, Robot, robot, said
from tests.services.relay.test_relay_messages import alert, webhook
from tests.services.relay.test_relay_program import Relay, receiver, relaying

# Of a hundred alerts, for each kind of robot; its rate and size decide how many it can be told at all.
SHARES = {"webhook": 50, "feishu": 30, "dingtalk": 15, "wecomRobot": 5}
GROUP = 25
BUSY: dict[str, Any] = {"dingtalk": {"errcode": -1}, "wecomRobot": {"errcode": -1}, "feishu": {"code": 19000}}
OFTEN: dict[str, Any] = {
    "dingtalk": {"errcode": 130101},
    "wecomRobot": {"errcode": 45009},
    "feishu": {"code": 11232},
}


@dataclass
class Channel:
    """One robot, and when it showed what; `sent` is when an alert was handed over, by (number, status)."""

    of: Robot
    name: str
    sent: dict[tuple[int, str], float] = field(default_factory=dict)
    shown: list[tuple[float, str]] = field(default_factory=list)
    down: bool = False

    def before(self) -> Any:
        """Hangs up while it is away; else one request in ten is slow, one limited, one answered with a fault."""
        if self.down:
            return None
        fault = random.random()  # noqa: S311 faults, no secrets
        if fault < 0.1:
            time.sleep(2)
        elif fault < 0.2:
            return said(OFTEN[self.of.kind]) if self.of.kind in OFTEN else (429, {"Retry-After": "1"}, b"")
        elif fault < 0.3:
            return said(BUSY[self.of.kind]) if self.of.kind in BUSY else (503, {}, b"")
        return ...

    def moments(self) -> dict[tuple[int, str], list[float]]:
        """When each alert was shown, by (number, status)."""
        found: dict[tuple[int, str], list[float]] = {}
        for at, text in list(self.shown):
            for block in text.split("**[")[1:]:
                status, _, rest = block.partition("]")
                number = rest.partition("release=demo-")[2].split("\n")[0].split()[0]
                found.setdefault((int(number), status), []).append(at)
        return found


def fire(relay: Relay, channel: Channel, first: int, count: int, status: str) -> None:
    """One group, handed over until it is taken, as Alertmanager does."""
    alerts = [alert("LLMTargetDown", number, status=status.lower()) for number in range(first, first + count)]
    now = time.time()
    for number in range(first, first + count):
        channel.sent[number, "FIRING" if status == "firing" else "RESOLVED"] = now
    body = webhook(*alerts, group=f"{channel.name} {first}")
    while True:
        with contextlib.suppress(OSError):
            if relay.call(f"/alertmanager/{channel.name}", body)[0] == 200:
                return
        time.sleep(0.2)


def run(total: int, kills: int, away: float, folder: Path) -> dict[str, Any]:
    random.seed(1)
    with contextlib.ExitStack() as stack:
        channels = []
        for kind in SHARES:
            made = stack.enter_context(robot(kind, SECRET if kind in ("dingtalk", "feishu") else ""))
            channel = Channel(made, kind.lower())
            made.after = lambda channel=channel: channel.shown.append((time.time(), channel.of.texts[-1]))  # type: ignore[misc]
            channels.append(channel)
        relay = stack.enter_context(
            relaying(folder, *(receiver(folder, one.of, one.name) for one in channels))
        )
        quiet = _quiet(relay, channels[0])
        for channel in channels:
            channel.of.before = channel.before
        peak, killed, ended = [0.0], [0], threading.Event()
        chaos = threading.Thread(target=_chaos, args=(relay, channels, kills, away, peak, killed, ended))
        chaos.start()
        begun = time.time()
        senders = [
            threading.Thread(target=_send, args=(relay, channel, total * SHARES[channel.of.kind] // 200))
            for channel in channels
        ]
        for one in senders:
            one.start()
        for one in [*senders, chaos]:
            one.join()
        while relay.metric("llm_relay_waiting_messages") > 0:
            time.sleep(1)
        peak[0] = max(peak[0], _peak(relay))
        possible = relay.metric("llm_relay_possible_duplicates_total")
        return _verdict(channels) | {
            "kills": killed[0],
            "possible duplicates counted": int(possible),
            "seconds": round(time.time() - begun),
            "p99 seconds without faults": quiet,
            "peak RSS MiB": round(peak[0], 1),
        }


def _quiet(relay: Relay, channel: Channel) -> float:
    """p99 of the delay of two hundred single alerts while nothing is wrong."""
    for number in range(10**6, 10**6 + 200):
        fire(relay, channel, number, 1, "firing")
        time.sleep(0.12)
    while relay.metric("llm_relay_waiting_messages") > 0:
        time.sleep(0.2)
    moments = channel.moments()
    delays = [moments[key][0] - at for key, at in channel.sent.items()]
    channel.sent.clear()
    channel.shown.clear()
    return round(statistics.quantiles(delays, n=100)[98], 3)


def _send(relay: Relay, channel: Channel, count: int) -> None:
    for status in ("firing", "resolved"):
        for first in range(0, count, GROUP):
            fire(relay, channel, first, min(GROUP, count - first), status)


def _chaos(
    relay: Relay,
    channels: list[Channel],
    kills: int,
    away: float,
    peak: list[float],
    killed: list[int],
    ended: threading.Event,
) -> None:
    """All robots away at once, from the fifth second on; kills at even distances before, in and after it."""
    every, begun = (away + 60) / max(kills, 1), time.time()
    while killed[0] < kills or time.time() - begun < away + 10:
        ended.wait(0.5)
        since = time.time() - begun
        for one in channels:
            one.down = 5 < since < 5 + away
        if killed[0] < kills and since > (killed[0] + 1) * every:
            peak[0] = max(peak[0], _peak(relay))
            relay.kill()
            killed[0] += 1
            relay.start()
    for one in channels:
        one.down = False


def _peak(relay: Relay) -> float:
    assert relay.process is not None
    text = Path(f"/proc/{relay.process.pid}/status").read_text(encoding="utf-8")
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


def _verdict(channels: list[Channel]) -> dict[str, Any]:
    lost = disorder = count = again = 0
    delays: list[float] = []
    for channel in channels:
        moments = channel.moments()
        count += len(channel.sent)
        for key, at in channel.sent.items():
            shown = moments.get(key, [])
            lost += not shown
            delays += [shown[0] - at] if shown else []
        # Moments of messages with an alert that had been shown before.
        again += len({at for each in moments.values() for at in each[1:]})
        disorder += sum(
            moments[number, "RESOLVED"][0] < moments.get((number, "FIRING"), [0.0])[0]
            for number, status in moments
            if status == "RESOLVED"
        )
    return {
        "alerts": count,
        "lost": lost,
        "messages told twice": again,
        "out of order": disorder,
        "messages shown": sum(len(one.shown) for one in channels),
        "p99 seconds with faults": round(statistics.quantiles(delays, n=100)[98], 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--away", type=float, default=120, help="seconds that the robots are away")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(chosen.alerts, chosen.kills, chosen.away, Path(folder))
    out = Path("out/relay.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write("".join(f"{key}: {value}\n" for key, value in found.items()))
    return int(bool(found["lost"] or found["out of order"] or found["messages told twice"] > found["kills"]))


if __name__ == "__main__":
    sys.exit(main())
