"""Phonemes as the numbers that a Style-Bert-VITS2 voice takes, with a blank between any two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.text.prosody import Phonemes
from engine.text.symbols import JAPANESE, JAPANESE_TONE_OFFSET, SYMBOL_IDS

_UNKNOWN: Final = SYMBOL_IDS["UNK"]


@dataclass(frozen=True, slots=True)
class InputIds:
    """What the text encoder is given for P phones: T = 2 P + 1 positions, blanks at the even ones.

    Attributes:
        phones: T ids, 0 to 111.
        tones: T ids, 0 at blanks, else 6 or 7.
        languages: T ids, 0 at blanks, else 1.
        word2ph: how many positions each token of the BERT text has, its two ends included; the sum is T.
    """

    phones: tuple[int, ...]
    tones: tuple[int, ...]
    languages: tuple[int, ...]
    word2ph: tuple[int, ...]


def input_ids(phonemes: Phonemes) -> InputIds:
    """Source: VITS's ``add_blank``; the additional blank at the beginning belongs to the first token."""
    counts = [2 * count for count in phonemes.word2ph]
    counts[0] += 1
    return InputIds(
        _with_blanks([SYMBOL_IDS.get(phone, _UNKNOWN) for phone in phonemes.phones]),
        _with_blanks([tone + JAPANESE_TONE_OFFSET for tone in phonemes.tones]),
        _with_blanks([JAPANESE] * len(phonemes.phones)),
        tuple(counts),
    )


def position_of_phone(phone: int) -> int:
    """Where a phone lies among the T positions."""
    return 2 * phone + 1


def _with_blanks(ids: list[int]) -> tuple[int, ...]:
    spaced = [0] * (2 * len(ids) + 1)
    spaced[1::2] = ids
    return tuple(spaced)
