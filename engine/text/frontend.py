"""The front end: from a user's text to words, readings, accents and labels."""

from __future__ import annotations

import hashlib
import importlib.metadata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING, Final

from koebin.engine.errors import InvalidText
from koebin.engine.reading import Reading
from koebin.engine.text.alignment import node_boundaries
from koebin.engine.text.analysis import Analysis, Node
from koebin.engine.text.context import read_in_context
from koebin.engine.text.features import Feature
from koebin.engine.text.given_readings import apply_reading, check_readings, spoken_word
from koebin.engine.text.glosses import Gloss, glosses
from koebin.engine.text.kana import analyze_kana, has_phrases
from koebin.engine.text.mapped import MappedText
from koebin.engine.text.normalize import normalize
from koebin.engine.text.openjtalk import MAX_CHARS, make_label, mark_devoiced, nodes_of, run_frontend
from koebin.engine.text.sentence_cuts import cut_labels, cut_words, spread_boundaries
from koebin.engine.text.sentences import split_long

if TYPE_CHECKING:
    from koebin.engine.text.dictionary import Dictionary

NORMALIZER_VERSION: Final = 9
"""Raise it with every change of this package that changes phones, tones or labels."""

_DECIDING_PACKAGES: Final = ("pyopenjtalk-plus", "kanalizer", "SudachiPy", "SudachiDict-core")
_WHOLE: Final = MAX_CHARS // 2
"""Characters of a sentence that are read in one go before they are cut into parts."""


def front_end_revision() -> str:
    """Changes whenever a text may be read differently. Loads nothing."""
    parts = [f"koebin {NORMALIZER_VERSION}"]
    for package in _DECIDING_PACKAGES:
        try:
            parts.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            parts.append(f"{package} none")
    data = sorted((resources.files(__package__) / "data").iterdir(), key=lambda file: file.name)
    parts += [f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in data if file.is_file()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def warm_up() -> None:
    """Load all that the first sentences would wait for: dictionaries, and the models for 何, homographs and English."""
    analyze("風が何かをHayaKoeに言う。")


def analyze(text: str, *, readings: Sequence[Reading] = (), dictionary: Dictionary | None = None) -> Analysis:
    """Read one sentence, in one pass of Open JTalk; its labels are another, for voices that need them.

    Args:
        text: one sentence; a longer text is for ``analyze_utterances``.
        readings: how spans of ``text`` are to be read; a word keeps the user's spelling in ``nodes``.
        dictionary: the user's words, for this call only.

    Raises:
        InvalidText: too long for one pass, a letter that cannot be read, or a reading that does not fit the text.
        InvalidDictionary: MeCab refuses the dictionary.
        BackendMissing: pyopenjtalk-plus is not installed.
    """
    if len(text) > MAX_CHARS:
        raise InvalidText(f"a sentence of more than {MAX_CHARS} characters", text, "Use analyze_utterances")
    ordered = check_readings(text, readings)
    if ordered and has_phrases(ordered[0].kana):
        return replace(analyze_kana(ordered[0].kana), text=text)
    if ordered:
        words = _read(text, ordered, dictionary)
        norm, features = words.norm, words.features
    else:
        mapped, features = _read_plain(text, dictionary)
        norm = mapped.text
    return Analysis(text, norm, nodes_of(features), partial(make_label, features))


def analyze_utterances(
    text: str, readings: Sequence[Reading] = (), dictionary: Dictionary | None = None, limit: int = 200
) -> list[Analysis]:
    """Read one sentence, in parts of about ``limit`` characters if it is longer.

    A long sentence is read as a whole and cut between words, at commas if it has any, else between accent phrases: the
    parts keep the accents and labels that the words have in the whole, so none of them ends as a sentence does. Their
    texts, joined, are ``text``.

    Raises:
        As ``analyze``.
    """
    ordered = check_readings(text, readings)
    if len(text) <= limit or (ordered and has_phrases(ordered[0].kana)):
        return [analyze(text, readings=readings, dictionary=dictionary)]
    analyses: list[Analysis] = []
    for stretch in stretches(text, ordered, max(_WHOLE, limit)):
        words = _read(stretch.text, stretch.readings, dictionary)
        analyses += _utterances(stretch.text, words, limit)
    return analyses


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a sentence that is read in one go: some rules take more than linear time. It begins at ``start``."""

    start: int
    text: str
    readings: list[Reading]


def stretches(text: str, ordered: Sequence[Reading], limit: int = _WHOLE) -> Iterator[Stretch]:
    """The parts of a sentence, of at most ``limit`` characters.

    Args:
        ordered: of ``check_readings``.

    Raises:
        InvalidText: a reading lies across a place where the text had to be cut.
    """
    start = 0
    for piece in split_long(text, limit):
        end = start + len(piece)
        yield Stretch(start, piece, _within(ordered, start, end))
        start = end


def read_sentence(text: str, readings: Sequence[Reading] = (), dictionary: Dictionary | None = None) -> Words:
    """The words of one sentence and where they stand in it.

    Raises:
        As ``analyze``.
    """
    norms: list[str] = []
    features: list[Feature] = []
    boundaries: list[int | None] = []
    for stretch in stretches(text, check_readings(text, readings)):
        words = _read(stretch.text, stretch.readings, dictionary)
        norms.append(words.norm)
        features += words.features
        boundaries += [None if place is None else place + stretch.start for place in words.boundaries[:-1]]
    return Words("".join(norms), features, [*boundaries, len(text)])


@dataclass(frozen=True, slots=True)
class Words:
    """A text as Open JTalk reads it; ``boundaries`` has one more item than ``features``, offsets into the text."""

    norm: str
    features: list[Feature]
    boundaries: list[int | None]


def _read(text: str, readings: Sequence[Reading], dictionary: Dictionary | None) -> Words:
    words = _read_aligned(text, dictionary)
    for reading in readings:
        changed = apply_reading(text, reading, words.features, words.boundaries)
        if changed is None:
            return _read_around(text, readings, dictionary)
        words = Words(words.norm, *changed)
    if readings:
        words = Words(words.norm, mark_devoiced(words.features), words.boundaries)
    return words


def _read_aligned(text: str, dictionary: Dictionary | None) -> Words:
    norm, features = _read_plain(text, dictionary)
    surfaces = [feature["string"] for feature in features]
    return Words(norm.text, features, node_boundaries(norm, surfaces, len(text)))


def _read_plain(text: str, dictionary: Dictionary | None) -> tuple[MappedText, list[Feature]]:
    found = glosses(text)
    while True:
        norm = normalize(
            text, dictionary.protected if dictionary else (), [(gloss.start, gloss.end) for gloss in found]
        )
        places = [(bisect_left(norm.starts, gloss.start), gloss) for gloss in found]
        features: list[Feature] = []
        refused: list[Gloss] = []
        start = 0
        for piece in split_long(norm.text, MAX_CHARS):
            here = [(place - start, gloss) for place, gloss in places if 0 < place - start <= len(piece)]
            words, others = read_in_context(piece, run_frontend(piece, dictionary), here)
            features += words
            refused += others
            start += len(piece)
        if not refused:
            return norm, features
        found = [gloss for gloss in found if gloss not in refused]


def _read_around(text: str, readings: Sequence[Reading], dictionary: Dictionary | None) -> Words:
    """Read what lies between the given readings piece by piece: for spans that tear words."""
    norms: list[str] = []
    features: list[Feature] = []
    boundaries: list[int | None] = []
    position = 0
    for reading in [*readings, None]:
        gap = _read_aligned(text[position : reading.start if reading else len(text)], dictionary)
        norms.append(gap.norm)
        features += _chained(gap.features) if position else gap.features
        boundaries += [None if start is None else start + position for start in gap.boundaries[:-1]]
        if reading is not None:
            surface = text[reading.start : reading.end]
            norms.append(surface)
            features.append(spoken_word(surface, reading))
            boundaries.append(reading.start)
            position = reading.end
    return Words("".join(norms), mark_devoiced(features), [*boundaries, len(text)])


def _chained(features: list[Feature]) -> list[Feature]:
    """A particle at the beginning goes on with the accent phrase before it."""
    if features and features[0]["pos"] in ("助詞", "助動詞"):
        return [{**features[0], "chain_flag": 1}, *features[1:]]
    return features


def _within(readings: Sequence[Reading], start: int, end: int) -> list[Reading]:
    """The readings of ``text[start:end]``, counted from its beginning.

    Raises:
        InvalidText: a reading lies across a place where the text had to be cut.
    """
    inside = []
    for reading in readings:
        if start <= reading.start < end:
            if reading.end > end:
                raise InvalidText(
                    "a reading for more characters than are read at once", reading.kana, column=reading.start + 1
                )
            inside.append(Reading(reading.start - start, reading.end - start, reading.kana, reading.accent))
    return inside


def _utterances(text: str, words: Words, limit: int) -> list[Analysis]:
    boundaries = spread_boundaries(words.boundaries, limit)
    cuts = cut_words(words.features, boundaries, limit)
    labels = cut_labels(words.features, cuts)
    edges = [0, *cuts, len(words.features)]
    analyses = []
    for index, part in enumerate(labels):
        first, last = edges[index], edges[index + 1]
        span = text[boundaries[first] if first else 0 : boundaries[last]]
        # A part may begin within an accent phrase, as only its labels tell.
        nodes = tuple(Node(word["string"], word["pron"], word["pos"]) for word in words.features[first:last])
        norm = "".join(node.surface for node in nodes) if len(labels) > 1 else words.norm
        analyses.append(Analysis(span, norm, nodes, partial(tuple, part)))
    return analyses
