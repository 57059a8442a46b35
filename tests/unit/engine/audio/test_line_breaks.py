"""Lines of subtitles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koebin.engine.audio.line_breaks import wrap


def test_short_text_stays_one_line() -> None:
    assert wrap("吾輩は猫である。") == "吾輩は猫である。"
    assert wrap("") == ""


def test_breaks_after_punctuation_and_evenly() -> None:
    assert wrap("ある日の暮方の事である。一人の下人が、羅生門の下で雨やみを待っていた。").split("\n") == [
        "ある日の暮方の事である。一人の下人が、",
        "羅生門の下で雨やみを待っていた。",
    ]


def test_words_stay_whole() -> None:
    lines = wrap("The quick brown fox jumps over the lazy dog, and runs away from koebin.example.org.").split("\n")
    assert " ".join(lines) == "The quick brown fox jumps over the lazy dog, and runs away from koebin.example.org."
    assert all(len(line) <= 44 for line in lines)


@pytest.mark.parametrize("text", ["あ" * 21 + "っ" * 4 + "い" * 20, "「" * 30, "長" * 22 + "、" + "い" * 10])
def test_forbidden_places_are_kept(text: str) -> None:
    lines = wrap(text).split("\n")
    assert "".join(lines) == text
    assert all(line[0] not in "っ、。」" for line in lines[1:])
    assert all(line[-1] != "「" for line in lines[:-1])


def test_line_breaks_of_the_text_go() -> None:
    assert wrap("一行\r\n\r\n二行") == "一行二行"
    assert wrap("one\n two") == "one two"


@given(st.text(alphabet=st.sampled_from("あいう漢字、。「」っー abc1-😀\n"), max_size=200))
def test_no_character_is_lost(text: str) -> None:
    wrapped = wrap(text)
    assert "".join(wrapped.split()) == "".join(text.split())
    assert "" not in wrapped.split("\n") or not text.strip()
