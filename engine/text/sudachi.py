"""Sudachi's words: the second opinion on where words begin and how they are read."""

from __future__ import annotations

import threading
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

MAX_BYTES: Final = 40_000
"""What Sudachi takes at once is a little more."""

_SILENT: Final = frozenset(("補助記号", "空白"))


class Morpheme(NamedTuple):
    """One word of Sudachi.

    Attributes:
        start, end: where it stands in the text, in characters, end excluded.
        reading: katakana as it is spelt; "" for a mark and for a word that Sudachi does not know.
        pos: part of speech, in six levels.
        lemma: the dictionary form.
    """

    start: int
    end: int
    surface: str
    reading: str
    pos: tuple[str, ...]
    lemma: str


def morphemes(text: str) -> list[Morpheme]:
    """The longest words that Sudachi knows (its mode C), in order; nothing for a text that is too long for it."""
    if len(text.encode()) > MAX_BYTES:
        return []
    return [
        Morpheme(
            word.begin(),
            word.end(),
            word.surface(),
            "" if word.is_oov() or word.part_of_speech()[0] in _SILENT else word.reading_form(),
            tuple(word.part_of_speech()),
            word.dictionary_form(),
        )
        for word in _tokenizer().tokenize(text)
    ]


@lru_cache(maxsize=4096)
def name_readings(word: str) -> frozenset[str]:
    """The readings that Sudachi has for the spelling as a person's name, in katakana."""
    found = _dictionary().lookup(word)
    return frozenset(morpheme.reading_form() for morpheme in found if morpheme.part_of_speech()[2] == "人名")


class _Tokenizers(threading.local):
    """A tokenizer is for one thread, the dictionary behind it for all."""

    tokenizer: Any = None


_TOKENIZERS: Final = _Tokenizers()


def _tokenizer() -> Any:
    if _TOKENIZERS.tokenizer is None:
        import sudachipy

        # create() is deprecated, but tokenizer() is not in the oldest release that pyproject.toml allows.
        _TOKENIZERS.tokenizer = _dictionary().create(mode=sudachipy.SplitMode.C)
    return _TOKENIZERS.tokenizer


@cache
def _dictionary() -> Any:
    import sudachipy

    return sudachipy.Dictionary(dict="core")
