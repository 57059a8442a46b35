import json

import pytest

from koebin.engine.errors import InvalidDictionary
from koebin.engine.text.dictionary import Entry
from koebin.producers.formats.dictionary import load_dictionary, parse_dictionary, write_dictionary

VOICEVOX = {
    "a89596ad-caa8-4f4e-8eb3-3d2261c798fd": {
        "surface": "担々麺", "priority": 5, "pronunciation": "タンタンメン", "accent_type": 3, "mora_count": 6,
    },
    "c89596ad-caa8-4f4e-8eb3-3d2261c798fd": {"surface": "ＶＯＩＣＥ", "pronunciation": "ボイス", "accent_type": 1},
}  # fmt: skip
AIVIS = {
    "b": {
        "surface": "東京スカイツリー駅", "pronunciation": ["トウキョウ", "スカイツリーエキ"], "accent_type": [0, 7],
        "priority": 8, "stem": ["東京", "スカイツリー駅"],
    }
}  # fmt: skip


def test_user_dicts_of_voicevox_and_aivisspeech() -> None:
    words = parse_dictionary(json.dumps(VOICEVOX, ensure_ascii=False), ".json").entries
    assert words == (Entry("VOICE", "ボイス", 1, 5), Entry("担々麺", "タンタンメン", 3, 5))
    (word,) = parse_dictionary(json.dumps(AIVIS, ensure_ascii=False), ".json").entries
    assert word == Entry("東京スカイツリー駅", "トウキョウスカイツリーエキ", 11, 8)


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("!Microsoft IME Dictionary Tool\n!Version:\n", "utf-16"),
        ("# Google Japanese Input\n", "utf-8"),
        ("!!ATOK_TANGO_TEXT_HEADER_1\r\n", "utf-16"),
    ],
)
def test_lists_of_input_methods(header: str, encoding: str, tmp_path) -> None:
    rows = "こえびん\t声便\t固有名詞\nたんたんめん\t担々麺\t名詞\tメモ\n"
    rows += "めあど\ta@example.com\t短縮よみ\nこえびんつう\t声便\t名詞\n"
    path = tmp_path / "words.txt"
    path.write_bytes((header + rows).encode(encoding))
    assert {entry.surface: entry.reading for entry in load_dictionary(path).entries} == {
        "声便": "コエビン",
        "担々麺": "タンタンメン",
    }


def test_a_text_is_no_dictionary() -> None:
    with pytest.raises(InvalidDictionary, match="not a kind"):
        parse_dictionary("吾輩は猫である。\n名前はまだ無い。", ".txt")


def test_what_is_written_is_read_again(tmp_path) -> None:
    path = tmp_path / "doubts.toml"
    write_dictionary(
        path, [("最高値", "サイコーチ", "another dictionary says サイタカネ", 3), ("魑魅", "スダマ", "", 1)]
    )
    assert [(entry.surface, entry.reading) for entry in load_dictionary(path).entries] == [
        ("最高値", "サイコーチ"),
        ("魑魅", "スダマ"),
    ]
