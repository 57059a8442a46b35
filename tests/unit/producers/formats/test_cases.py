"""Inputs that once failed, each standing for a kind of fault, with its right value."""

from pathlib import Path

import pytest

from koebin.engine.errors import InvalidScript, InvalidText
from koebin.producers.formats.load import load_script
from koebin.producers.formats.speaker_names import Voice

CASES = Path(__file__).parent / "cases"


def load(name):
    return load_script(CASES / name, Voice("mei"))


def said(name):
    return [passage.text for passage in load(name).passages]


SAID = {
    "a02_translated_foot.txt": ["題名", "著者", "王子は死んだ。"],
    "a13_ruby_on_space.txt": ["題名", "著者", "腹帯を強くる。"],
    "a14_symbol_ruby.txt": ["題名", "著者", "符牒はマルとしかく、プラスだ。"],
    "a16_kana_gaiji.txt": ["題名", "著者", "「厭んたぁ」「兄な」「第13章」「何だと！！！」「くん」"],
    "a18_cr_sjis.txt": ["題名", "著者", "本文です。"],
    "a19_formfeed.txt": ["題名", "著者", "本文。", "次の頁。"],
    "x08_ff.txt": ["一ページ目の文。", "二ページ目の文。"],
    "x12_kaomoji1.txt": ["がんばるぞ(๑•̀ㅂ•́)و✧"],
    "x16_ipa.txt": ["発音は/ˈtoʊkioʊ/、[ɕi]、ʃです。"],
    "x03_subs.srt": ["こんにちは。", "さようなら。"],
    "x04_list.csv": ["こんにちは。", "さようなら。"],
    "m01_escape.md": [
        "題",
        "休みは [pause:1] と書く。",
        "[pause:2] と書いてもよい。",
        "お待たせしました。[pause:0.5s]では。",
        "漢字《かんじ》は読みになりません。",
    ],
    "m02_style.md": ["題", "本文です。"],
    "m12_cjk_strong.md": ["題", "これは 「強調」です。"],
    "s01_break_first.ssml": ["こんにちは。"],
    "s15_w3c_header.ssml": ["こんにちは。"],
    "s17_prefix.ssml": ["あ。"],
    "t01_pause_first.txt": ["こんにちは。"],
    "e01_name_anchor.epub": ["一章の本文です。", "二章の本文です。"],
    "e02_ncx_entity.epub": ["本文です。"],
    "e04_toc_page.epub": ["第一章　朝", "朝になった。", "第二章　夜", "夜になった。"],
    "e05_pagebreak.epub": ["雨が降り出した。彼は傘を持っていなかった。"],
    "e06_nfd_name.epub": ["本文です。"],
    "e09_image_spine.epub": ["本文です。"],
    "e12_gaiji_empty_ruby.epub": ["裏の畑にくずが生えた。", "裏の畑に葛が生えた。", "が生えた"],
    "e13_complex_ruby.epub": ["私は斎藤です。", "東京。百舌。強敵"],
    "e17_sjis_nec.epub": ["①番の本文は㈱声便。"],
    "e18_doctype_entity.epub": ["本文\xa0です。"],
    "e20_rights.epub": ["本文です。"],
    "e32_nav_nested.epub": ["一", "本文。", "二", "本文。"],
    "e41_mathml.epub": ["式エックスの二乗を解く。"],
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_said(name):
    assert said(name) == SAID[name]


CHAPTERS = {
    "e01_name_anchor.epub": ["第一章", "第二章"],
    "e02_ncx_entity.epub": ["第一章 朝"],
    "e04_toc_page.epub": ["第一章 朝", "第二章 夜"],
    "e32_nav_nested.epub": ["雨の日", "第二章"],
    "p01_pandoc_epub2.epub": ["声便の本", "第一章 雨", "節", "第二章 風"],
    "a02_translated_foot.txt": ["題名"],
}


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapters(name):
    assert [chapter.title for chapter in load(name).chapters] == CHAPTERS[name]


READINGS = {
    "a03_ivs_ruby.txt": [
        ("葛󠄀", "くず"),
        ("辻󠄀", "つじ"),
        ("祇󠄀園", "ぎおん"),
        ("葛󠄀", "くず"),
    ],
    "e12_gaiji_empty_ruby.epub": [("葛", "くず")],
    "e13_complex_ruby.epub": [("斎藤", "さいとう"), ("東京", "とうきょう"), ("百舌", "もず"), ("強敵", "とも")],
}


@pytest.mark.parametrize("name", READINGS)
def test_readings(name):
    passages = load(name).passages
    assert [(p.text[r.start : r.end], r.kana) for p in passages for r in p.readings] == READINGS[name]


def test_what_has_no_reading_is_told():
    (left,) = load("a13_ruby_on_space.txt").left_out
    assert (left.line, left.column, left.text, left.reason) == (4, 6, "｜　《しめ》", "a reading without a word")
    (left,) = load("e12_gaiji_empty_ruby.epub").left_out
    assert (left.line, left.reason) == (3, "a character that is only a picture")


def test_unreadable_letters_are_silent_and_told():
    assert [left.text for left in load("x12_kaomoji1.txt").left_out] == ["ㅂ", "و"]
    assert all(left.line == 1 for left in load("x16_ipa.txt").left_out)


def test_a_file_that_was_decoded_wrongly_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("これは本文です。" + "ᚠᚢᚦ" * 10 + "。\n" + "本文。" * 20)
    with pytest.raises(InvalidText, match=r"30 of .* characters cannot be read") as caught:
        load_script(tmp_path / "a.txt", Voice("mei"))
    assert caught.value.line == 1


def test_the_foot_of_a_translation_leaves_title_and_author():
    script = load("a02_translated_foot.txt")
    assert (script.title, script.author) == ("題名", "著者")


def test_no_contents_and_no_marks_of_notes_are_read():
    text = "\n".join(said("p01_pandoc_epub2.epub"))
    assert "江戸の町は広い。" in text
    assert "二段落目。" in text
    assert not set("↩1") & set(text.replace("100円", ""))
    assert load("p01_pandoc_epub2.epub").author == "山田花子、佐藤次郎"


@pytest.mark.parametrize("name", ["s01_break_first.ssml", "t01_pause_first.txt"])
def test_a_pause_before_the_first_text_is_silence(name):
    assert [passage.lead for passage in load(name).passages] == [0.5]


def test_several_names_and_names_that_are_none_are_refused_with_the_line():
    with pytest.raises(InvalidScript, match="several names") as caught:
        load("d03_several.dialogue")
    assert caught.value.line == 6


def test_somebody_who_is_silent_is_silent_as_oneself():
    spoken = [(passage.name, passage.text) for passage in load("d06_mute.dialogue").passages]
    assert spoken == [("ケン", "行くよ。"), ("メイ", "……。"), ("ケン", "おい。")]


def test_a_bad_line_of_a_list_is_its_own_error():
    script = load("j02_surrogate.jsonl")
    assert [passage.item for passage in script.passages] == ["a"]
    assert [error.line for error in script.errors] == [2, 3, 4, 5, 6]
    script = load("j08_styles.jsonl")
    assert [passage.item for passage in script.passages] == ["a", "b", "c", "d", "f", "g", "h"]
    assert [error.item for error in script.errors] == ["e"]
    assert {left.item for left in script.left_out} == {"h"}


def test_cues_keep_their_times():
    times = [(passage.start, passage.end) for passage in load("x03_subs.srt").passages]
    assert times == [(1.0, 2.0), (3.0, 4.0)]
