"""Ruby of plain text: the word that a reading in 《》 belongs to, and what becomes of a reading that is none."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Final, Literal

from koebin.engine.errors import InvalidScript
from koebin.engine.reading import Reading
from koebin.engine.text.characters import script
from koebin.engine.text.given_readings import repeated_kana
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.written_readings import MAX_WORD, WrittenReading, parse_phrases, parse_reading

Ruby = Literal["strict", "lenient"]
"""``strict``: a reading that is none is refused, or is a quotation. ``lenient``: it is left out, as books need it."""

UNKNOWN: Final = "〓"
"""Stands for a character that Unicode or the input's encoding lacks (a printer's *geta*)."""
_MALFORMED: Final = re.compile(r"(?=.*[ぁ-ゖァ-ヺ].*['’＇:：/])[ぁ-ゖァ-ヺー'’＇/、。:：0-9]+")
"""Kana with marks of accents in the wrong places: meant as a reading, and none."""


@dataclass(slots=True)
class Run:
    """Text of one voice that is being collected."""

    text: str = ""
    readings: list[Reading] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    """Of each reading, in the input."""


class RubyReader:
    """Reader of ruby that appends words with their readings to the run that is being collected.

    Args:
        builder: is told what is left out.
        ruby: what becomes of ruby that is no kana.
        item: the item all of it belongs to.
    """

    def __init__(self, builder: ScriptBuilder, ruby: Ruby, item: str) -> None:
        self._builder = builder
        self._ruby = ruby
        self._item = item

    def explicit(self, run: Run, match: re.Match[str], where: tuple[int, int]) -> None:
        """Read ``｜word《kana》``.

        Raises:
            InvalidScript: strict, and not a reading, with its place.
        """
        base = match["base"].strip()
        spoken = parse_reading(match["explicit"]) if len(base) <= MAX_WORD else None
        if self._ruby == "strict" and match[0][0] == "｜" and spoken is None:
            spoken = parse_phrases(match["explicit"])
        if self._ruby == "strict" and match[0][0] == "|" and (spoken is None or not match["closed"]):
            run.text += match[0]  # a bar of a table before a quotation
            return
        if not match["closed"]:
            if self._ruby == "lenient":
                run.text += match[0]
                return
            raise InvalidScript("a reading is not closed", match[0], "Write 》 after it", *where)
        if not base and self._ruby == "lenient":
            self._builder.leave_out("a reading without a word", match[0], *where, item=self._item)
            return
        if self._ruby == "lenient" and spoken and len(base) == 1 and _is_sign(base):
            run.text += spoken.kana
            return
        if not base or (self._ruby == "strict" and spoken is None):
            raise InvalidScript(
                "not a reading" if base else "a reading without a word",
                match[0],
                "Write ｜word《kana》, with ' after the mora where the pitch falls; \\｜ is a plain bar",
                *where,
            )
        before, _, after = match["base"].partition(base)
        run.text += before
        self._read(run, len(run.text), base, spoken, where)
        run.text += after

    def implicit(self, run: Run, match: re.Match[str], where: tuple[int, int]) -> None:
        """Read ``《kana》`` behind the word that it belongs to.

        Raises:
            InvalidScript: strict, and accents in the wrong places, with its place.
        """
        taken = run.readings[-1].end if run.readings else 0
        start = _word_start(run.text, taken, self._ruby)
        word = run.text[start:]
        spoken = parse_reading(match["implicit"])
        if not word and self._ruby == "lenient" and spoken and len(run.text) > taken and _is_sign(run.text[-1]):
            run.text = run.text[:-1] + spoken.kana  # a sign with a reading of its own
            return
        if not word and self._ruby == "lenient" and run.text and taken == len(run.text):
            self._builder.leave_out("a second reading of a word", match[0], *where, item=self._item)
            return
        if self._ruby == "strict" and spoken is None and word and _MALFORMED.fullmatch(match["implicit"]):
            hint = "Write word《kana》 with one ' after the mora where the pitch falls; ｜ before it for a quotation"
            raise InvalidScript("not a reading", match[0], hint, *where)
        if not word or (self._ruby == "strict" and spoken is None):
            run.text += match[0]  # a quotation
            return
        run.text = run.text[:start]
        self._read(run, start, word, spoken if len(word) <= MAX_WORD else None, where)

    def _read(self, run: Run, start: int, word: str, spoken: WrittenReading | None, where: tuple[int, int]) -> None:
        """Append ``word`` with its reading; kana take the place of a character that no font has."""
        if spoken is None:
            run.text += word
        elif UNKNOWN in word:
            run.text += spoken.kana
        else:
            run.text += word
            run.readings.append(Reading(start, start + len(word), spoken.kana, spoken.accent))
            run.places.append(where)


def check_okurigana(run: Run) -> None:
    """Raises: InvalidScript: a reading that ends with the kana behind its word, with its place."""
    for reading, where in zip(run.readings, run.places, strict=True):
        if repeated_kana(run.text, reading):
            hint = "Give the reading of the kanji alone: 食《た》べる"
            raise InvalidScript("a reading holds the kana that stand behind its word", reading.kana, hint, *where)


def _word_start(text: str, start: int, ruby: Ruby) -> int:
    """Where the word begins that a reading without ｜ belongs to: the run of one script before it."""
    kinds = ("kanji", "katakana", "latin", "digit", "hiragana") if ruby == "lenient" else ("kanji",)
    position = _before_marks(text, len(text), start)
    kind = _kind(text[position - 1]) if position > start else ""
    if kind not in kinds:
        return len(text)
    while position > start and (_kind(text[position - 1]) == kind or (kind == "latin" and _joins(text, position - 1))):
        position = _before_marks(text, position - 1, start)
    while position < len(text) and _is_mark(text[position]):
        position += 1  # marks of the character before the word
    return position


def _before_marks(text: str, position: int, start: int) -> int:
    """The end of the character that variation selectors and combining marks before ``position`` belong to."""
    while position > start and _is_mark(text[position - 1]):
        position -= 1
    return position


def _joins(text: str, position: int) -> bool:
    """Whether this is the apostrophe or hyphen of a word such as Barber's."""
    return text[position] in "'’-‐" and _kind(text[position - 1 : position] or " ") == "latin"


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me", "Mc")


def _is_sign(character: str) -> bool:
    """Whether this is a sign rather than a letter or punctuation, so that its reading may stand for it."""
    return unicodedata.category(character)[0] == "S" or character in "※＆＃＠％・◇"


def _kind(character: str) -> str:
    if character in "々〇〻仝〆ヶヵ" or character == UNKNOWN:
        return "kanji"
    kind = script(character)
    return "latin" if kind == "digit" else kind
