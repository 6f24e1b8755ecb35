"""`llmops simulate scaling`: what autoscalers would have done with a trace, what it cost and what it missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from llmops.capacity.architecture import Architecture, architecture
from llmops.capacity.fit import from_release
from llmops.capacity.gpu_products import product
from llmops.capacity.memory import batch
from llmops.capacity.step_time import step_time
from llmops.capacity.targets import Requests, engine_settings, reach, with_headroom
from llmops.findings import InputError
from llmops.release import Release
from llmops.simulate.scaling.policy import Policy, peers
from llmops.simulate.scaling.presets import NAMES, Targets, preset
from llmops.simulate.scaling.run import Promise, run
from llmops.simulate.scaling.score import Score, oracle_hours, scores
from llmops.simulate.scaling.servers import Engine
from llmops.simulate.scaling.trace import Arrivals
from llmops.values import LLM, setting

REFERENCE = "Llama-3.1-8B on one H100"
# Published figures of that model; the pool is what vLLM measured there at 90 % of the memory.
_REFERENCE: dict[str, Any] = {
    "model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "max_position_embeddings": 131072,
}  # fmt: skip
_REFERENCE_WEIGHTS, _REFERENCE_POOL, _TOKEN_BYTES = 14.99, 51.38, 131072
# Servers at the beginning have the load of the first minute with this much to spare, whatever the policy.
BEGIN_SHARE = 0.7


@dataclass(frozen=True)
class Server:
    """One server of a model: how it works, and how many prompt tokens one step takes; `name` for the reader."""

    name: str
    engine: Engine
    chunk: int = 8192


@dataclass(frozen=True)
class Scenario:
    """What all policies of a run share. `cold_start` in seconds, `least` and `most` servers."""

    server: Server
    promise: Promise
    cold_start: int
    least: int
    most: int
    e2e_seconds: float = 5.0


def reference() -> Server:
    """A server whose step and memory were published, for those who name no model."""
    shape: Architecture = architecture(_REFERENCE)
    step = step_time(shape, product("H100-80GB"), _REFERENCE_WEIGHTS, _TOKEN_BYTES)
    return Server(REFERENCE, Engine(step, _REFERENCE_POOL * 2**30 / _TOKEN_BYTES, 256))


def of_release(release: Release) -> Server:
    """The server of a release. InputError where its memory has no estimate."""
    fit = from_release(release)
    settings = engine_settings(release)
    if fit is None or not fit.sized or settings is None or release.model is None:
        raise InputError(f"nobody can say how fast a server of {release.name} is: see `llmops fit`")
    chunk, sequences = batch(settings, product(fit.product))
    shape = architecture(release.model)
    token_bytes = fit.kv_bytes_per_token_per_gpu
    step = step_time(shape, product(fit.product), fit.weights, token_bytes, fit.tensor, fit.pipeline)
    grace = release.view.served.number("lifecycle.longestStreamSeconds") or 120.0
    engine = Engine(step, fit.concurrency * fit.max_model_len, sequences, fit.tensor * fit.pipeline, grace)
    return Server(f"{release.name} on {fit.tensor * fit.pipeline} x {fit.product}", engine, chunk)


def promise_of(release: Release | None, ttft: float | None, itl: float | None) -> Promise:
    """What is asked for, else what the release promises, else the contract's default."""
    stated = release.view.llm.effective if release else lambda path: setting(LLM, path).default
    return Promise(float(ttft or stated("slo.ttftP95Seconds")), float(itl or stated("slo.itlP95Seconds")))


def requests_of(arrivals: Arrivals) -> Requests:
    """Mean tokens of the trace's requests."""
    count = max(float(arrivals.requests.sum()), 1e-9)
    return Requests(
        max(1.0, float(arrivals.prompts.sum()) / count), max(1.0, float(arrivals.answers.sum()) / count)
    )


def most_in_flight(scenario: Scenario, requests: Requests) -> int:
    """Requests at once on one server that keep the promise; at least 1."""
    engine = scenario.server.engine
    found, _ = reach(
        engine.step, requests, scenario.promise.itl, engine.tokens, engine.sequences, scenario.server.chunk
    )
    return max(1, found)


def per_server(scenario: Scenario, requests: Requests) -> float:
    """Requests a second that one server ends within the promise."""
    step, most = scenario.server.engine.step, most_in_flight(scenario, requests)
    held = requests.prompt + requests.generated / 2
    gap = step.seconds(float(most), most * held, most * requests.prompt / requests.generated)
    return most / (gap * requests.generated)


def policy(name: str, scenario: Scenario, requests: Requests) -> Policy:
    """A preset, another project's default, or `static:N`. InputError for another name."""
    step = scenario.server.engine.step
    if name in NAMES:
        in_flight = with_headroom(step, requests, most_in_flight(scenario, requests))
        targets = Targets(in_flight, 1 / step.prompt, scenario.promise.ttft, scenario.e2e_seconds)
        return preset(name, targets, scenario.cold_start, scenario.least, scenario.most)
    kind, _, count = name.partition(":")
    if kind == "static" and count.isdecimal() and 1 <= int(count) <= 1000:
        targets = Targets(1, 1.0, 1.0, 1.0)
        return preset("demand", targets, scenario.cold_start, int(count), int(count))
    for peer in peers():
        if peer.name == name:
            return peer.policy(scenario.least, scenario.most)
    known = ", ".join([*NAMES, "static:N", *(peer.name for peer in peers())])
    raise InputError(f'there is no policy "{name}"; write one of {known}')


def names(chosen: Sequence[str]) -> list[str]:
    """The names behind `all` and `peers`, each once, in order."""
    groups = {"all": [*NAMES, *(peer.name for peer in peers())], "peers": [peer.name for peer in peers()]}
    return list(dict.fromkeys(name for one in chosen for name in groups.get(one, [one])))


def simulate(arrivals: Arrivals, scenario: Scenario, chosen: Sequence[str]) -> dict[str, Any]:
    """The result as a document: a row for each policy, with what somebody who knew the future would have paid."""
    requests = requests_of(arrivals)
    policies = [policy(name, scenario, requests) for name in names(chosen)]
    found, best = outcome(arrivals, scenario, requests, policies)
    shares = asdict(scenario.promise)
    return {
        "server": scenario.server.name,
        "measured": scenario.server.engine.step.measured,
        "promise": {"ttftSeconds": shares["ttft"], "itlSeconds": shares["itl"]},
        "coldStartSeconds": scenario.cold_start,
        "hours": round(arrivals.hours, 3),
        "requests": round(float(arrivals.requests.sum())),
        "requestTokens": {"prompt": round(requests.prompt), "generated": round(requests.generated)},
        "oracleGpuHours": round(best, 3),
        "policies": [
            {"policy": name, **_row(score), "inFlightPerReplica": _in_flight(one)}
            for name, one, score in zip(names(chosen), policies, found, strict=True)
        ],
    }


def outcome(
    arrivals: Arrivals, scenario: Scenario, requests: Requests, policies: Sequence[Policy]
) -> tuple[list[Score], float]:
    """The score of each policy, and the oracle's GPU-hours."""
    able, engine = per_server(scenario, requests), scenario.server.engine
    first = max(1, round(60 / arrivals.seconds))
    rate = float(arrivals.requests[:first].sum()) / (first * arrivals.seconds)
    begin = int(np.ceil(rate / able / BEGIN_SHARE))
    recorded = run(arrivals, policies, [scenario.cold_start] * len(policies), engine, scenario.promise, begin)
    best = oracle_hours(arrivals, scenario.cold_start, able, engine, (scenario.least, scenario.most))
    return scores(arrivals, recorded, engine, scenario.promise), best


def text(document: dict[str, Any]) -> str:
    """The same for a person."""
    tokens, promise = document["requestTokens"], document["promise"]
    head = ("policy", "kept", "GPU-h", "mean", "most", "starts", "wasted", "aborted", "TTFT p95")
    lines = [
        f"{document['requests']:,} requests of {tokens['prompt']} + {tokens['generated']} tokens in "
        f"{document['hours']:.1f} h, {document['server']}, cold start {document['coldStartSeconds']} s.",
        f"Kept: first token within {promise['ttftSeconds']:g} s and {promise['itlSeconds']:g} s between tokens. "
        f"Somebody who knew the future: {document['oracleGpuHours']:.1f} GPU-hours.",
        "" if document["measured"] else "The step time of this GPU is a roofline that nobody measured.",
        "{:33} {:>8} {:>8} {:>6} {:>5} {:>7} {:>7} {:>8} {:>9}".format(*head),
    ]
    for row in document["policies"]:
        late = row["ttftP95Seconds"]
        lines.append(
            f"{row['policy']:33} {100 * row['attainment']:6.2f} % {row['gpuHours']:8.1f} {row['meanServers']:6.2f} "
            f"{row['mostServers']:5} {row['starts']:7} {row['wastedStarts']:7} {row['aborted']:8.1f} "
            + ("    never" if late is None else f"{late:7.2f} s")
        )
    return "\n".join(line for line in lines if line) + "\n"


def _row(score: Score) -> dict[str, Any]:
    return {
        "attainment": round(score.attainment, 5),
        "ttftAttainment": round(score.ttft_attainment, 5),
        "itlAttainment": round(score.itl_attainment, 5),
        "gpuHours": round(score.gpu_hours, 3),
        "meanServers": round(score.mean_servers, 3),
        "mostServers": score.most_servers,
        "starts": score.starts,
        "wastedStarts": score.wasted_starts,
        "aborted": round(score.aborted, 2),
        "preempted": round(score.preempted, 2),
        # JSON has no number for a request that is never answered.
        "ttftP95Seconds": round(score.ttft_p95, 4) if np.isfinite(score.ttft_p95) else None,
    }


def _in_flight(one: Policy) -> float | None:
    return next((metric.target for metric in one.metrics if metric.signal.startswith("demand")), None)
