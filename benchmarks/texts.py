"""What is spoken: one short sentence, a paragraph, a chapter. Public domain."""

from __future__ import annotations

from pathlib import Path
from typing import Final

EXAMPLES: Final = Path(__file__).resolve().parents[1] / "examples"
SENTENCE: Final = "今日はとてもいい天気ですね。"


def paragraphs() -> list[str]:
    """芥川龍之介『蜘蛛の糸』, without its title."""
    from producers.formats.load import load_script
    from producers.formats.voice import Voice

    passages = load_script(EXAMPLES / "kumo_no_ito.txt", Voice("mei")).passages
    texts: list[str] = []
    open_ = False
    for passage in passages:
        if open_:
            texts[-1] += passage.text
        else:
            texts.append(passage.text)
        open_ = passage.ends in ("span", "sentence")
    return [text for text in texts if len(text) > len(SENTENCE)]


def chapter(characters: int) -> str:
    """Whole sentences from the beginning, about so many characters."""
    from engine.text.sentences import split_sentences

    text = ""
    for sentence in split_sentences("\n".join(paragraphs())):
        if text and len(text) + len(sentence.text) > characters:
            break
        text += sentence.text
    return text
