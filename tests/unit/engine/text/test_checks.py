from typing import Any

import pytest

from koebin.engine.errors import InvalidText
from koebin.engine.text.checks import check_text


@pytest.mark.parametrize(
    "text",
    [
        "こんにちは",
        "10:30\n\t%だよ",
        "A",
        "％",
        "改行\r\nです",
        "👍いいね",
        "一行目\n二\x00行目",
        "頁\x0c次",
        "これはกです",
        "(ಠ_ಠ)と",
    ],
)
def test_what_can_be_spoken_passes_unchanged(text: str) -> None:
    assert check_text(text) == text


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ("", 0, 0, "empty"),
        (" 　\n\t", 0, 0, "empty"),
        ("\x00\x1b\x0c", 1, 1, "nothing to speak"),
        ("मराठी ก", 1, 1, "nothing to speak"),
        ("あ\ud800", 1, 2, "surrogate"),
        ("……。！？\n「」", 1, 1, "nothing to speak"),
        ("🎉🎉", 1, 1, "nothing to speak"),
        ("短い\r\n" + "長" * 11, 2, 11, "11 characters"),
    ],
)
def test_refused_with_its_place(text: str, line: int, column: int, what: str) -> None:
    with pytest.raises(InvalidText, match=what) as caught:
        check_text(text, max_line_chars=10)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_ten_megabytes_in_one_line_are_refused_quickly() -> None:
    with pytest.raises(InvalidText, match="more than 100000"):
        check_text("あ" * 10_000_000)


def test_a_text_has_a_limit() -> None:
    with pytest.raises(InvalidText, match="more than 20"):
        check_text("あ\n" * 20, max_chars=20)


@pytest.mark.parametrize("text", [None, b"abc", 3])
def test_what_is_no_string_is_refused(text: Any) -> None:
    with pytest.raises(InvalidText, match="no string"):
        check_text(text)
