"""Unreadable characters: left out alone, and reported."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koebin.engine.errors import InvalidText
from koebin.engine.text.normalize import normalize
from koebin.engine.text.unreadable import check_readable, find_unreadable, without_unreadable


@pytest.mark.parametrize(
    ("text", "left", "clusters"),
    [
        ("これはกです。นี้ね", "これはです。ね", [(3, 4, "ก"), (7, 10, "นี้")]),
        ("مرحباと言う", "と言う", [(0, 5, "مرحبا")]),
        ("नमस्ते、と", "、と", [(0, 6, "नमस्ते")]),
        ("(ಠ_ಠ)怒る", "(_)怒る", [(1, 2, "ಠ"), (3, 4, "ಠ")]),
        ("あ\x00い\x1b", "あい", [(1, 2, "\x00"), (3, 4, "\x1b")]),
        ("私\ue000は", "私は", [(1, 2, "\ue000")]),
        ("失\ufffdわれた", "失われた", [(1, 2, "\ufffd")]),
        ("半\ud83d分", "半分", [(1, 2, "\ud83d")]),
    ],
)
def test_only_the_cluster_goes(text: str, left: str, clusters: list[tuple[int, int, str]]) -> None:
    spoken, found = without_unreadable(text)
    assert spoken == left
    assert [(cluster.start, cluster.end, cluster.text) for cluster in found] == clusters


@pytest.mark.parametrize(
    "text",
    [
        "山﨑さん〼",
        "⻑い⻝事と⼈⼝",
        "объект",
        "안녕",
        "٣個",
        "❶と⓬",
        "Ωとἀ",
        "👍🏽👨‍👩‍👧",
        "頁\x0c次\t行\u2028",
        "か\u3099",
        "𛀙な",
        "ᴀʙ",
        "½",
    ],
)
def test_ordinary_letters_and_signs_are_readable(text: str) -> None:
    assert find_unreadable(text) == ()
    assert without_unreadable(text)[0] is text


def test_strict_names_the_place() -> None:
    with pytest.raises(InvalidText, match="THAI CHARACTER KO KAI") as caught:
        check_readable("一行目\nこれはกです")
    assert (caught.value.line, caught.value.column) == (2, 4)


@settings(deadline=None)
@given(st.text(st.characters(categories=("L", "N", "Cc", "Co", "Cn")), max_size=20))
def test_what_is_not_listed_is_spoken(text: str) -> None:
    """No letter and no figure vanishes without being told."""
    for char in without_unreadable(text)[0]:
        if unicodedata.category(char)[0] in "LN" and char.lower() not in "ъь":
            assert normalize(char).text, char


@settings(deadline=None)
@given(st.text(st.sampled_from("あ漢a。ก\u0e35\x00\ue000ಠ \n"), max_size=20))
def test_left_out_before_or_after_is_the_same(text: str) -> None:
    spoken, found = without_unreadable(text)
    assert find_unreadable(spoken) == ()
    assert sum(len(cluster.text) for cluster in found) == len(text) - len(spoken)
