import pytest

from koebin.engine.text.katakana import sounded, split_morae, to_katakana
from koebin.engine.text.moras import PHONES, moras_of
from koebin.engine.text.symbols import SYMBOL_IDS, SYMBOLS


def phones(reading: str, previous: str = "") -> str:
    return " ".join(phone for mora in moras_of(reading, previous) for phone in mora.phones)


def test_the_symbols_are_in_their_places() -> None:
    assert len(SYMBOLS) == 112
    places = {"_": 0, "N": 5, "a": 8, "ch": 22, "k": 57, "q": 73, "ts": 80, "zh": 101, "!": 103, "-": 109, "UNK": 111}
    assert {symbol: SYMBOL_IDS[symbol] for symbol in places} == places


def test_every_mora_has_symbols() -> None:
    assert len(PHONES) == 162 + 1  # ヵ besides those of the reference
    assert {phone for mora in PHONES.values() for phone in mora} <= set(SYMBOLS)


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        ("コンニチワ", "k o N n i ch i w a"),
        ("ソー", "s o o"),
        ("ソーー", "s o o o"),
        ("ンー", "N N"),
        ("ッー", "q q"),
        ("キャット", "ky a q t o"),
        ("ヴァイオリン", "v a i o r i N"),
        ("クヮルテット", "k w a r u t e q t o"),
        ("グヮム", "g w a m u"),
        ("デェ", "d e e"),
        ("ーー", "- -"),
        ("ヲヂヅ", "o j i z u"),
        ("ア・イ", "a i"),
        ("", ""),
    ],
)
def test_phones(reading: str, expected: str) -> None:
    assert phones(reading) == expected


def test_a_leading_long_mark_holds_the_phone_before_it() -> None:
    assert phones("ーー", "a") == "a a"
    assert phones("ー", "q") == "q"
    assert phones("ー", ",") == "-"
    assert [mora.kana for mora in moras_of("ー", "a")] == ["ー"]
    assert [mora.kana for mora in moras_of("ー")] == [""]


def test_katakana() -> None:
    assert to_katakana("らしょうもんゔABC") == "ラショウモンヴABC"
    assert split_morae("キョートッテヴァ") == ["キョ", "ー", "ト", "ッ", "テ", "ヴァ"]
    assert (sounded("とうきょう"), sounded("せんせい"), sounded("コウシ")) == ("トーキョー", "センセー", "コウシ")
