"""The benchmarks speak any text that a narration can be made of."""

from __future__ import annotations

from pathlib import Path

from benchmarks.texts import BOOK, Texts


def test_another_book_is_spoken_in_all_lengths(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    first, second = "朝の空はとても青かった。風はなかった、と皆が言う。", "次の日は雨が降り続いていた。"
    book.write_text(f"題名\n\n　{first}\n　{second}\n", "utf-8")
    texts = Texts.of(book, characters=30)
    assert texts.sentence == "朝の空はとても青かった。"
    assert texts.paragraph == first
    assert texts.chapter == texts.paragraph


def test_the_usual_one_begins_with_its_first_paragraph() -> None:
    texts = Texts.of(BOOK, characters=330)
    assert texts.chapter.startswith(texts.paragraph)
    assert len(texts.sentence) < len(texts.paragraph) < len(texts.chapter) <= 330
