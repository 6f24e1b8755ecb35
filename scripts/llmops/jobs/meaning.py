"""Do two samples of texts mean the same things? Masked texts become vectors, and a permutation test tells them apart.

The encoder is small and static (a vector for each token, of which a text has the mean), and comes from a package that
carries its weights: nothing is fetched. It is the extra `embedding`, and no part of the usual image.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmops.jobs import JobError
from llmops.jobs.drift_scores import DRIFT, INCONCLUSIVE, NONE, Settings, Verdict
from llmops.jobs.texts import Exchange
from llmops.jobs.traffic import MEANING
from llmops.redaction.personal import mask

# Rows of texts, as many columns as the encoder has.
Encoder = Callable[[Sequence[str]], NDArray[np.float32]]
# Texts of a side, and permutations: enough that the least p-value stands beside a dozen of other tests.
_MOST, _PERMUTATIONS, _LONGEST = 2000, 4999, 4000
# Twice the area under the curve less 1 that scores 0.5: one in ten more of the pairs are told apart than by chance.
_HALF_SCORE = 0.2
_WEIGHTS, _TOKENIZER = "weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json"


def encoder() -> Encoder:
    """The encoder of the package wordllama; only its files are read. JobError where the extra is not installed."""
    found = importlib.util.find_spec("wordllama")
    if found is None or not found.submodule_search_locations:
        words = (
            "the signal meaning needs an encoder: pip install -r requirements/embedding.txt, or leave it out"
        )
        raise JobError(words)
    root = Path(found.submodule_search_locations[0])
    load_file = importlib.import_module("safetensors.numpy").load_file
    tokenizer = importlib.import_module("tokenizers").Tokenizer.from_file(str(root / _TOKENIZER))
    (weights,) = load_file(root / _WEIGHTS).values()
    vectors = weights.astype(np.float32)

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [
            vectors[one.ids].mean(axis=0) if one.ids else np.zeros(vectors.shape[1], np.float32)
            for one in tokenizer.encode_batch(list(texts), add_special_tokens=False)
        ]
        return np.stack(rows)

    return encode


def judge(now: Sequence[Exchange], then: Sequence[Exchange], encode: Encoder, settings: Settings) -> Verdict:
    """A verdict for the signal `meaning`; its p-value is not yet adjusted for other tests."""
    sizes = [min(len(side), _MOST) for side in (now, then)]
    if min(sizes) < max(4, settings.min_samples):
        reason = f"{sizes[0]} texts against {sizes[1]}, and both must be {settings.min_samples} or more"
        return Verdict(MEANING, INCONCLUSIVE, sizes[0], sizes[1], min(sizes), reason=reason)
    area, p_value = separation(*(_vectors(side, encode) for side in (now, then)))
    excess = max(0.0, 2 * area - 1)
    score = excess / (excess + _HALF_SCORE)
    outcome = DRIFT if score > settings.threshold else NONE
    return Verdict(MEANING, outcome, sizes[0], sizes[1], min(sizes), score, tests={"permutation": p_value})


def _vectors(side: Sequence[Exchange], encode: Encoder) -> NDArray[np.float32]:
    """Unit vectors of texts that are spread over the whole sample."""
    step = max(1, len(side) // _MOST)
    vectors = encode([mask(one.prompt[:_LONGEST]) for one in side[::step][:_MOST]])
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def separation(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[float, float]:
    """How well the direction between the means of one half of the texts tells the other half apart: the area under the
    curve (0.5: not at all), and how often texts that change sides are told apart as well."""
    direction = first[::2].mean(axis=0) - second[::2].mean(axis=0)
    # The other half did not choose the direction. Were both halves to judge each other, they would agree by chance too.
    ranks = _ranks(np.concatenate([first[1::2] @ direction, second[1::2] @ direction]))
    size = len(first[1::2])
    area = _area(ranks[:size].sum(), size, len(ranks) - size)
    chance = np.random.default_rng(0)
    others = (chance.permutation(ranks)[:size].sum() for _ in range(_PERMUTATIONS))
    as_far = sum(_area(one, size, len(ranks) - size) >= area for one in others)
    return area, (1 + as_far) / (1 + _PERMUTATIONS)


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ranks from 1, ties at their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _area(rank_sum: float, first: int, second: int) -> float:
    return float((rank_sum - first * (first + 1) / 2) / (first * second))
