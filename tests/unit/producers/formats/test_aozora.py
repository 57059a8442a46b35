from pathlib import Path

import pytest

from koebin.engine.errors import InvalidScript
from koebin.producers.formats.aozora_characters import accented, character_of
from koebin.producers.formats.load import load_script, parse_script
from koebin.producers.formats.source import Source, source_from
from koebin.producers.formats.speaker_names import Voice

EXAMPLES = Path(__file__).parents[4] / "examples"

WORK = """\
坊っちゃん
Botchan
夏目漱石

-------------------------------------------------------
【テキスト中に現れる記号について】

《》：ルビ
（例）坊《ぼ》っちゃん
-------------------------------------------------------

［＃５字下げ］一［＃「一」は中見出し］

　親譲《おやゆず》りの｜無鉄砲《むてっぽう》で小供の時から損ばかりしている。
［＃ここから２字下げ］
「それ／″＼だ」といろ／＼云った。※［＃「口＋耳」、第3水準1-14-94］《ささや》く。
［＃ここで字下げ終わり］
［＃改ページ］
［＃５字下げ］二［＃「二」は中見出し］
　終わり［＃「終わり」に傍点］である。

底本：「ちくま日本文学全集」筑摩書房
入力：誰か
校正：誰か
"""


def aozora(text):
    return parse_script(Source(text, "aozora"), Voice("mei"))


def said(text):
    return "".join(passage.text for passage in aozora(text).passages)


def test_a_work():
    script = aozora(WORK)
    assert (script.title, script.author) == ("坊っちゃん", "夏目漱石")
    assert [chapter.title for chapter in script.chapters] == ["坊っちゃん", "一", "二"]
    assert [(p.chapter, p.line, p.text, p.ends) for p in script.passages] == [
        (0, 1, "坊っちゃん", "paragraph"),
        (0, 2, "Botchan", "paragraph"),
        (0, 3, "夏目漱石", "chapter"),
        (1, 12, "一", "paragraph"),
        (1, 14, "親譲りの無鉄砲で小供の時から損ばかりしている。", "paragraph"),
        (1, 16, "「それぞれだ」といろいろ云った。咡く。", "chapter"),
        (2, 19, "二", "paragraph"),
        (2, 20, "終わりである。", "paragraph"),
    ]
    readings = [(p.text[r.start : r.end], r.kana) for p in script.passages for r in p.readings]
    assert readings == [("親譲", "おやゆず"), ("無鉄砲", "むてっぽう"), ("咡", "ささや")]


def test_the_author_is_told_from_the_translator():
    script = aozora("影\nSHADOW―A PARABLE\nエドガー・アラン・ポー\n森鴎外訳\n\n本文［＃改ページ］\n\n底本：「全集」\n")
    assert (script.title, script.author) == ("影", "エドガー・アラン・ポー")


def test_without_head_and_foot_everything_is_the_work():
    script = aozora("一行目。［＃改ページ］\n二行目。")
    assert (script.title, [p.text for p in script.passages]) == ("", ["一行目。", "二行目。"])
    assert [p.ends for p in script.passages] == ["chapter", "paragraph"]


def test_a_line_about_a_base_text_inside_of_a_work_does_not_cut_it():
    lines = ["底本：について考える。", *(f"第{number}文。" for number in range(200))]
    assert len(aozora("\n".join(lines)).passages) == 201


def test_headings_of_the_two_highest_levels_are_chapters():
    script = aozora(
        "［＃大見出し］上巻［＃大見出し終わり］\n本文一。\n［＃ここから中見出し］\n第一｜章《しょう》\n［＃ここで中見出し終わり］\n"
        "本文二。\n小さな題［＃「小さな題」は小見出し］\n本文三。\n続き［＃「続き」は窓中見出し］本文四。"
    )
    assert [chapter.title for chapter in script.chapters] == ["上巻", "第一章", "続き"]
    assert [p.chapter for p in script.passages] == [0, 0, 1, 1, 1, 1, 2]
    assert said("小さな題［＃「小さな題」は小見出し］\n本文") == "小さな題本文"


@pytest.mark.parametrize(
    ("note", "character"),
    [
        ("「目＋爭」、第3水準1-88-85", "睜"),
        ("「特のへん＋廴＋聿」、第3水準1-87-71", "犍"),
        ("「てへん＋劣」、第３水準１-84-77", "挘"),
        ("二の字点、1-2-22", "〻"),
        ("ローマ数字2、1-13-22", "Ⅱ"),
        ("「さんずい＋闊」、第4水準2-79-45", "𤄃"),
        ("「口＋世」、U+546D、123-4", "呭"),
        ("「口＋荒」、123-4", "〓"),
        ("「何か」、第3水準1-99-99", "〓"),
        ("「姉」の正字、「女＋枾のつくり」、256-下-16", "姉"),
        ("「藝」の俗字、12-3", "藝"),
        ("「姉」のつくり、12-3", "〓"),
        ("U+DC00", "〓"),
    ],
)
def test_characters_that_are_described(note, character):
    assert character_of(note) == character


def test_a_character_that_is_only_described_is_said_by_its_reading():
    passage = aozora("彼は※［＃「口＋荒」、12-3］《さけ》び、※［＃「口＋荒」、12-3］と。").passages[0]
    assert (passage.text, passage.readings) == ("彼はさけび、〓と。", ())


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("〔Cafe'〕", "Café"),
        ("〔E'cole Franc,aise〕", "École Française"),
        ("〔ae& s& o/ A& n~ a_〕", "æ ß ø Å ñ ā"),
        ("〔l'e'te', c'est d'or, musique〕", "l'été, c'est d'or, musique"),
        ("〔注〕〔abc〕", "〔注〕〔abc〕"),
        ("〔Sito^t qu'on l'a dit, ou` e^tes-vous?〕", "Sitôt qu'on l'a dit, où êtes-vous?"),
        ("〔?@Que' pasa?〕", "¿Qué pasa?"),
    ],
)
def test_letters_with_accents(written, plain):
    assert accented(written) == plain


def test_marks_that_repeat_the_word_before_them():
    assert said("いよ／＼、別れ／＼、時／＼、さま／″＼［＃改ページ］") == "いよいよ、別れ別れ、時時、さまざま"
    assert said("／＼と［＃改ページ］") == "〱と"


def test_ruby_that_is_no_kana_is_left_out_and_no_text_is():
    passage = aozora("自由《Freedom》と平等《・・》と《・》と｜長い名《かな》［＃改ページ］").passages[0]
    assert passage.text == "自由と平等とと長い名"
    assert [(passage.text[r.start : r.end], r.kana) for r in passage.readings] == [("長い名", "かな")]


def test_brackets_that_are_described_are_no_ruby():
    opening, closing = "※［＃始め二重山括弧、1-1-52］", "※［＃終わり二重山括弧、1-1-53］"
    work = (
        f"［＃大見出し］{opening}罪《つみ》{closing}の話［＃大見出し終わり］\n"
        f"{opening}罪と罰{closing}を\\読《よ》む。※［＃縦線、1-1-35］※［＃始め角括弧、1-1-46］１］\n"
    )
    script = aozora(work)
    assert script.chapters[0].title == "《罪》の話"
    assert [passage.text for passage in script.passages] == ["《罪》の話", "《罪と罰》を\\読む。｜［１］"]
    assert [reading.kana for passage in script.passages for reading in passage.readings] == ["つみ", "よ"]


def test_ruby_follows_words_of_any_script():
    passage = aozora(
        "ツアラトウストラ《ザラスシュトラ》とＡＢＣ《エービーシー》とひらがな《ヒラガナ》［＃改丁］"
    ).passages[0]
    words = [passage.text[r.start : r.end] for r in passage.readings]
    assert words == ["ツアラトウストラ", "ＡＢＣ", "とひらがな"]
    passage = aozora("'Barber's《バーバース》 Shop《ショップ》とＬ’ａｍｉ《ラミ》［＃改丁］").passages[0]
    assert [passage.text[r.start : r.end] for r in passage.readings] == ["Barber's", "Shop", "Ｌ’ａｍｉ"]


def test_a_note_that_is_not_closed_is_told():
    script = aozora("本文［＃改ページ\n次［＃改ページ］\n彼は［＃「あ」と言った。")
    assert [passage.text for passage in script.passages] == ["本文", "次", "彼は［＃「あ」と言った。"]
    (left,) = script.left_out
    assert (left.line, left.column, left.text) == (1, 3, "［＃改ページ")


def test_notes_with_a_bracket_of_the_other_width():
    assert (
        said("雨［＃「雨」に傍点]が[＃「が」に傍点］降［#「降」に傍点]る※[#「てへん＋劣」、第3水準1-84-77]。［＃改丁］")
        == "雨が降る挘。"
    )


def test_a_gaiji_in_the_description_of_a_gaiji():
    script = aozora(
        "※［＃「姉」の正字、「女＋※［＃第3水準1-85-57］のつくり」、256-下-16］と※［＃「女＋※［＃二の字点、1-2-22］」、1］［＃改丁］"
    )
    assert script.passages[0].text == "姉と〓"
    (left,) = script.left_out
    assert (left.text, left.line) == ("※［＃「女＋〻」、1］", 1)


def test_a_second_reading_of_a_word_is_told():
    script = aozora("｜紅葉《もみじ》《こうよう》の山［＃改丁］")
    assert [(passage.text, [r.kana for r in passage.readings]) for passage in script.passages] == [
        ("紅葉の山", ["もみじ"])
    ]
    assert [left.text for left in script.left_out] == ["《こうよう》"]


def test_brackets_of_the_print_that_look_like_our_markup_are_text():
    line = "［Page：12］、［間：三分］、［アクセント：平板］、［／速さ］、[pase:1]"
    assert said(f"{line}［＃改丁］") == line
    assert [passage.pause for passage in aozora("雨。［間：2秒］風。［＃改丁］").passages] == [2.0, None]


def test_a_picture_book_in_translation():
    work = (
        "きつねの話\nA TALE OF FOXES\n某　A. Nobody\nだれか　やく\n\n"
        "［＃挿絵（fig1.png、横1×縦1）入る］\n　きつね。\n\n\n\n"
        "［＃本文終わり］\n英語から訳した。\n"
        '翻訳の底本：A. Nobody (1903) "A Tale"\n※この翻訳は自由に使えます。\n翻訳者：だれか\n'
    )
    script = aozora(work)
    assert (script.title, script.author) == ("きつねの話", "某　A. Nobody")
    assert [passage.text for passage in script.passages][-1] == "きつね。"


@pytest.mark.parametrize(("codec", "name"), [("cp932", "Shift_JIS"), ("euc_jp", "EUC-JP"), ("utf-8", "UTF-8")])
def test_its_encodings_are_told_apart(codec, name):
    source = source_from(WORK.replace("\n", "\r\n").encode(codec), None)
    assert (source.encoding, source.format) == (name, "aozora")
    assert parse_script(source, Voice("mei")).passages == aozora(WORK).passages


@pytest.mark.parametrize(("name", "chapters"), [("kumo_no_ito.txt", 4), ("yume_juya_1.txt", 2)])
def test_the_examples(name, chapters):
    script = load_script(EXAMPLES / name, Voice("mei"))
    assert len(script.chapters) == chapters
    text = "".join(passage.text for passage in script.passages)
    assert not set("《》｜［］＃※〓") & set(text)
    assert len(text) > 1500
    assert all(not reading.accent for passage in script.passages for reading in passage.readings)


def test_mistakes_in_our_markup_have_a_line():
    with pytest.raises(InvalidScript) as caught:
        aozora("本文［＃改ページ］\n［＃２字下げ］あ[speed:x]い")
    assert (caught.value.line, caught.value.column) == (2, 9)


@pytest.mark.parametrize(
    "foot",
    [
        "※底本：「本」",
        "＊底本：「本」某社",
        "【底本】\n「本」某社\n入力：甲",
        "■底本\n「本」某社\n■入力\n甲",
        "初出：「雑誌」\n底本：「本」\n入力：甲",
        "©某 2001\n入力：甲\n校正：乙",
        "この作品は、自由に使えます。\n底本：「本」",
        "公開：1999年\n入力：甲\n校正：乙",
        "●図書カード\n作品名：題\n底本：「本」",
        "原作：A. Nobody\n訳：某\n入力：甲",
    ],
)
def test_feet_in_many_forms_are_cut(foot):
    script = aozora(f"題\n某\n\n［＃挿絵］\n　本文です。\n\n\n{foot}\n")
    assert [passage.text for passage in script.passages] == ["題", "某", "本文です。"]


@pytest.mark.parametrize(
    ("head", "title", "author", "series"),
    [
        ("題\n―副題―\n某", "題　―副題―", "某", ""),
        ("題\n（一幕）\n某", "題　（一幕）", "某", ""),
        ("題\n第一部　雨\n某", "題　第一部　雨", "某", "題"),
        ("題\n雨の巻\n某", "題　雨の巻", "某", "題"),
        ("題\n某　著\n某　訳", "題", "某", ""),
        ("題\n某著", "題", "某", ""),
        ("題\nゲーテ作\n森鴎外訳", "題", "ゲーテ", ""),
        ("題\n田中英作", "題", "田中英作", ""),
        ("題\n某\n某々画", "題", "某", ""),
    ],
)
def test_heads_in_many_forms(head, title, author, series):
    script = aozora(f"{head}\n\n　本文［＃改丁］\n\n底本：「本」\n")
    assert (script.title, script.author, script.series) == (title, author, series)
