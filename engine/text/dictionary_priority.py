"""Priority of a user dictionary's word: its cost in the lattice, by which it wins over the standard dictionary's."""

from __future__ import annotations

from typing import Final

from koebin.engine.text.dictionary import Entry
from koebin.engine.text.openjtalk import path_cost

# A word costs as much as the best way in which the standard dictionary covers the same characters, less this for each
# step of priority. So it wins in its own place, and yet 山 does not tear 山田 apart.
_COST_PER_PRIORITY: Final = 700
_COST_RANGE: Final = 32000


def cost(entry: Entry) -> int:
    """Cost of a word, lower for a higher priority."""
    wanted = path_cost(entry.surface) - _COST_PER_PRIORITY * entry.priority
    return max(-_COST_RANGE, min(_COST_RANGE, wanted))
