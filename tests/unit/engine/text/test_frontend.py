import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koebin.engine.errors import InvalidText, KoebinError
from koebin.engine.models.jp_extra.network_input import network_input
from koebin.engine.reading import Reading
from koebin.engine.text import frontend, openjtalk
from koebin.engine.text.analysis import Analysis
from koebin.engine.text.characters import SPOKEN_SYMBOLS
from koebin.engine.text.frontend import analyze, analyze_utterances, front_end_revision
from koebin.engine.text.kana import to_kana
from koebin.engine.text.labels import phone_tones
from koebin.engine.text.prosody import phonemes
from koebin.engine.text.symbols import SYMBOLS


def kana(text: str, *readings: Reading) -> str:
    return to_kana(analyze(text, readings=readings))


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("10:30に集合。", "ジュ'ージ/サンジュ'ップンニ/シューゴー。"),
        ("100%だよ。", "ヒャクパーセ'ントダヨ。"),
        ("-5℃", "マイナス/ゴ'ド"),
        ("A＆B", "エ'イ/アンド/ビ'ー"),
        ("11/23(月)", "ジューイチガツ/ニ'ジュー/サ'ンニチ、ゲツヨ'ービ"),
        ("$5.50", "ゴ'ドル/ゴジュッセ'ント"),
        ("03-1234-5678", "ゼロサ'ンノ/イチニ'ー/サンヨ'ンノ/ゴーロ'ク/ナナハ'チ"),
        ("0120-444-444", "ゼロイ'チ/ニーゼ'ロノ/ヨンヨ'ン/ヨ'ンノ/ヨンヨ'ン/ヨ'ン"),
        ("PyTorchで", "パイト'ーチデ"),
        ("3本と800円", "サ'ンボント/ハッピャクエン"),
        ("〇〇さん", "マル'マルサン"),
        ("𠮷野家", "ヨシノ'ヤ"),
        ("メ〇一点祝聞", "メ/マルイチテンシュクブン"),
    ],
)
def test_read_aloud(text: str, spoken: str) -> None:
    assert kana(text) == spoken


@pytest.mark.parametrize(
    "text",
    [
        "クヮルテット",
        "グヮム",
        "1" * 73,
        "9" * 73 + "円",
        "あ\u0378い",
        "あ\u3097\u1f16",
        "ヮッシュ",
        "ｸｧ",
        "ﾟ",
        "々々",
        "(^_^)",
        "ー",
    ],
)
def test_what_crashes_elsewhere_is_read(text: str) -> None:
    assert_consistent(analyze(text))


def test_nothing_to_say_has_no_labels() -> None:
    for text in ("", " ", "……。", "🎉", "？！"):
        assert analyze(text).labels == ()
        assert_consistent(analyze(text))


def test_the_text_stays_the_users() -> None:
    analysis = analyze("１０：３０、ﾖﾃｲ")
    assert (analysis.text, analysis.norm) == ("１０：３０、ﾖﾃｲ", "10時30分、ヨテイ")


@pytest.mark.parametrize("symbol", sorted(SPOKEN_SYMBOLS))
def test_every_symbol_that_counts_as_speech_is_spoken(symbol: str) -> None:
    assert analyze(symbol).labels


def assert_consistent(analysis: Analysis) -> None:
    result = phonemes(analysis)
    assert set(result.phones) <= set(SYMBOLS)
    assert sum(result.word2ph) == len(result.phones) == len(result.tones)
    assert len(result.word2ph) == len(result.bert_text) + 2
    assert len(network_input(result, add_blank=True)) == 2 * len(result.phones) + 1
    if analysis.labels:
        assert "-sil+" in analysis.labels[0]
        assert "-sil+" in analysis.labels[-1]


def test_a_reading_the_dictionary_has_too_changes_nothing() -> None:
    plain = analyze("東京へ行く。")
    assert analyze("東京へ行く。", readings=[Reading(0, 2, "とうきょう")]).labels == plain.labels


@pytest.mark.parametrize(
    ("text", "reading", "spoken"),
    [
        ("山田さん。", Reading(0, 2, "サンデン", 1), "サ'ンデンサン。"),
        ("山田さん。", Reading(0, 2, "サンデ'ン"), "サンデ'ンサン。"),
        ("山田さん。", Reading(0, 2, "さんでん", 0), "サンデンサン。"),
        ("肉を食べる。", Reading(2, 3, "は"), "ニク'ヲ/ハベ'ル。"),
        ("肉を食べる。", Reading(2, 3, "た"), "ニク'ヲ/タベ'ル。"),
        ("お兄さんと", Reading(1, 2, "あに", 1), "オア'ニサント"),
        ("羅生門の下。", Reading(0, 2, "ラショー"), "ラ'ショー/モ'ンノ/シタ。"),
        ("2026年", Reading(0, 4, "ニーゼロニーロク", 2), "ニー'ゼロニーロクネン"),
        ("10:30に", Reading(0, 5, "ハンゴロ"), "ハンゴ'ロニ"),
        ("Ｈｅｌｌｏさん", Reading(0, 5, "ヘロ", 1), "ヘ'ロサン"),
        ("彼は「本気」だ", Reading(2, 6, "マ'ジ"), "カ'レワ/マ'ジ/ダ"),
        ("ｶﾀｶﾅは", Reading(2, 4, "ヌミ"), "カタヌ'ミワ"),
        ("私は行く。", Reading(1, 2, "ハ"), "ワタシハ/イク。"),
        ("1本買う。", Reading(0, 2, "イチホン"), "イ'チホン/カウ。"),
        ("東京に", Reading(0, 2, "トウキョウ"), "トーキョーニ"),
    ],
)
def test_given_readings_win_and_the_words_keep_their_spelling(text: str, reading: Reading, spoken: str) -> None:
    analysis = analyze(text, readings=[reading])
    assert to_kana(analysis) == spoken
    assert any(text[reading.start : reading.end] in node.surface for node in analysis.nodes)
    assert_consistent(analysis)


@pytest.mark.parametrize(
    ("reading", "what"),
    [
        (Reading(3, 9, "ア"), "behind the text's end"),
        (Reading(0, 1, "abc"), "not kana"),
        (Reading(0, 1, "ーア"), "not kana"),
        (Reading(0, 1, "ア'メ'"), "accent mark in the wrong place"),
        (Reading(0, 1, "ヤマ", 3), "accent on mora 3 of 2"),
        (Reading(0, 1, "'ヤマ"), "accent mark"),
        (Reading(0, 1, "ヤ'マ'"), "accent mark"),
    ],
)
def test_a_reading_that_does_not_fit_is_refused(reading: Reading, what: str) -> None:
    with pytest.raises(InvalidText, match=what):
        analyze("山田さん", readings=[reading])


def test_overlapping_readings_are_refused() -> None:
    with pytest.raises(InvalidText, match="two readings"):
        analyze("山田さん", readings=[Reading(0, 2, "サンデン"), Reading(1, 3, "タサ")])


LONG = (
    "この文章は、句点がなくて、とても長くて、読点ばかりが続いて、いったいどこまで続くのかわからないけれど、"
    "それでも読み上げなければならないので頑張って最後まで読んでください"
)


def words_of(*analyses: Analysis) -> list[tuple[str, str, str]]:
    return [(node.surface, node.pron, node.pos) for analysis in analyses for node in analysis.nodes]


@pytest.mark.parametrize("limit", [15, 30, 60, 200])
def test_the_parts_of_a_long_sentence_keep_its_words_and_accents(limit: int) -> None:
    parts = analyze_utterances(LONG, limit=limit)
    whole = analyze(LONG)
    assert "".join(part.text for part in parts) == LONG
    assert all(len(part.text) <= limit for part in parts)
    assert words_of(*parts) == words_of(whole)
    assert [tone for part in parts for tone in phone_tones(part.labels)] == phone_tones(whole.labels)
    for part in parts:
        assert_consistent(part)


def test_a_part_may_begin_within_an_accent_phrase() -> None:
    text = "とっきょきょかきょくちょう"
    parts = analyze_utterances(text, limit=5)
    assert [tone for part in parts for tone in phone_tones(part.labels)] == phone_tones(analyze(text).labels)


def test_a_part_does_not_end_as_a_sentence_does() -> None:
    """Its last labels still know that a breath group follows (field J: what comes next)."""
    first = analyze_utterances(LONG, limit=60)[0]
    assert "/J:xx_xx" not in first.labels[-2]
    assert "/J:xx_xx" in analyze(first.text).labels[-2]


@pytest.mark.parametrize(
    "text", ["あ" * 3000, "漢" * 2000, "1" * 1500, "word " * 500, "、" * 1000 + "あ", "%" * 600, "ア、" * 900]
)
def test_no_text_is_too_long(text: str) -> None:
    parts = analyze_utterances(text)
    assert "".join(part.text for part in parts) == text
    for part in parts[:3] + parts[-3:]:
        assert_consistent(part)


def test_a_number_without_end_is_cut_like_any_other_text() -> None:
    text = f"円周率は3.{'1415926535' * 40}です。"
    parts = analyze_utterances(text)
    assert "".join(part.text for part in parts) == text
    assert max(len(part.text) for part in parts) <= 200
    assert words_of(*parts) == words_of(analyze(text))


def test_one_pass_must_not_be_too_long() -> None:
    with pytest.raises(InvalidText, match="analyze_utterances"):
        analyze("あ" * 1001)


def test_readings_in_a_long_sentence() -> None:
    text = "山田さんは、" * 60
    starts = range(0, len(text), 6)
    parts = analyze_utterances(text, [Reading(start, start + 2, "サンデン", 1) for start in starts])
    assert "".join(part.text for part in parts) == text
    assert sum(node.pron == "サンデン" for part in parts for node in part.nodes) == 60


def test_one_pass_for_words_and_one_for_labels_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            calls.append(name)
            return function(*args)

        return call

    monkeypatch.setattr(frontend, "run_frontend", counted("words", openjtalk.run_frontend))
    monkeypatch.setattr(frontend, "make_label", counted("labels", openjtalk.make_label))
    analysis = analyze("今日は、10時に会議です。")
    phonemes(analysis)
    assert calls == ["words"]
    assert analysis.labels is analysis.labels
    assert calls == ["words", "labels"]


def test_threads_read_the_same() -> None:
    texts = [f"{number}番目の文は、担々麺と2026/11/{number % 28 + 1}です。" for number in range(60)]
    alone = [analyze(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(analyze, texts)) == alone


def _analyze_in_child(queue: Any, inherited: int) -> None:
    queue.put((id(openjtalk._INSTANCES) != inherited, to_kana(analyze("世界"))))


def test_a_forked_child_makes_its_own_open_jtalk() -> None:
    analyze("世界")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_analyze_in_child, args=(queue, id(openjtalk._INSTANCES)))
    child.start()
    assert queue.get(timeout=30) == (True, "セ'カイ")
    child.join(30)


def test_a_producer_loads_nothing_heavy() -> None:
    script = (
        "import sys, koebin.engine.text.sentences, koebin.engine.text.checks, koebin.engine.text.dictionary\n"
        "from koebin.engine.text.frontend import front_end_revision\n"
        "koebin.engine.text.checks.check_text('テスト'); print(front_end_revision())\n"
        "heavy = {'pyopenjtalk', 'kanalizer', 'onnxruntime', 'torch', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, front_end_revision()), done.stderr


ALPHABET = (
    "あいうっゃーんアイッャヴヮクグ漢字々〇一二十日人山田、。！？…「」『』・〜ー-'\"()0123456789:/.,%$¥&+=°℃"
    "abcABC xyZé’\n　🎉\u3099\u0301㈱½①Я안"
)


@settings(max_examples=120, deadline=None)
@given(st.text(st.sampled_from(ALPHABET), max_size=25))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert_consistent(analyze(text))


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=15))
def test_any_unicode_is_read_or_refused(text: str) -> None:
    try:
        analysis = analyze(text)
    except KoebinError:
        return
    assert_consistent(analysis)


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from(ALPHABET), min_size=2, max_size=60), st.integers(1, 40))
def test_parts_join_to_the_whole(text: str, limit: int) -> None:
    parts = analyze_utterances(text, limit=limit)
    assert "".join(part.text for part in parts) == text
    for part in parts:
        assert_consistent(part)


@settings(max_examples=80, deadline=None)
@given(st.text(st.sampled_from(ALPHABET), min_size=2, max_size=20), st.data())
def test_any_reading_is_heard(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    accent = data.draw(st.none() | st.integers(0, 4))
    analysis = analyze(text, readings=[Reading(start, end, "ヌミュヌミ", accent)])
    assert_consistent(analysis)
    assert "ヌミュヌミ" in "".join(node.pron.replace("’", "") for node in analysis.nodes)
