"""A model that is truly worse: the last layers of another are left out."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path


def cut(model: Path, folder: Path, layers: int) -> Path:
    """A copy of a model folder with so many of its layers. One file of weights, as safetensors writes it."""
    folder.mkdir(parents=True)
    for path in model.iterdir():
        if path.suffix != ".safetensors" and path.is_file():
            shutil.copy(path, folder / path.name)
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    assert config["num_hidden_layers"] > layers
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": layers}), encoding="utf-8")
    (weights,) = model.glob("*.safetensors")
    content = weights.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    kept, parts, end = {}, [], 0
    for name, row in header.items():
        if name != "__metadata__" and _kept(name, layers):
            first, last = row["data_offsets"]
            parts.append(data[first:last])
            kept[name] = row | {"data_offsets": [end, end + last - first]}
            end += last - first
    head = json.dumps({"__metadata__": header.get("__metadata__", {})} | kept).encode()
    head += b" " * (-len(head) % 8)
    (folder / weights.name).write_bytes(struct.pack("<Q", len(head)) + head + b"".join(parts))
    return folder


def _kept(name: str, layers: int) -> bool:
    words = name.split(".")
    return "layers" not in words or int(words[words.index("layers") + 1]) < layers
