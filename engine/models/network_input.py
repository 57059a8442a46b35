"""What a JP-Extra network is given of an utterance: rows of its embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.text.prosody import Phonemes
from engine.text.symbols import BLANK, JAPANESE, JAPANESE_TONE_OFFSET, SYMBOL_IDS

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """T symbols, blanks included where the voice was trained with them.

    Attributes:
        phone_ids, tone_ids, language_ids: shape (T,), int64.
        phones_per_token: symbols of each character of the BERT text, [CLS] and [SEP] included; they sum to T.
    """

    phone_ids: IntArray
    tone_ids: IntArray
    language_ids: IntArray
    phones_per_token: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.phone_ids)


def network_input(phonemes: Phonemes, add_blank: bool) -> NetworkInput:
    """Look up ids, with a blank before, between and after the phones if ``add_blank``.

    A blank is row 0 of all three embeddings; it counts to the character of the phone before it, the first one to [CLS].
    """
    phone_ids = np.array([SYMBOL_IDS[phone] for phone in phonemes.phones], np.int64)
    tone_ids = np.array(phonemes.tones, np.int64) + JAPANESE_TONE_OFFSET
    language_ids = np.full_like(phone_ids, JAPANESE)
    counts = phonemes.word2ph
    if not add_blank:
        return NetworkInput(phone_ids, tone_ids, language_ids, counts)
    return NetworkInput(
        _with_blanks(phone_ids),
        _with_blanks(tone_ids),
        _with_blanks(language_ids),
        (2 * counts[0] + 1, *(2 * count for count in counts[1:])),
    )


def _with_blanks(ids: IntArray) -> IntArray:
    spaced = np.full(2 * len(ids) + 1, SYMBOL_IDS[BLANK], np.int64)
    spaced[1::2] = ids
    return spaced
