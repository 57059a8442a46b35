"""Cut a sentence that Open JTalk has read, between its words and without changing how they are said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from koebin.engine.text.features import Feature
from koebin.engine.text.openjtalk import make_label, plain_feature

_PAUSE: Final = plain_feature("、", "、", "記号")
_PAUSE_PHONE: Final = re.compile(r"(?<=-)pau(?=\+)")


def cut_words(features: Sequence[Feature], boundaries: Sequence[int | None], limit: int) -> list[int]:
    """The words before which to cut, so that each part covers at most ``limit`` characters if its words allow it.

    Parts are about equally long; a pause is the best place, then the beginning of an accent phrase.

    Args:
        features: N words.
        boundaries: N + 1 offsets into the user's text, None where there is none.
    """
    cuts: list[int] = []
    first, start = 0, 0
    length = boundaries[-1] or 0
    while length - start > limit:
        wanted = start + (length - start) / -(-(length - start) // limit)
        places = [
            (offset <= start + limit, offset >= start + limit // 4, _rank(features, word), -abs(offset - wanted), word)
            for word in range(first + 1, len(features))
            if (offset := boundaries[word]) is not None and offset > start
        ]
        if not places:
            break
        inside = [place for place in places if place[0]]
        first = max(inside)[-1] if inside else min(place[-1] for place in places)
        start = boundaries[first] or 0
        cuts.append(first)
    return cuts


def spread_boundaries(boundaries: Sequence[int | None], limit: int) -> list[int | None]:
    """Offsets also within a stretch of more than ``limit`` characters that was rewritten as one, evenly spread.

    Of a number with hundreds of figures it is not known which word stands for which figure, and yet it must be cut.
    """
    spread = list(boundaries)
    known = [(word, offset) for word, offset in enumerate(boundaries) if offset is not None]
    for (first, start), (last, end) in pairwise(known):
        if end - start > limit:
            for word in range(first + 1, last):
                spread[word] = start + (end - start) * (word - first) // (last - first)
    return spread


def cut_labels(features: Sequence[Feature], cuts: Sequence[int]) -> list[list[str]]:
    """The labels of each part as they are in the whole sentence, with ``sil`` for the pauses at which it is cut."""
    if not cuts:
        return [make_label(features)]
    edges = [0, *cuts, len(features)]
    parts = [list(features[first:last]) for first, last in pairwise(edges)]
    spoken = [any(feature["mora_size"] for feature in part) for part in parts]
    labels = make_label([feature for part in parts for feature in [*part, _PAUSE]])
    pauses = [index for index, label in enumerate(labels) if "-pau+" in label]
    wanted = _pause_indices(parts)
    if len(pauses) != wanted[-1] or not all(spoken):
        return [make_label(part) for part in parts]
    places = [0, *(pauses[index] for index in wanted[:-1]), len(labels) - 1]
    return [
        [_PAUSE_PHONE.sub("sil", labels[first]), *labels[first + 1 : last], _PAUSE_PHONE.sub("sil", labels[last])]
        for first, last in pairwise(places)
    ]


def _pause_indices(parts: Sequence[Sequence[Feature]]) -> list[int]:
    """Which of the sentence's pauses ends each part; the last part ends with no pause, its item is their number.

    Open JTalk makes one pause of a run of punctuation, and none at either end of the sentence.
    """
    indices: list[int] = []
    pauses = 0
    speaking = False
    waiting = False
    for part in parts:
        for feature in [*part, _PAUSE]:
            if feature["mora_size"]:
                pauses += waiting
                speaking, waiting = True, False
            elif feature["pron"]:
                waiting = speaking
        indices.append(pauses)
    return indices


def _rank(features: Sequence[Feature], word: int) -> int:
    """How good a cut before this word is: 0 within an accent phrase, 1 between two, 2 after a pause."""
    before, after = features[word - 1], features[word]
    if after["mora_size"] == 0 or after["pron"].startswith("ー"):
        return -1
    if before["mora_size"] == 0:
        return 2
    return int(after["chain_flag"] != 1)
