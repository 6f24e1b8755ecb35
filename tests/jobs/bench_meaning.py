"""`make bench-meaning`: the real encoder on made-up questions in two languages, about weather and about money."""

from __future__ import annotations

import random
import sys
import time

from llmops.jobs.drift_scores import Settings, Verdict
from llmops.jobs.meaning import encoder, judge
from llmops.jobs.texts import Exchange

WEATHER = {
    "en": ["rain", "sun", "clouds", "wind", "snow", "storms"],
    "zh": ["下雨", "晴天", "云", "大风", "下雪", "暴雨"],
}
MONEY = {
    "en": ["invoices", "taxes", "loans", "fees", "bills", "prices"],
    "zh": ["发票", "税", "贷款", "手续费", "账单", "价格"],
}
PLACES = {"en": ["Berlin", "Paris", "Tokyo", "Lima"], "zh": ["北京", "上海", "成都", "杭州"]}
QUESTIONS = {
    "en": [
        "please tell me about {} in {}",
        "what do you know of {} near {}?",
        "how will {} change in {} this year?",
    ],
    "zh": ["请告诉我{}的{}情况", "{}今年在{}会怎样？", "我想知道{}和{}的关系"],
}
RUNS, TEXTS, BEFORE = 20, 1500, 0.3


def sample(money: float, chance: random.Random) -> list[Exchange]:
    made = []
    for _ in range(TEXTS):
        language = chance.choice(("en", "zh"))
        topic = MONEY if chance.random() < money else WEATHER
        words = chance.choice(topic[language]), chance.choice(PLACES[language])
        made.append(Exchange(chance.choice(QUESTIONS[language]).format(*words)))
    return made


def main() -> int:
    encode, chance, started = encoder(), random.Random(1), time.perf_counter()  # noqa: S311
    for money in (0.3, 0.4, 0.5, 0.6, 0.9):
        found: list[Verdict] = [
            judge(sample(money, chance), sample(BEFORE, chance), encode, Settings()) for _ in range(RUNS)
        ]
        drifts = sum(one.outcome == "drift" and one.tests["permutation"] <= 0.01 for one in found)
        unlikely = sum(one.tests["permutation"] <= 0.01 for one in found)
        scores = sorted(one.score or 0.0 for one in found)
        sys.stdout.write(
            f"about money {BEFORE:.0%} -> {money:.0%}: score {scores[RUNS // 2]:.2f}, p <= 0.01 in {unlikely} "
            f"of {RUNS}, drift in {drifts}\n"
        )
    sys.stdout.write(f"{5 * RUNS} runs of twice {TEXTS} texts: {time.perf_counter() - started:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
