import pytest

from koebin.engine.models.jp_extra.network_input import network_input
from koebin.engine.text.analysis import Analysis, Node
from koebin.engine.text.frontend import analyze
from koebin.engine.text.prosody import Span, join, phonemes, spread, written_form
from koebin.engine.text.symbols import SYMBOLS


def made_of(*words: tuple[str, str]) -> Analysis:
    return Analysis("", "", tuple(Node(surface, pron, "") for surface, pron in words), tuple)


@pytest.mark.parametrize(
    ("phones", "characters", "expected"),
    [(5, 3, [2, 2, 1]), (3, 4, [1, 1, 1, 0]), (6, 2, [3, 3]), (0, 2, [0, 0]), (3, 0, [])],
)
def test_spread_gives_the_remainder_to_the_left(phones: int, characters: int, expected: list[int]) -> None:
    assert spread(phones, characters) == expected


def test_punctuation_keeps_its_identity_and_number_in_both_flavours_of_open_jtalk() -> None:
    original = made_of(("？！！", "、"), ("？", "？"), ("…", "、"))
    improved = made_of(("？", "？"), ("！", "！"), ("！", "！"), ("？", "？"), ("…", "、"))
    assert phonemes(original).phones == phonemes(improved).phones == tuple("_?!!?..._")


def test_what_has_no_reading_is_kept_as_a_mark() -> None:
    result = phonemes(made_of(("々々", "、"), ("（＾＿＾）", ""), ("麺", "メン")))
    assert result.phones == ("_", "'", "'", "'", "'", "m", "e", "N", "_")
    assert result.bert_text == "々々''麺"
    assert sum(result.word2ph) == len(result.phones)


def test_a_word_that_cannot_be_written_is_written_as_it_is_read() -> None:
    result = phonemes(made_of(("①", "イチ")))
    assert (result.bert_text, result.word2ph) == ("イチ", (1, 2, 1, 1))


def test_written_form() -> None:
    assert written_form("１１月") == "十一月"
    assert written_form("０") == "零"
    assert written_form("−「！」…ＡＢ") == "-'!'...ＡＢ"
    assert written_form("\u0378あ％ ") == "あ"


def test_words_and_morae_name_their_phones() -> None:
    result = phonemes(analyze("世界、だ。"))
    assert result.phones == ("_", "s", "e", "k", "a", "i", ",", "d", "a", ".", "_")
    assert [*result.word_spans()] == [Span("世界", 1, 6), Span("だ", 7, 9)]
    assert [mora.text for mora in result.mora_spans()] == ["セ", "カ", "イ", "ダ"]
    assert [*result.mora_spans()][2] == Span("イ", 5, 6)


def test_joined_sentences_read_like_one_text() -> None:
    first, second = phonemes(analyze("はい。")), phonemes(analyze("そうです！"))
    both = join(first, second)
    assert both.phones == (*first.phones[:-1], *second.phones[1:])
    assert both.bert_text == "はい.そうです!"
    assert sum(both.word2ph) == len(both.phones) == len(both.tones)
    assert len(both.word2ph) == len(both.bert_text) + 2
    words, moras = [*both.word_spans()], [*both.mora_spans()]
    assert [(word.text, both.phones[word.start : word.end]) for word in words] == [
        ("はい", ("h", "a", "i")),
        ("そう", ("s", "o", "o")),
        ("です", ("d", "e", "s", "u")),
    ]
    assert "".join(mora.text for mora in moras) == "ハイソーデス"
    assert [both.phones[mora.start : mora.end] for mora in moras[-2:]] == [("d", "e"), ("s", "u")]


def test_ids_have_a_blank_between_any_two() -> None:
    ids = network_input(phonemes(made_of(("あ", "ア"))), add_blank=True)
    assert ids.phone_ids.tolist() == [0, 0, 0, SYMBOLS.index("a"), 0, 0, 0]
    assert ids.tone_ids.tolist() == [0, 6, 0, 6, 0, 6, 0]
    assert ids.language_ids.tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert ids.phones_per_token == (3, 2, 2)


def test_phones_that_open_jtalk_names_otherwise_take_the_tone_beside_them() -> None:
    result = phonemes(analyze("フュージョンとデェタとクヮルテット。"))
    assert set(result.phones) <= set(SYMBOLS)
    assert set(result.tones) == {0, 1}
