"""Does a release's traffic still look like its reference? Lengths, endings, prefix hits, volume, and counts of texts.

Prints the result as JSON. Exit status 0: an outcome (none, drift, inconclusive); 2: no outcome, with one sentence why.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

from llmops.jobs import JobError
from llmops.jobs.documents import read_reference, reference_document, result_document
from llmops.jobs.drift_scores import Settings, judge
from llmops.jobs.exchange import ExchangeError, exchange, retry_after
from llmops.jobs.prometheus import Prometheus
from llmops.jobs.texts import profile, read
from llmops.jobs.times import moment, seconds
from llmops.jobs.traffic import MEANING, SIGNALS, USUAL, Release, Traffic, measure
from llmops.redaction import visible
from llmops.values import LLM, setting

TRIES = 3
_LIMIT = 2**16  # bytes of what the exporter says


def _default(path: str) -> Any:
    """The default that the chart has."""
    return setting("drift-cronjob", path).default


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m llmops.jobs.drift", description=__doc__)
    add = made.add_argument
    promised = setting(LLM, "slo.driftScore").default
    for flag, variable, text in (
        ("--prometheus", "PROMETHEUS_URL", "URL of Prometheus; PROMETHEUS_TOKEN is sent as a bearer token"),
        ("--namespace", "RELEASE_NAMESPACE", "label `namespace` of the series"),
        ("--release", "RELEASE_NAME", "label `release` of the series"),
        ("--model", "MODEL_NAME", "label `model_name` of the series"),
    ):
        given = environment.get(variable)
        add(flag, default=given, required=not given, help=f"{text} (or ${variable})")
    add("--window", default=_default("window"), help="length of the current window (%(default)s)")
    add("--end", help="end of the current window, RFC 3339; now if not given")
    add(
        "--offset",
        default=_default("reference.offset"),
        help="the reference is a window of the same length so much earlier (%(default)s)",
    )
    add("--reference", type=Path, help="the reference is this recorded document")
    add(
        "--write-reference",
        type=Path,
        metavar="FILE",
        help="record the current window as a reference and end",
    )
    add("--threshold", type=float, default=promised, help="score, 0 to 1, above which a signal has drifted")
    add(
        "--min-samples",
        type=int,
        default=_default("minSamples"),
        help="requests below which nothing is said (%(default)s)",
    )
    add(
        "--min-bin-share",
        type=float,
        default=_default("minBinShare"),
        help="share up to which bins are joined (%(default)s)",
    )
    add(
        "--min-coverage",
        type=float,
        default=_default("minCoverage"),
        help="share of a window with series (%(default)s)",
    )
    add(
        "--sample",
        type=Path,
        metavar="FILE",
        help="texts of the window, JSON Lines; they are masked, and counted",
    )
    add(
        "--reference-sample", type=Path, metavar="FILE", help="texts that meaning is held against, JSON Lines"
    )
    add("--signals", default=",".join(USUAL), help=f"what is compared, of {','.join(SIGNALS)} (%(default)s)")
    add("--output", type=Path, metavar="FILE", help="write the result here too")
    add("--exporter", help="URL of the exporter that shows the result to Prometheus")
    return made


def settings_of(arguments: argparse.Namespace) -> Settings:
    signals = [one.strip() for one in arguments.signals.split(",") if one.strip()]
    unknown = [one for one in signals if one not in SIGNALS]
    if unknown or not signals:
        raise JobError(f"--signals {arguments.signals!r}: write some of {','.join(SIGNALS)}")
    for name, low, high in (("threshold", 0, 1), ("min_bin_share", 0, 0.5), ("min_coverage", 0, 1)):
        if not low <= getattr(arguments, name) <= high:
            raise JobError(
                f"--{name.replace('_', '-')} {getattr(arguments, name)} is not from {low} to {high}"
            )
    return Settings(
        arguments.threshold,
        arguments.min_samples,
        arguments.min_bin_share,
        arguments.min_coverage,
        tuple(dict.fromkeys(signals)),
    )


def run(arguments: argparse.Namespace, token: str) -> dict[str, Any]:
    """One run. Returns the document that it made: a result, or a reference with --write-reference."""
    release = Release(arguments.namespace, arguments.release, arguments.model)
    prometheus = Prometheus(arguments.prometheus, token)
    settings = settings_of(arguments)
    window, offset = seconds(arguments.window), seconds(arguments.offset)
    end = moment(arguments.end) if arguments.end else time.time()
    sample = read(arguments.sample) if arguments.sample else []
    texts = profile(sample) if sample else {}
    if arguments.write_reference:
        traffic = replace(measure(prometheus, release, end, window), texts=texts)
        document = reference_document(release, _recordable(traffic))
        _write(arguments.write_reference, document)
        return document
    if arguments.reference:
        reference = read_reference(arguments.reference, release)
    elif offset < window:
        raise JobError(
            f"--offset {arguments.offset} is shorter than --window {arguments.window}, so the windows overlap: "
            "write a longer offset"
        )
    else:
        reference = measure(prometheus, release, end - offset, window)
    current = replace(measure(prometheus, release, end, window), texts=texts)
    others = {}
    if MEANING in settings.signals:
        if not sample or not arguments.reference_sample:
            raise JobError(
                "the signal meaning is judged from two samples: write --sample and --reference-sample"
            )
        # Its arrays are loaded by those alone who need them.
        from llmops.jobs import meaning

        then = read(arguments.reference_sample)
        others = {MEANING: meaning.judge(sample, then, meaning.encoder(), settings)}
    verdicts = judge(current, reference, settings, others)
    document = result_document(
        release, (current, reference), bool(arguments.reference), settings, verdicts, time.time()
    )
    if arguments.output:
        _write(arguments.output, document)
    if arguments.exporter:
        post(arguments.exporter, document)
    return document


def _recordable(traffic: Traffic) -> Traffic:
    if traffic.requests <= 0:
        raise JobError(
            "no request finished in the window, so there is nothing to record: name another --end or --window"
        )
    return traffic


def _write(path: Path, document: Mapping[str, Any]) -> None:
    try:
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise JobError(f"{path} cannot be written: {error.strerror}") from None


def post(url: str, document: Mapping[str, Any]) -> None:
    """Hands the result to the exporter. A result that nobody sees is a failed run: JobError."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise JobError(
            f"{url!r} is no URL of the exporter: write it like http://llm-drift-exporter.monitoring:8080"
        )
    body, pause = json.dumps(document).encode(), 1.0
    for left in range(TRIES - 1, -1, -1):
        final = not left
        try:
            answer = exchange(
                f"{url.rstrip('/')}/results",
                timeout=10,
                limit=_LIMIT,
                headers={"Content-Type": "application/json"},
                body=body,
            )
            if answer.status < HTTPStatus.MULTIPLE_CHOICES:
                return
            said = visible(" ".join(answer.body.decode(errors="replace").split())[:300], lines=False)
            words = f"refused the result: {said or f'HTTP {answer.status}'}"
            if answer.status != HTTPStatus.TOO_MANY_REQUESTS:
                final = True
            pause = retry_after(answer.headers, 30.0) or pause
        except ExchangeError as error:
            words = f"cannot be reached: {error}"
        if final:
            raise JobError(f"the exporter at {url} {words}")
        time.sleep(pause)


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = parser(os.environ).parse_args(arguments)
    try:
        document = run(parsed, os.environ.get("PROMETHEUS_TOKEN", ""))
    except JobError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if not parsed.write_reference:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
