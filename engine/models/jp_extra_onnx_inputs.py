"""From phones and tones to the rows of the network's embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.models.onnx_network import IntArray, PhoneIds
from engine.text.prosody import Phonemes
from engine.text.symbols import JAPANESE, JAPANESE_TONE_OFFSET, SYMBOL_IDS


def phone_ids(spoken: Phonemes, add_blank: bool) -> PhoneIds:
    """Ids of P phones: P of them, or 2 P + 1 with a blank before, between and after.

    A blank is row 0 of all three embeddings, of the languages too.
    """
    phones = np.array([SYMBOL_IDS[phone] for phone in spoken.phones], np.int64)
    tones = np.array(spoken.tones, np.int64) + JAPANESE_TONE_OFFSET
    languages = np.full(len(phones), JAPANESE, np.int64)
    if not add_blank:
        return PhoneIds(phones, tones, languages)
    return PhoneIds(_interleave(phones), _interleave(tones), _interleave(languages))


def phones_per_token(word2ph: Sequence[int], add_blank: bool) -> list[int]:
    """How many ids each token stands for: its phones, each with the blank after it; the first blank is [CLS]'s."""
    if not add_blank:
        return list(word2ph)
    doubled = [2 * count for count in word2ph]
    doubled[0] += 1
    return doubled


def _interleave(values: IntArray) -> IntArray:
    result = np.zeros(2 * len(values) + 1, np.int64)
    result[1::2] = values
    return result
