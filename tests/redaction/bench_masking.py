"""`make bench-masking`: 20,000 made-up documents in two scripts: what is left of personal data, and masked in vain."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from llmops.redaction.personal import find
from tests.redaction.people import Document, document


@dataclass
class Count:
    """By kind: how many there were, found by name, and masked at all; and what was said to be of it, rightly."""

    there: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    useful: Counter[str] = field(default_factory=Counter)
    leaks: list[tuple[str, str]] = field(default_factory=list)
    vain: list[tuple[str, str]] = field(default_factory=list)


def leaked(text: str, start: int, end: int, spans: Sequence[tuple[int, int, str]]) -> bool:
    """Whether a letter or digit of a secret is outside of all spans."""
    return any(
        text[place].isalnum() and not any(first <= place < last for first, last, _ in spans)
        for place in range(start, end)
    )


def judge(count: Count, made: Document) -> None:
    spans = find(made.text)
    for secret in made.secrets:
        count.there[secret.kind] += 1
        over = [kind for first, last, kind in spans if first < secret.end and secret.start < last]
        count.named[secret.kind] += secret.kind in over
        if leaked(made.text, secret.start, secret.end, spans):
            count.leaks.append((secret.kind, made.text[max(0, secret.start - 12) : secret.end + 8]))
    for first, last, kind in spans:
        under = [secret.kind for secret in made.secrets if first < secret.end and secret.start < last]
        count.said[kind] += 1
        count.right[kind] += kind in under
        count.useful[kind] += bool(under)
        if kind not in under and kind != "number":
            count.vain.append((kind, made.text[max(0, first - 12) : last + 8]))


def lines(count: Count, seconds: float, documents: int) -> Iterator[str]:
    there = sum(count.there.values())
    yield f"{documents} documents, {there} pieces of personal data, {len(count.leaks)} leaks, {seconds:.0f} s"
    yield (
        f"{'kind':14}{'there':>8}{'leaks':>7}{'recall by name':>16}{'masked as it':>14}{'precision':>11}"
        f"{'is personal':>13}"
    )
    for kind in sorted(count.there.keys() | count.said.keys()):
        there, said = count.there[kind], count.said[kind]
        recall = f"{count.named[kind] / there:.4f}" if there else "-"
        right = f"{count.right[kind] / said:.4f}" if said and there else "-"
        useful = f"{count.useful[kind] / said:.4f}" if said else "-"
        lost = sum(one == kind for one, _ in count.leaks)
        yield f"{kind:14}{there:8}{lost:7}{recall:>16}{said:14}{right:>11}{useful:>13}"


def main(arguments: Sequence[str] | None = None) -> int:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--documents", type=int, default=20_000)
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--show", type=int, default=0, metavar="N", help="so many leaks and errors as text")
    parsed = made.parse_args(arguments)
    chance, count, started = random.Random(parsed.seed), Count(), time.perf_counter()  # noqa: S311
    for _ in range(parsed.documents):
        judge(count, document(chance))
    for line in lines(count, time.perf_counter() - started, parsed.documents):
        sys.stdout.write(f"{line}\n")
    for kind, text in [*count.leaks[: parsed.show], *count.vain[: parsed.show]]:
        sys.stdout.write(f"{kind}: {text!r}\n")
    return int(bool(count.leaks))


if __name__ == "__main__":
    sys.exit(main())
