"""The prefix cache: which leading blocks of a prompt were seen before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

REMEMBERED_BLOCKS = 65536


class PrefixCache:
    """Remembers blocks of `size` tokens together with all that stands before them; forgets the oldest."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.blocks: OrderedDict[int, None] = OrderedDict()

    def look_up(self, tokens: Sequence[str]) -> int:
        """Tokens of the prompt that need no computing; remembers its full blocks."""
        found, leading, value = 0, True, 0
        for start in range(0, len(tokens) // self.size * self.size, self.size):
            value = hash((value, *tokens[start : start + self.size]))
            leading = leading and value in self.blocks
            found += self.size if leading else 0
            self.blocks[value] = None
            self.blocks.move_to_end(value)
        while len(self.blocks) > REMEMBERED_BLOCKS:
            self.blocks.popitem(last=False)
        # The last token is always computed, or there would be no logits to sample from.
        return found if found < len(tokens) else max(0, found - self.size)
