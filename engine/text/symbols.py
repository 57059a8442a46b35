"""The symbols of Style-Bert-VITS2 voices: what the text encoder's embeddings have rows for."""

from __future__ import annotations

from typing import Final

_SYMBOLS: Final = """
_ AA E EE En N OO V a a: aa ae ah ai an ang ao aw ay b by c ch d dh dy e e: eh ei en eng er ey f g gy h hh hy
i i0 i: ia ian iang iao ie ih in ing iong ir iu iy j jh k ky l m my n ng ny o o: ong ou ow oy p py q r ry s sh t th
ts ty u u: ua uai uan uang uh ui un uo uw v van ve vn w x y z zh zy ! ? … , . ' - SP UNK
"""
SYMBOLS: Final = tuple(_SYMBOLS.split())
"""112 symbols of Chinese, Japanese and English; the id is the position."""

SYMBOL_IDS: Final = {symbol: index for index, symbol in enumerate(SYMBOLS)}

BLANK: Final = "_"
"""Begins and ends every utterance, and stands between any two symbols."""

PUNCTUATION: Final = frozenset("!?….,'-")

JAPANESE_TONE_OFFSET: Final = 6
"""Tones 0 to 5 are Chinese; low is 6, high is 7."""

JAPANESE: Final = 1
"""Row of the language embedding."""
