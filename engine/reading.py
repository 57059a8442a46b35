"""Given reading of a span of a text."""

from __future__ import annotations

from dataclasses import dataclass

from koebin.engine.errors import InvalidOption


@dataclass(frozen=True, slots=True)
class Reading:
    """Given reading of a span of a text.

    Attributes:
        start, end: the span in the text, in characters, end excluded.
        kana: katakana, hiragana is accepted and folded. A reading of a whole sentence may hold several accent phrases:
            ``コンニチワ、セ'カイ/ノ/ミナ'サン`` (``'`` after the mora where the pitch falls, ``/`` between phrases).
        accent: mora after which the pitch falls (0 flat), None lets the front end decide.
    """

    start: int
    end: int
    kana: str
    accent: int | None = None

    def __post_init__(self) -> None:
        for name, kind in (("start", int), ("end", int), ("kana", str), ("accent", (int, type(None)))):
            if not isinstance(getattr(self, name), kind):
                raise InvalidOption(f"a reading's {name} is of a wrong type", repr(getattr(self, name)))
        if not 0 <= self.start < self.end:
            raise InvalidOption("a reading's span is empty or reversed", f"{self.start}:{self.end}")
