"""The engine core: places in the batch, a queue in front of them, a KV cache that fills, and their metrics."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from . import text
from .behaviour import Behaviour
from .command import Command
from .exposition import Registry
from .prefixes import PrefixCache

BLOCK = 16  # tokens of one KV cache block
STEP_SECONDS = 0.005  # tokens that come within this time belong to one engine step
CONFIG_LABELS = {
    "block_size": str(BLOCK),
    "cache_dtype": "auto",
    "enable_prefix_caching": "True",
    "gpu_memory_utilization": "0.92",
    "num_cpu_blocks": "None",
    "num_gpu_blocks_override": "None",
    "prefix_caching_hash_algo": "sha256",
    "sliding_window": "None",
}


class QueueFullError(Exception):
    """Admission refused; vLLM answers 503."""


@dataclass(eq=False)
class Job:
    """One request inside the engine. Times are the event loop's seconds."""

    prompt: str
    max_tokens: int
    ignore_eos: bool
    n: int  # choices of its request; 0 in all but the first of them
    engine: str
    arrival: float
    task: asyncio.Task[object] | None
    prompt_tokens: Sequence[str]
    dice: random.Random
    output: Iterator[str] = field(default_factory=lambda: iter(()))
    length: int = 0  # tokens that will be generated
    finish_reason: str = "stop"
    place: asyncio.Future[None] | None = None
    cached: int = 0
    emitted: int = 0
    scheduled: float = 0.0
    first: float = 0.0
    last: float = 0.0
    interrupt: str = ""  # "abort", "cut", "dead" or "gone": why its task was cancelled
    finished: bool = False

    @property
    def blocks(self) -> int:
        return -(-(len(self.prompt_tokens) + self.emitted) // BLOCK)


class Core:
    def __init__(self, command: Command, behaviour: Behaviour, registry: Registry, name: str) -> None:
        self.command = command
        self.registry = registry
        self.running: set[Job] = set()
        self.waiting: deque[Job] = deque()
        self.moving = asyncio.Event()
        self.dead = asyncio.Event()
        self.ranks = [str(rank) for rank in range(max(1, command.number("data-parallel-size", 1)))]
        self.engines = itertools.cycle(self.ranks)
        self.max_queued = command.number("max-num-queued-reqs", 0)
        self.prefixes = PrefixCache(BLOCK)
        self.step_tokens: dict[str, int] = {}
        self.answered = 0
        self.name = name
        self.dice = text.dice(name, behaviour.seed)
        self.change(behaviour)
        for engine in self.ranks:
            registry.set(
                "vllm:cache_config_info",
                1,
                engine=engine,
                num_gpu_blocks=str(self.all_blocks()),
                kv_cache_size_tokens=str(behaviour.kv_tokens),
                kv_cache_max_concurrency=str(behaviour.kv_tokens / command.max_model_len),
                **CONFIG_LABELS,
            )

    def change(self, behaviour: Behaviour) -> None:
        """Takes a new behaviour: it holds for requests that come, a hang and the number of places for all."""
        if behaviour.hang and self.moving.is_set():
            # The gauges are the core's own: in a hang they stay what they were.
            self.update()
        self.behaviour = behaviour
        if behaviour.core_dead:
            self.interrupt_all("dead")
            self.dead.set()
        if behaviour.hang:
            self.moving.clear()
        else:
            self.moving.set()
        self.fill_places()

    def draw(self, rate: float) -> bool:
        return rate > 0 and self.dice.random() < rate

    # One request, in the order of its life.

    def submit(self, prompt: str, max_tokens: int, ignore_eos: bool, n: int) -> Job:
        """Puts a request into the queue. QueueFullError if --max-num-queued-reqs are not finished yet."""
        if self.max_queued and len(self.running) + len(self.waiting) + n > self.max_queued:
            self.registry.inc("requestsRejected", reason="max_num_queued_reqs")
            raise QueueFullError("the engine's queue is full")
        loop = asyncio.get_running_loop()
        tokens = text.tokens(prompt)
        job = Job(
            prompt=prompt,
            max_tokens=max_tokens,
            ignore_eos=ignore_eos,
            n=n,
            engine=next(self.engines),
            arrival=loop.time(),
            task=asyncio.current_task(),
            prompt_tokens=tokens,
            # The text depends on the prompt alone, so that two servers give the same answer.
            dice=text.dice(prompt, self.behaviour.seed),
            place=loop.create_future(),
        )
        self.plan(job)
        self.waiting.append(job)
        self.fill_places()
        return job

    def plan(self, job: Job) -> None:
        """Decides what the request will get: text, length and reason of its end."""
        now = self.behaviour
        answer = next((words for piece, words in now.answers.items() if piece in job.prompt), None)
        if self.draw(now.empty_rate):
            answer = ""
        if self.draw(now.repetition_rate):
            job.output, natural, job.finish_reason = text.repeating(job.prompt), 24, "repetition"
        elif answer is not None:
            listed = text.tokens(answer)
            job.output, natural = iter(listed), len(listed)
        else:
            job.output = text.endless(job.prompt)
            natural = max(1, round(now.output_tokens.draw(job.dice)))
            natural = job.max_tokens if job.ignore_eos else natural
        if self.draw(now.truncation_rate):
            natural, job.finish_reason = max(1, natural // 4), "length"
        elif natural > job.max_tokens or (job.ignore_eos and natural == job.max_tokens):
            natural, job.finish_reason = job.max_tokens, "length"
        job.length = natural

    async def admit(self, job: Job) -> None:
        if job.place is not None:
            await job.place

    async def prefill(self, job: Job) -> None:
        """Waits for the first token. A hung engine waits until it is told to move."""
        await self.pause(self.behaviour.ttft.draw(self.dice))
        job.first = job.last = self.now()
        registry, engine, size = self.registry, job.engine, len(job.prompt_tokens)
        job.cached = self.prefixes.look_up(job.prompt_tokens)
        computed = size - job.cached
        registry.observe("timeToFirstToken", job.first - job.arrival, engine=engine)
        registry.inc("promptTokens", size, engine=engine)
        registry.inc("vllm:prefix_cache_queries_total", size, engine=engine)
        registry.inc("vllm:prefix_cache_hits_total", job.cached, engine=engine)
        registry.inc("vllm:prompt_tokens_cached_total", job.cached, engine=engine)
        registry.inc("vllm:prompt_tokens_cached_by_source_total", job.cached, engine=engine, source="device")
        by_source = "vllm:prompt_tokens_by_source_total"
        registry.inc(by_source, computed, engine=engine, source="local_compute")
        registry.inc(by_source, job.cached, engine=engine, source="local_cache_hit")
        self.stepped(engine, computed)
        self.answered += 1
        if self.behaviour.crash_after is not None and self.answered >= self.behaviour.crash_after:
            # As a fault of the GPU would: no farewell to any client.
            os._exit(self.behaviour.crash_exit_code)

    async def decode(self, job: Job) -> None:
        """Waits for one more token."""
        await self.pause(self.behaviour.itl.draw(self.dice))
        now = self.now()
        self.registry.observe("interTokenLatency", now - job.last, engine=job.engine)
        job.last = now

    def emit(self, job: Job) -> str:
        job.emitted += 1
        self.registry.inc("generationTokens", engine=job.engine)
        self.stepped(job.engine, 1)
        return next(job.output, "")

    def finish(self, job: Job, reason: str) -> None:
        """Takes the request out. As in vLLM, one that its client left ("gone") is in no statistics."""
        job.finished = True
        self.running.discard(job)
        if job in self.waiting:
            self.waiting.remove(job)
        self.fill_places()
        if reason == "gone":
            return
        registry, engine, now = self.registry, job.engine, self.now()
        scheduled = job.scheduled or now
        first = job.first or now
        for name, value in {
            "e2eLatency": now - job.arrival,
            "queueTime": scheduled - job.arrival,
            "vllm:request_prefill_time_seconds": first - scheduled,
            "vllm:request_decode_time_seconds": job.last - job.first,
            "vllm:request_inference_time_seconds": (job.last or now) - scheduled,
        }.items():
            registry.observe(name, max(0.0, value), engine=engine)
        # One token has no gap, and counts as 0.
        mean = (job.last - job.first) / max(1, job.emitted - 1)
        registry.observe("vllm:request_time_per_output_token_seconds", mean, engine=engine)
        registry.inc("requestsFinished", engine=engine, finished_reason=reason)
        for name, count in {
            "promptLength": len(job.prompt_tokens),
            "generationLength": job.emitted,
            "vllm:request_params_max_tokens": job.max_tokens,
            "vllm:request_prefill_kv_computed_tokens": len(job.prompt_tokens) - job.cached,
            "vllm:request_num_preemptions": 0,
        }.items():
            registry.observe(name, count, engine=engine)
        if job.n:
            registry.observe("vllm:request_params_n", job.n, engine=engine)
            registry.observe("vllm:request_max_num_generation_tokens", job.emitted, engine=engine)

    def interrupt(self, job: Job, why: str) -> None:
        """Wakes the request's task with a CancelledError; `job.interrupt` tells it why."""
        if not job.interrupt and not job.finished and job.task is not None:
            job.interrupt = why
            job.task.cancel()

    def interrupt_all(self, why: str) -> None:
        for job in [*self.running, *self.waiting]:
            self.interrupt(job, why)

    @property
    def idle(self) -> bool:
        return not self.running and not self.waiting

    # What happens around the requests.

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if not self.moving.is_set():
            await self.moving.wait()

    def fill_places(self) -> None:
        """Moves requests from the queue into the batch while there are places and KV cache blocks."""
        places = self.behaviour.max_concurrency or self.command.max_num_seqs
        while self.waiting and len(self.running) < places:
            job = self.waiting[0]
            if self.running and self.used_blocks() + job.blocks > self.all_blocks():
                return
            self.waiting.popleft()
            self.running.add(job)
            job.scheduled = self.now()
            if job.place is not None and not job.place.done():
                job.place.set_result(None)

    def all_blocks(self) -> int:
        return max(1, self.behaviour.kv_tokens // BLOCK)

    def used_blocks(self) -> int:
        return sum(job.blocks for job in self.running)

    def stepped(self, engine: str, tokens: int) -> None:
        if engine not in self.step_tokens:
            self.step_tokens[engine] = 0
            asyncio.get_running_loop().call_later(STEP_SECONDS, self.end_step, engine)
        self.step_tokens[engine] += tokens

    def end_step(self, engine: str) -> None:
        self.registry.observe("engineSteps", self.step_tokens.pop(engine), engine=engine)

    def update(self) -> None:
        """Brings the gauges up to date, as a scrape finds them."""
        if self.behaviour.hang:
            return
        for engine in self.ranks:
            running = [job for job in self.running if job.engine == engine]
            waiting = sum(job.engine == engine for job in self.waiting)
            used = sum(job.blocks for job in running) / self.all_blocks() * len(self.ranks)
            registry = self.registry
            registry.set("requestsRunning", len(running), engine=engine)
            registry.set("requestsWaiting", waiting, engine=engine)
            registry.set("vllm:num_requests_waiting_by_reason", waiting, engine=engine, reason="capacity")
            registry.set("kvCacheUsage", min(1.0, used), engine=engine)
            registry.set("vllm:engine_sleep_state", 1, engine=engine, sleep_state="awake")
