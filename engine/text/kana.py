"""Kana with accent marks: a reading one can see, check and correct.

```
コンニチワ、セ'カイ/ノ/ミナ'サン。
```

Katakana as it is said. ``'`` follows the mora after which the pitch falls; a phrase without it stays flat. ``/``
separates accent phrases, ``、`` makes a pause, and the text may end with ``。``, ``？`` or ``！``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from koebin.engine.errors import InvalidText
from koebin.engine.text.analysis import Analysis, Node
from koebin.engine.text.features import Feature
from koebin.engine.text.katakana import is_katakana_reading, sounded, split_morae
from koebin.engine.text.labels import accent_phrases
from koebin.engine.text.openjtalk import MAX_CHARS, make_label, mark_devoiced, nodes_of, plain_feature

ACCENT: Final = "'"
_ACCENTS: Final = re.compile("['’＇]")
_MARKS: Final = {"、": "、", ",": "、", "。": "。", ".": "。", "?": "？", "!": "！"}
_PIECE: Final = re.compile("[、,。.?!/]|[^、,。.?!/]+")


def parse_accent(kana: str) -> tuple[str, int | None]:
    """``サ'ンデン`` -> ``サンデン``, 1; without a mark the accent is None.

    Raises:
        InvalidText: more than one mark, or one before the first mora.
    """
    before, *after = _ACCENTS.split(kana)
    if not after:
        return kana, None
    accent = len(split_morae(sounded(before)))
    if len(after) > 1 or not accent:
        raise InvalidText("an accent mark in the wrong place", kana, "Put one ' after the mora where the pitch falls")
    return before + after[0], accent


def analyze_kana(kana: str) -> Analysis:
    """An utterance spelt in kana with accent marks.

    Raises:
        InvalidText: a character that does not belong there, with its column.
    """
    check_kana(kana)
    features = mark_devoiced([*_features(kana)])
    return Analysis(kana, kana, nodes_of(features), partial(make_label, features))


def has_phrases(kana: str) -> bool:
    """Whether it is the kana of an utterance, with marks between accent phrases, and not that of a word."""
    return any(piece in _MARKS or piece == "/" for piece in _PIECE.findall(unicodedata.normalize("NFKC", kana)))


def check_kana(kana: str) -> None:
    """Raises: InvalidText: as ``analyze_kana``."""
    if len(kana) > MAX_CHARS:
        raise InvalidText(f"more than {MAX_CHARS} characters", kana, "Split it into sentences")
    for _ in _features(kana):
        pass


def to_kana(analysis: Analysis) -> str:
    """How an utterance is read; ``analyze_kana`` of it has the same phones and tones."""
    morae = _morae(analysis.nodes)
    text = ""
    for group in accent_phrases(analysis.labels):
        phrases = [_marked([next(morae, "") for _ in phrase], phrase) for phrase in group]
        text += ("、" if text else "") + "/".join(phrases)
    return text + _final_mark(analysis.nodes)


def _morae(nodes: Sequence[Node]) -> Iterator[str]:
    """What is spoken; a long mark with nothing before it to hold is not."""
    holding = False
    for node in nodes:
        morae = split_morae(node.pron)
        for mora in morae:
            if holding or mora != "ー":
                holding = True
                yield mora
        holding = holding and bool(morae)


def _marked(morae: Sequence[str], falls: Sequence[bool]) -> str:
    """A fall after the last mora is left out: within the phrase it cannot be heard, and Open JTalk's labels do not tell
    it from a flat phrase."""
    last = len(morae) - 1
    return "".join(mora + (ACCENT if falls[index] and index < last else "") for index, mora in enumerate(morae))


def _final_mark(nodes: Sequence[Node]) -> str:
    last = unicodedata.normalize("NFKC", nodes[-1].surface) if nodes else ""
    return {"?": "？", "!": "！", ".": "。", "。": "。"}.get(last[-1:], "")


def _features(kana: str) -> Iterator[Feature]:
    for match in _PIECE.finditer(unicodedata.normalize("NFKC", kana)):
        piece = match.group().strip()
        if piece in _MARKS:
            yield plain_feature(_MARKS[piece], _MARKS[piece] if piece in "?!" else "、", "記号")
        elif piece and piece != "/":
            yield _phrase(piece, match.start() + 1)


def _phrase(piece: str, column: int) -> Feature:
    plain, accent = parse_accent(piece)
    reading = sounded(plain)
    if not is_katakana_reading(reading) or reading.startswith("ー"):
        raise InvalidText("not a reading", piece, "Write katakana, ' for the accent, / between phrases", 1, column)
    return plain_feature(reading, reading, "名詞", accent or 0)
