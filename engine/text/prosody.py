"""Prosody: Open JTalk's words and labels to the input of a Style-Bert-VITS2 voice. Pure functions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import chain, repeat
from typing import Final, NamedTuple

from koebin.engine.text.accents import mora_tones
from koebin.engine.text.analysis import Analysis, Node
from koebin.engine.text.labels import phone_tones
from koebin.engine.text.moras import Mora, moras_of
from koebin.engine.text.numbers import kanji_number
from koebin.engine.text.symbols import BLANK, PUNCTUATION


class Span(NamedTuple):
    """``text`` is spoken by the phones ``start`` to ``end``, end excluded."""

    text: str
    start: int
    end: int


class Word(NamedTuple):
    """One word, or punctuation, apart from where it stands.

    Attributes:
        surface: as Open JTalk spells it.
        written: as BERT reads it; nothing if the word leaves no trace.
        moras: marks among them.
        mora_lengths: how many phones each mora has.
        phones: those of all moras.
        word2ph: how many phones each character of ``written`` has.
        spoken: any of the moras is more than a mark.
    """

    surface: str
    written: str
    moras: tuple[Mora, ...]
    mora_lengths: tuple[int, ...]
    phones: tuple[str, ...]
    word2ph: tuple[int, ...]
    spoken: bool


@dataclass(frozen=True, slots=True)
class Phonemes:
    """One utterance as a Style-Bert-VITS2 voice reads it.

    Attributes:
        phones: P symbols, ``_`` at both ends.
        tones: P values, 0 low or 1 high.
        word2ph: how many phones each character of ``bert_text`` has, with 1 for each ``_``; its sum is P and it has
            two items more than ``bert_text`` has characters.
        bert_text: the words as they are written, one token a character.
        words: in order, with all phones but the first and the last.
    """

    phones: tuple[str, ...]
    tones: tuple[int, ...]
    word2ph: tuple[int, ...]
    bert_text: str
    words: tuple[Word, ...]

    def word_spans(self) -> Iterator[Span]:
        """The words that are spoken, as Open JTalk spells them; punctuation is none."""
        start = 1
        for word in self.words:
            if word.spoken:
                yield Span(word.surface, start, start + len(word.phones))
            start += len(word.phones)

    def mora_spans(self) -> Iterator[Span]:
        """Katakana of every mora."""
        start = 1
        for word in self.words:
            for kana, phones in word.moras:
                if kana:
                    yield Span(kana, start, start + len(phones))
                start += len(phones)


def phonemes(analysis: Analysis) -> Phonemes:
    """Phones, tones and their distribution over characters, as the voices were trained on them.

    Every word and label is accepted: what has no reading is kept as ``'``.
    """
    words = _read_words(analysis.nodes)
    phones = (BLANK, *chain.from_iterable([word.phones for word in words]), BLANK)
    tones = _tones_of_words(analysis.nodes, words) or _merge_tones(phones, phone_tones(analysis.labels))
    return Phonemes(
        phones,
        tuple(tones),
        (1, *chain.from_iterable([word.word2ph for word in words]), 1),
        "".join([word.written for word in words]),
        tuple(words),
    )


def join(first: Phonemes, second: Phonemes) -> Phonemes:
    """Both utterances as one, the way the voice would read them in one breath; ``second``'s phones begin at
    ``len(first.phones) - 1``."""
    return Phonemes(
        first.phones[:-1] + second.phones[1:],
        first.tones[:-1] + second.tones[1:],
        first.word2ph[:-1] + second.word2ph[1:],
        first.bert_text + second.bert_text,
        first.words + second.words,
    )


def spread(phones: int, characters: int) -> list[int]:
    """Distribute phones over characters as evenly as possible, the remainder to the left: 5 over 3 is 2, 2, 1."""
    if characters == 0:
        return []
    base, rest = divmod(phones, characters)
    return [base + 1] * rest + [base] * (characters - rest)


def _read_words(nodes: Sequence[Node]) -> list[Word]:
    """One word for each node; one that leaves no trace has nothing written and no morae."""
    words = []
    previous = ""
    for node in nodes:
        word = _read_word(node.surface, node.pron, previous if "ー" in node.pron else "")
        previous = word.phones[-1] if word.phones else previous
        words.append(word)
    return words


@lru_cache(maxsize=8192)
def _read_word(surface: str, pron: str, previous: str) -> Word:
    """``previous`` is the last phone before it. Kept, because the words of a language come again and again."""
    written = written_form(surface)
    pron = pron.replace("’", "")
    spoken = False
    if written and PUNCTUATION.issuperset(written) and not _KANA.search(pron):
        moras = [Mora("", (mark,)) for mark in written]
    elif moras := moras_of(pron, previous):
        written = written or pron
        spoken = any(mora.kana for mora in moras)
    else:
        moras = [Mora("", ("'",))] * len(written)
    phones = tuple([phone for mora in moras for phone in mora.phones])
    word2ph = tuple(spread(len(phones), len(written)))
    return Word(surface, written, tuple(moras), tuple([len(mora.phones) for mora in moras]), phones, word2ph, spoken)


_KANA: Final = re.compile("[ァ-ヺー]")
_MARKS: Final = {
    **dict.fromkeys("。．", "."),
    **dict.fromkeys("、，・·：；:;", ","),
    "！": "!",
    "？": "?",
    **dict.fromkeys('“”"‘’（）()《》【】[]「」『』〈〉', "'"),
    **dict.fromkeys("˗‐‑‒–—―⁃−⎯⏤─━⸺⸻", "-"),
    "…": "...",
    "‥": "..",
}
_WRITTEN: Final = re.compile(
    r"[\u3040-\u309f\u30a0-\u30ff\u4e00-\u9fff\u3400-\u4dbf々〇〆A-ZＡ-Ｚa-zａ-ｚ\u0370-\u03ff\u1f00-\u1fff"
    r"\U00020000-\U0003ffff!?….,'-]"
)
_FIGURES: Final = re.compile(r"[0-9０-９]+")


def written_form(surface: str) -> str:
    """A word as the voices' BERT knows it: figures in kanji, brackets and dashes as plain marks, nothing unassigned."""
    if _FIGURES.search(surface):
        surface = _FIGURES.sub(lambda match: kanji_number(unicodedata.normalize("NFKC", match.group())), surface)
    return surface.translate(_CHARACTERS)


class _Characters(dict[int, str]):
    """What a character is written as, found when it is first asked for."""

    def __missing__(self, code: int) -> str:
        mark = _MARKS.get(chr(code), chr(code))
        self[code] = "".join(
            part for part in mark if _WRITTEN.match(part) and unicodedata.category(part) not in ("Cn", "Mn")
        )
        return self[code]


_CHARACTERS: Final = _Characters()


def _tones_of_words(nodes: Sequence[Node], words: Sequence[Word]) -> list[int] | None:
    """A tone for each phone, with 0 for punctuation and blanks; None if only the labels tell."""
    tones = mora_tones(nodes, [len(word.moras) for word in words])
    if tones is None:
        return None
    lengths = chain.from_iterable([word.mora_lengths for word in words])
    return [0, *chain.from_iterable(map(repeat, tones, lengths)), 0]


def _merge_tones(phones: Sequence[str], spoken: Sequence[tuple[str, int]]) -> list[int]:
    """Give each phone its tone; punctuation is low, and so is what the labels end before.

    Words and labels come from the same analysis and agree. Where Open JTalk names a phone otherwise all the same (fy
    for フュ), the phones around it are aligned, and it takes the tone before it.
    """
    places = [index for index, phone in enumerate(phones) if phone != BLANK and phone not in PUNCTUATION]
    said = [phones[index] for index in places]
    heard = [phone for phone, _ in spoken]
    tones = [0] * len(phones)
    if said == heard[: len(said)] or heard == said[: len(heard)]:
        for place, (_, tone) in zip(places, spoken, strict=False):
            tones[place] = tone
        return tones
    known: dict[int, int] = {}
    for start, heard_start, size in SequenceMatcher(None, said, heard, False).get_matching_blocks():
        known |= {start + offset: spoken[heard_start + offset][1] for offset in range(size)}
    tone = 0
    for index, place in enumerate(places):
        tone = tones[place] = known.get(index, tone)
    return tones
