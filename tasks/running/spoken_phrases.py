"""Accent phrases of a rendered sentence with the lengths that its marks tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.reading import Reading
from koebin.tasks.contracts import SpokenMora, SpokenPhrase

if TYPE_CHECKING:
    from koebin.engine.text.phrase_listing import AccentPhrase

_CLOSED: Final = {"q": "cl"}
"""JP-Extra's name for a closed consonant, and Open JTalk's."""
_WHISPERED: Final = frozenset("iu")
_SLACK: Final = 1e-6


def spoken_phrases(text: str, readings: Sequence[Reading], marks: Marks) -> tuple[SpokenPhrase, ...]:
    """The phrases of one sentence.

    Args:
        marks: of the sentence's audio, before any silence was cut from it.

    Raises:
        InvalidText: as when the sentence was rendered.
    """
    from koebin.engine.text.phrase_listing import read_phrases

    phrases = read_phrases(text, readings)
    timed = list(_timed(marks, sum(len(phrase.moras) for phrase in phrases)))
    return tuple(_spoken(phrases, timed))


def _timed(marks: Marks, wanted: int) -> Iterator[tuple[Mark, tuple[Mark, ...]]]:
    """A mark for each of ``wanted`` moras, with its phones; where the voice counts otherwise, in proportion."""
    have = len(marks.moras)
    for index in range(wanted if have else 0):
        mora = marks.moras[index if have == wanted else min(have - 1, index * have // wanted)]
        inside = tuple(
            phone for phone in marks.phones if phone.start >= mora.start - _SLACK and phone.end <= mora.end + _SLACK
        )
        yield mora, inside


def _spoken(phrases: Sequence[AccentPhrase], timed: Sequence[tuple[Mark, tuple[Mark, ...]]]) -> Iterator[SpokenPhrase]:
    position = 0
    for phrase in phrases:
        own = timed[position : position + len(phrase.moras)]
        position += len(phrase.moras)
        moras = tuple(
            _mora(kana, whispered, mark, phones)
            for kana, whispered, (mark, phones) in zip(phrase.moras, phrase.whispered, own, strict=False)
        )
        pause = None
        if phrase.pause:
            after = timed[position][0].start if position < len(timed) else own[-1][0].end if own else 0.0
            pause = round(max(0.0, after - (own[-1][0].end if own else after)), 6)
        if moras:
            yield SpokenPhrase(
                moras=moras, accent=phrase.accent, start=phrase.start, end=phrase.end, pause_seconds=pause
            )


def _mora(kana: str, whispered: bool, mark: Mark, phones: Sequence[Mark]) -> SpokenMora:
    if not phones:
        return SpokenMora(kana=kana, vowel="a", vowel_seconds=round(mark.end - mark.start, 6))
    *consonants, last = phones
    vowel = _CLOSED.get(last.text, last.text)
    return SpokenMora(
        kana=kana,
        consonant="".join(phone.text for phone in consonants),
        consonant_seconds=round(sum(phone.end - phone.start for phone in consonants), 6),
        vowel=vowel.upper() if whispered and vowel in _WHISPERED else vowel,
        vowel_seconds=round(last.end - last.start, 6),
    )
