import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from koebin.engine.errors import InvalidDictionary
from koebin.engine.text import openjtalk
from koebin.engine.text.dictionary import Dictionary, Entry
from koebin.engine.text.dictionary_compilation import full_width
from koebin.engine.text.frontend import analyze
from koebin.engine.text.kana import to_kana

TANTAN = Dictionary([Entry("担々麺", "タンタンメン", 3), Entry("山田", "サンデン", 1)])


def spoken(text: str, dictionary: Dictionary | None) -> str:
    return to_kana(analyze(text, dictionary=dictionary))


def test_a_registered_word_wins() -> None:
    assert spoken("担々麺を食べた。", TANTAN) == "タンタ'ンメンヲ/タ'ベタ。"
    assert spoken("山田さん。", TANTAN) == "サ'ンデンサン。"
    assert spoken("山田さん。", None) == "ヤマダサン。"


@pytest.mark.parametrize(
    "surface", ["今日", "日本", "私", "人", "山", "会社", "先生", "雨", "AI", "Python", "東", "の"]
)
@pytest.mark.parametrize("sentence", ["{}", "{}は良い。", "昨日の{}です。", "私が{}と言う。", "その{}を見た。"])
def test_a_registered_word_wins_over_every_kind_of_word(surface: str, sentence: str) -> None:
    dictionary = Dictionary([Entry(surface, "ヌヌヌ", 1)])
    text = sentence.format(surface)
    assert "ヌヌヌ" in [node.pron for node in analyze(text, dictionary=dictionary).nodes]


def test_a_registered_word_does_not_tear_longer_words() -> None:
    dictionary = Dictionary([Entry("山", "ヌヌヌ"), Entry("行", "ヌヌヌ"), Entry("AI", "ヌヌヌ")])
    for text in ("山田さんは山口県へ", "行列に行かない", "AIDSとMAIL"):
        assert "ヌヌヌ" not in [node.pron for node in analyze(text, dictionary=dictionary).nodes], text


def test_priority_decides() -> None:
    low, high = (Dictionary([Entry("東京都", "ヌ", 1, priority)]) for priority in (0, 10))
    assert "ヌ" in spoken("東京都へ", high)
    assert low.revision != high.revision


@pytest.mark.parametrize(
    ("surface", "text"),
    [
        ("C++", "Ｃ＋＋とC++"),
        ("AT&T", "AT&Tは"),
        ("10:30", "10:30に"),
        ("PyTorch", "PyTorchで"),
        ("ｱｲ", "アイと"),
        ("e-mail", "e-mailを"),
    ],
)
def test_words_with_marks_and_widths(surface: str, text: str) -> None:
    assert "ヌヌヌ" in spoken(text, Dictionary([Entry(surface, "ヌヌヌ", 0)]))


def test_the_spelling_is_what_open_jtalk_makes_of_it() -> None:
    ascii_marks = "".join(map(chr, range(0x21, 0x7F)))
    instance = openjtalk._INSTANCES.get(None)
    assert full_width(ascii_marks) == instance.normalize_for_mecab(ascii_marks)


def test_two_tenants_in_two_threads_never_hear_each_other() -> None:
    readings = ["サンデン", "ヤマタ", "ヤンマ"]
    dictionaries: list[Dictionary | None] = [Dictionary([Entry("山田", reading, 1)]) for reading in readings]
    expected = ["サ'ンデンサン。", "ヤ'マタサン。", "ヤ'ンマサン。", "ヤマダサン。"]
    requests = [*dictionaries, None] * 40
    with ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(lambda dictionary: spoken("山田さん。", dictionary), requests))
    assert heard == expected * 40


def test_changes_do_not_disturb_requests_in_flight() -> None:
    """More dictionaries come and go than are kept while one request after another uses the same one."""
    stop = threading.Event()

    def churn() -> None:
        number = 0
        while not stop.is_set():
            spoken("山田", Dictionary([Entry("山田", "ヌ" * (number % 40 + 1))]))
            number += 1

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        assert {spoken("山田さん。", TANTAN) for _ in range(100)} == {"サ'ンデンサン。"}
    finally:
        stop.set()
        thread.join()
    assert len(openjtalk._INSTANCES._by_revision) <= openjtalk._KEPT_DICTIONARIES


def test_the_global_open_jtalk_is_left_alone() -> None:
    import pyopenjtalk

    spoken("山田さん。", TANTAN)
    assert "".join(node["pron"] for node in pyopenjtalk.run_frontend("山田さん")) == "ヤマダサン"


def test_compiling_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    spoken("山田", Dictionary([Entry("山田", "シズカ", 0)]))
    assert capfd.readouterr() == ("", "")


def test_the_revision_is_that_of_the_words() -> None:
    words = [Entry("山田", "サンデン", 1), Entry("ＡＢＣ", "えーびーしー")]
    assert Dictionary(words) == Dictionary(reversed(words))
    assert re.fullmatch(r"[0-9a-f]{16}", Dictionary(words).revision)
    assert Dictionary(words).revision == Dictionary(list(reversed(words))).revision != Dictionary(words[:1]).revision
    assert Dictionary().revision == ""
    assert Dictionary(words).protected == ("ABC",)
    assert hash(Dictionary(words)) == hash(Dictionary(words))


def test_json_there_and_back() -> None:
    dictionary = Dictionary([Entry("山田", "サンデン", 1, 3), Entry('C"', "シー")])
    assert Dictionary.from_json(dictionary.to_json()) == dictionary
    assert Dictionary.from_json(Dictionary().to_json()) == Dictionary()
    assert Dictionary.from_json('[{"surface": "山", "reading": "やま"}]').entries == (Entry("山", "ヤマ", 0, 8),)


@pytest.mark.parametrize(
    ("surface", "reading", "accent", "priority", "what"),
    [
        ("", "ア", 0, 8, "empty"),
        ("山\n田", "ア", 0, 8, r"U\+000A"),
        ("山 田", "ア", 0, 8, r"U\+0020"),
        ("山\u3000田", "ア", 0, 8, r"U\+0020"),
        ("山\x00", "ア", 0, 8, r"U\+0000"),
        ("山" * 101, "ア", 0, 8, "longer"),
        ("山", "", 0, 8, "not kana"),
        ("山", "yama", 0, 8, "not kana"),
        ("山", "ヤ,マ", 0, 8, "not kana"),
        ("山", "ーヤ", 0, 8, "cannot be pronounced"),
        ("山", "ャマ", 0, 8, "cannot be pronounced"),
        ("山", "ヤッッマ", 0, 8, "cannot be pronounced"),
        ("山", "キャョ", 0, 8, "cannot be pronounced"),
        ("山", "ヤ" * 201, 0, 8, "longer"),
        ("山", "ヤマ", 3, 8, "accent of 山"),
        ("山", "キャー", 3, 8, "accent of 山"),
        ("山", "ヤマ", -1, 8, "accent of 山"),
        ("山", "ヤマ", 0, 11, "priority of 山"),
        ("山", "ヤマ", 0, True, "priority of 山"),
    ],
)
def test_words_that_cannot_be_used_are_named(surface: str, reading: str, accent: int, priority: int, what: str) -> None:
    with pytest.raises(InvalidDictionary, match=what):
        Entry(surface, reading, accent, priority)


def test_a_word_twice_is_refused() -> None:
    with pytest.raises(InvalidDictionary, match=r"twice.*ABC"):
        Dictionary([Entry("ABC", "ア"), Entry("ＡＢＣ", "イ")])


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ("[\n{]", "line 2, column 2: not JSON"),
        ("{}", "list of words"),
        ("[1]", "word 1 is not an object"),
        ('[{"surface": "山"}]', "word 1 has no reading"),
        ('[{"surface": "山", "reading": "ヤ", "x": 1}]', "unknown field x"),
        ('[{"surface": "山", "reading": "ヤ", "accent": "1"}]', "accent of word 1"),
        ('[{"surface": "山", "reading": 5}]', "reading of word 1"),
    ],
)
def test_documents_that_are_no_dictionary_are_refused(document: str, what: str) -> None:
    with pytest.raises(InvalidDictionary, match=what):
        Dictionary.from_json(document)
