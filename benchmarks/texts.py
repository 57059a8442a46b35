"""Benchmark texts: one short sentence, a paragraph, a chapter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

EXAMPLES: Final = Path(__file__).resolve().parents[1] / "examples"
BOOK: Final = EXAMPLES / "kumo_no_ito.txt"
"""芥川龍之介『蜘蛛の糸』, public domain."""
_SENTENCE: Final = "今日はとてもいい天気ですね。"
_SHORTEST: Final = 10
"""Characters; what has less is a title or an exclamation."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts of three lengths.

    Attributes:
        sentence: a short one.
        paragraph: the first one.
        chapter: whole sentences from the beginning.
    """

    sentence: str
    paragraph: str
    chapter: str

    @classmethod
    def of(cls, book: Path, characters: int) -> Texts:
        """Texts from a file in any format that ``koebin narrate`` accepts.

        Args:
            book: its shortest sentence is the short one; ``BOOK``, all of whose are long, is given one.
            characters: length of the chapter, about.
        """
        from koebin.engine.text.sentences import split_sentences

        paragraphs = _paragraphs(book)
        sentences = [each.text for each in split_sentences("\n".join(paragraphs))]
        short = _SENTENCE if book == BOOK else min((s for s in sentences if len(s) >= _SHORTEST), key=len)
        chapter = ""
        for sentence in sentences:
            if chapter and len(chapter) + len(sentence) > characters:
                break
            chapter += sentence
        return cls(short, paragraphs[0], chapter)


def _paragraphs(book: Path) -> list[str]:
    """Without titles."""
    from koebin.producers.formats.load import load_script
    from koebin.producers.formats.speaker_names import Voice

    texts: list[str] = []
    open_ = False
    for passage in load_script(book, Voice("mei")).passages:
        if open_:
            texts[-1] += passage.text
        else:
            texts.append(passage.text)
        open_ = passage.ends in ("span", "sentence")
    return [text for text in texts if len(text) >= _SHORTEST]
