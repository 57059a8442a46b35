"""VOICEVOX's shape, as its clients call it."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
import soundfile

from tests.integration.producers.http.conftest import ALICE, BOB, House
from tests.servers.door import Answer

TEXT = "今日は、とても良い天気ですね？明日も晴れます。"


def call(house: House, method: str, path: str, body: Any = None, key: str = ALICE, **query: object) -> Answer:
    return house.door.ask(method, path + ("?" + urlencode(query) if query else ""), body, key=key)


def style(house: House, name: str = "mei", key: str = ALICE) -> int:
    found = call(house, "GET", "/speakers", key=key).json
    return next(int(each["styles"][0]["id"]) for each in found if each["name"] == name)


def query_of(house: House, text: str = TEXT, name: str = "mei") -> dict[str, Any]:
    answer = call(house, "POST", "/audio_query", text=text, speaker=style(house, name))
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.json
    return found


def sound_of(house: House, query: dict[str, Any], name: str = "mei") -> tuple[np.ndarray, int, Answer]:
    answer = call(house, "POST", "/synthesis", query, speaker=style(house, name))
    assert answer.status == 200, answer
    samples, rate = soundfile.read(io.BytesIO(answer.body), dtype="float32")
    return samples, rate, answer


def kana(query: dict[str, Any]) -> list[str]:
    return ["".join(mora["text"] for mora in phrase["moras"]) for phrase in query["accent_phrases"]]


def length(mora: dict[str, Any] | None) -> float:
    return 0.0 if mora is None else (mora["consonant_length"] or 0.0) + mora["vowel_length"]


def test_numbers_of_styles_stay_the_same(house: House) -> None:
    """They are written into clients' settings: these are what they were when the door was made."""
    found = {each["name"]: each for each in call(house, "GET", "/speakers").json}
    assert {name: each["styles"][0]["id"] for name, each in found.items()} == {"mei": 545006765, "ken": 39909631}
    assert [each["name"] for each in call(house, "GET", "/speakers", key=BOB).json] == ["ken"]
    info = call(house, "GET", "/speaker_info", speaker_uuid=found["mei"]["speaker_uuid"]).json
    assert info["style_infos"][0]["id"] == found["mei"]["styles"][0]["id"]
    assert call(house, "GET", "/speaker_info", speaker_uuid=found["mei"]["speaker_uuid"], key=BOB).status == 404


def test_a_query_has_true_mora_lengths(house: House) -> None:
    query = query_of(house)
    assert kana(query) == ["キョーワ", "トテモ", "ヨイ", "テンキデスネ", "アシタモ", "ハレマス"]
    assert query["kana"] == "キョ'ーワ、トテモ/ヨ'イ/テ'ンキデスネ、アシタ'モ/ハレマ'ス"
    moras = [mora for phrase in query["accent_phrases"] for mora in phrase["moras"]]
    assert all(mora["vowel_length"] > 0.0 for mora in moras)
    assert all(mora["consonant_length"] > 0.0 for mora in moras if mora["consonant"])
    assert [phrase["pause_mora"] is not None for phrase in query["accent_phrases"]] == [1, 0, 0, 1, 0, 0]
    assert [phrase["is_interrogative"] for phrase in query["accent_phrases"]] == [0, 0, 0, 1, 0, 0]
    samples, rate, answer = sound_of(house, query)
    spoken = sum(map(length, moras)) + sum(length(phrase["pause_mora"]) for phrase in query["accent_phrases"])
    assert len(samples) / rate == pytest.approx(spoken + 0.2, abs=0.05)
    assert "koebin-ignored" not in answer.headers


def test_edited_accents_are_honoured_and_the_text_is_kept(house: House) -> None:
    query = query_of(house, "雨と飴を見た。")
    before, _, _ = sound_of(house, query)
    assert (kana(query)[0], query["accent_phrases"][0]["accent"]) == ("アメト", 1)
    query["accent_phrases"][0]["accent"] = 3
    again = call(house, "POST", "/mora_data", query["accent_phrases"], speaker=style(house)).json
    assert [phrase["accent"] for phrase in again] == [phrase["accent"] for phrase in query["accent_phrases"]]
    query["accent_phrases"] = again
    after, _, answer = sound_of(house, query)
    assert "koebin-ignored" not in answer.headers
    width = min(len(before), len(after))
    assert np.abs(before[:width] - after[:width]).max() > 0.01
    spelt = call(house, "POST", "/accent_phrases", text="アメト/アメオ/ミ'タ", speaker=style(house), is_kana="true")
    assert spelt.status == 200, spelt
    told, _, _ = sound_of(house, {**query, "accent_phrases": spelt.json})
    assert len(told) == pytest.approx(len(after), rel=0.1)


def test_moras_that_were_edited_are_spoken_from_their_kana(house: House) -> None:
    query = query_of(house, "猫です。")
    dog = query_of(house, "犬です。")
    query["accent_phrases"][0]["moras"][:2] = dog["accent_phrases"][0]["moras"][:2]
    samples, rate, _ = sound_of(house, query)
    wanted, _, _ = sound_of(house, dog)
    assert len(samples) / rate == pytest.approx(len(wanted) / rate, abs=0.1)


def test_scales_and_pauses_are_honoured(house: House) -> None:
    query = query_of(house)
    plain, rate, _ = sound_of(house, query)
    assert rate == 24_000
    fast, _, _ = sound_of(house, {**query, "speedScale": 2.0})
    assert len(fast) < 0.7 * len(plain)  # no state of a built-in voice is shorter than a frame
    quiet, _, _ = sound_of(house, {**query, "volumeScale": 0.5})
    assert np.abs(quiet).max() == pytest.approx(np.abs(plain).max() / 2, rel=0.02)
    long, _, _ = sound_of(house, {**query, "prePhonemeLength": 1.1, "postPhonemeLength": 2.1})
    assert len(long) / rate == pytest.approx(len(plain) / rate + 3.0, abs=0.01)
    stereo, other, _ = sound_of(house, {**query, "outputStereo": True, "outputSamplingRate": 44_100})
    assert (other, stereo.shape[1]) == (44_100, 2)
    assert len(stereo) / other == pytest.approx(len(plain) / rate, abs=0.01)
    told = sum(length(phrase["pause_mora"]) for phrase in query["accent_phrases"])
    paused, _, _ = sound_of(house, {**query, "pauseLength": 1.0})
    assert len(paused) / rate == pytest.approx(len(plain) / rate + 2.0 - told, abs=0.02)
    query["accent_phrases"][0]["pause_mora"]["vowel_length"] += 0.5
    one, _, _ = sound_of(house, query)
    assert len(one) / rate == pytest.approx(len(plain) / rate + 0.5, abs=0.02)
    high, _, _ = sound_of(house, {**query, "pitchScale": 0.1})
    assert len(high) == pytest.approx(len(one), abs=rate * 0.02)
    assert np.abs(high[: len(one)] - one[: len(high)]).max() > 0.01


def test_what_changes_nothing_is_told(house: House) -> None:
    query = query_of(house, "はい、そうです。")
    query["accent_phrases"][0]["moras"][0]["pitch"] = 5.5
    query["accent_phrases"][0]["moras"][0]["vowel_length"] += 0.3
    _, _, answer = sound_of(house, query)
    assert answer.headers["koebin-ignored"] == "pitch, consonant_length, vowel_length"


def test_words_of_a_key_are_its_own(house: House) -> None:
    before = kana(query_of(house, "薔薇園は綺麗。", "ken"))
    word = call(house, "POST", "/user_dict_word", surface="薔薇園", pronunciation="ローズガーデン", accent_type=4)
    assert word.status == 200, word
    try:
        entry = call(house, "GET", "/user_dict").json[word.json]
        assert (entry["surface"], entry["pronunciation"], entry["accent_type"]) == ("薔薇園", "ローズガーデン", 4)
        query = query_of(house, "薔薇園は綺麗。", "ken")
        assert kana(query)[0] == "ローズガーデンワ"
        assert query["accent_phrases"][0]["accent"] == 4
        assert call(house, "GET", "/user_dict", key=BOB).json == {}
        theirs = call(house, "POST", "/audio_query", key=BOB, text="薔薇園は綺麗。", speaker=style(house, "ken")).json
        assert kana(theirs) == before
        assert call(house, "DELETE", f"/user_dict_word/{word.json}", key=BOB).status == 404
        changed = call(
            house, "PUT", f"/user_dict_word/{word.json}", surface="薔薇園", pronunciation="バラゾノ", accent_type=0
        )
        assert changed.status == 204
        assert kana(query_of(house, "薔薇園は綺麗。", "ken"))[0] == "バラゾノワ"
    finally:
        assert call(house, "DELETE", f"/user_dict_word/{word.json}").status == 204
    assert kana(query_of(house, "薔薇園は綺麗。", "ken")) == before
    assert call(house, "POST", "/user_dict_word", surface="x", pronunciation="abc", accent_type=0).status == 400


def test_what_clients_ask_first(house: House) -> None:
    number = style(house)
    assert call(house, "GET", "/version").json.count(".") == 2
    assert call(house, "POST", "/initialize_speaker", speaker=number, skip_reinit="true").status == 204
    assert call(house, "GET", "/is_initialized_speaker", speaker=number).json is True
    assert call(house, "GET", "/is_initialized_speaker", speaker=7).json is False
    assert call(house, "GET", "/engine_manifest").json["supported_features"]["adjust_pause_length"] is True
    assert call(house, "POST", "/audio_query", text="はい。", speaker=7).status == 400
    assert "detail" in call(house, "POST", "/audio_query", text="", speaker=number).json
    assert call(house, "POST", "/audio_query", text="。。", speaker=number).status == 400
    assert call(house, "POST", "/audio_query", text="はい。", speaker=number, key=BOB).status == 400
    assert call(house, "POST", "/synthesis", {"accent_phrases": []}, speaker=number).status == 400
