"""Numbers of styles, scales of pitch, and kana of phrases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koebin.producers.http.voicevox.finish import semitones
from koebin.producers.http.voicevox.models import AccentPhrase, Mora
from koebin.producers.http.voicevox.queries import kana_of, sentences_of
from koebin.producers.http.voicevox.styles import speaker_uuid, style_id, style_ids
from koebin.tasks.broker.fleet import ServedSpeaker


def served(name: str, *styles: str) -> ServedSpeaker:
    return ServedSpeaker(name, styles, 44_100, "r", 1.0)


def test_numbers_fit_and_stay() -> None:
    """Pinned: clients keep them in their settings."""
    assert style_id("mei", "Neutral") == 545006765
    assert style_id("jvnv-F1-jp", "Happy") != style_id("jvnv-F1-jp", "Sad")
    assert speaker_uuid("mei") == speaker_uuid("mei") != speaker_uuid("ken")


@given(st.dictionaries(st.text("abc", min_size=1, max_size=4), st.sets(st.text("xyz", min_size=1), min_size=1)))
def test_every_style_has_a_number_of_its_own(names: dict[str, set[str]]) -> None:
    found = style_ids({name: served(name, *sorted(styles)) for name, styles in names.items()})
    assert sorted(found.values()) == sorted((name, style) for name, styles in names.items() for style in styles)
    assert all(0 <= number < 2**31 for number in found)


def test_two_names_with_one_number_get_two(monkeypatch: pytest.MonkeyPatch) -> None:
    import koebin.producers.http.voicevox.styles as styles

    monkeypatch.setattr(styles, "style_id", lambda speaker, style, attempt=0: attempt)
    assert style_ids({"a": served("a", "x", "y"), "b": served("b", "x")}) == {
        0: ("a", "x"),
        1: ("a", "y"),
        2: ("b", "x"),
    }


def test_pitch_scale_in_semitones() -> None:
    assert semitones(0.0) == 0.0
    assert semitones(0.1) == pytest.approx(6.83, abs=0.01)
    assert semitones(-0.1) == pytest.approx(-6.38, abs=0.01)
    assert semitones(1.0) == 24.0


def phrase(kana: str, accent: int, *, pause: bool = False, asks: bool = False) -> AccentPhrase:
    moras = [Mora(text=text, vowel="a", vowel_length=0.1) for text in kana]
    quiet = Mora(text="、", vowel="pau", vowel_length=0.3) if pause else None
    return AccentPhrase(moras=moras, accent=accent, pause_mora=quiet, is_interrogative=asks)


def test_kana_of_phrases() -> None:
    phrases = [phrase("アメ", 1), phrase("カサ", 2, pause=True), phrase("ネコ", 1, asks=True)]
    assert kana_of(phrases) == "ア'メ/カサ、ネ'コ？"
    assert [kana_of(each) for each in sentences_of([*phrases, phrase("イヌ", 2)])] == ["ア'メ/カサ、ネ'コ？", "イヌ"]
