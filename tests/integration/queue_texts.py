"""Texts for tests of the queue."""

from __future__ import annotations

from typing import Final

CAT: Final = (
    "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"
    "何でも薄暗いじめじめした所でニャーニャー泣いていた事だけは記憶している。"
    "吾輩はここで始めて人間というものを見た。"
)
CAT_SENTENCES: Final = 5


def numbered(sentences: int) -> str:
    """A text whose sentences all differ."""
    return "".join(f"これは{number}番目の文です。" for number in range(1, sentences + 1))
