"""Network input of an utterance: rows of a JP-Extra network's embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from koebin.engine.text.prosody import Phonemes
from koebin.engine.text.symbols import BLANK, JAPANESE, JAPANESE_TONE_OFFSET, SYMBOL_IDS

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
    """Ids of an utterance, with a blank before, between and after the phones if ``add_blank``.

    A blank is row 0 of all three embeddings; it counts to the character of the phone before it, the first one to [CLS].
    """
    start, step = (1, 2) if add_blank else (0, 1)
    ids = np.full((3, len(phonemes.phones) * step + start), SYMBOL_IDS[BLANK], np.int64)
    # As bytes, the numbers are copied at once.
    ids[0, start::step] = bytearray(map(SYMBOL_IDS.__getitem__, phonemes.phones))
    ids[1, start::step] = bytearray(phonemes.tones)
    ids[1, start::step] += JAPANESE_TONE_OFFSET
    ids[2, start::step] = JAPANESE
    first, *others = phonemes.word2ph
    phone_ids, tone_ids, language_ids = ids
    return NetworkInput(phone_ids, tone_ids, language_ids, (step * first + start, *[step * count for count in others]))
