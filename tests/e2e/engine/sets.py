"""Questions of our own for a very small model: two hundred each, scored without a judge."""

from __future__ import annotations

import json
import random
from pathlib import Path

ITEMS = 200
_EN = [
    "garden",
    "river",
    "window",
    "market",
    "bridge",
    "winter",
    "summer",
    "doctor",
    "teacher",
    "kitchen",
    "mountain",
    "island",
    "forest",
    "letter",
    "bottle",
    "camera",
    "coffee",
    "dinner",
    "engine",
    "family",
    "flower",
    "guitar",
    "hammer",
    "jacket",
    "ladder",
    "mirror",
    "needle",
    "orange",
    "pencil",
    "rabbit",
    "silver",
    "ticket",
    "train",
    "violin",
    "wallet",
    "yellow",
    "zebra",
    "apple",
    "bread",
    "chair",
]
_ZH = [
    "花园",
    "河流",
    "窗户",
    "市场",
    "桥梁",
    "冬天",
    "夏天",
    "医生",
    "老师",
    "厨房",
    "高山",
    "海岛",
    "森林",
    "信件",
    "瓶子",
    "相机",
    "咖啡",
    "晚餐",
    "家庭",
    "花朵",
]


def write(folder: Path) -> list[Path]:
    """The files, one for each task; the same each time."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(17)  # noqa: S311
    made = {
        "repeat-en": [_repeat("Repeat these words exactly:", " ", dice.sample(_EN, 3)) for _ in range(ITEMS)],
        "repeat-zh": [_repeat("请原样重复：", "", dice.sample(_ZH, 2)) for _ in range(ITEMS)],
        "larger": [_larger(dice) for _ in range(ITEMS)],
    }
    files = []
    for name, items in made.items():
        rows = [{"id": f"{name}-{number:03}", **item} for number, item in enumerate(items)]
        files.append(folder / f"{name}.jsonl")
        files[-1].write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
        )
    return files


def _repeat(task: str, between: str, words: list[str]) -> dict[str, object]:
    text = between.join(words)
    return {"prompt": f"{task} {text}", "max_tokens": 24, "scoring": "contains", "expected": text}


def _larger(dice: random.Random) -> dict[str, object]:
    first, second = dice.sample(range(1, 100), 2)
    letter = "A" if first > second else "B"
    prompt = f"Which number is larger? A) {first} B) {second}. Answer with the letter A or B only."
    return {"prompt": prompt, "max_tokens": 6, "scoring": "choice", "expected": letter}
