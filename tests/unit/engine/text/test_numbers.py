import pytest

from koebin.engine.text.numbers import kanji_number, read_code, read_decimal, read_digits, read_integer


@pytest.mark.parametrize(
    ("digits", "read"),
    [
        ("0", "0"),
        ("8", "8"),
        ("1000", "1000"),
        ("10000", "1万"),
        ("1234567", "123万4567"),
        ("100000001", "1億1"),
        ("12345678901234567890", "1234京5678兆9012億3456万7890"),
        ("007", "007"),
        ("1" * 21, "イチイチ " * 10 + "イチ"),
    ],
)
def test_whole_numbers_keep_their_figures_and_get_units(digits: str, read: str) -> None:
    assert read_integer(digits) == read


def test_seventy_three_figures_are_read_one_by_one() -> None:
    assert read_integer("1" * 73).replace(" ", "") == "イチ" * 73


def test_decimals_and_names() -> None:
    assert read_decimal("1234567", "05") == "123万4567.05"
    assert read_decimal("", "5") == "0.5"
    assert read_digits("1508") == "イチゴー ゼロハチ"
    assert read_code(["03", "1234"]) == "03の1234"
    assert read_code(["150", "0001"]) == "イチゴー ゼロのゼロゼロ ゼロイチ"


@pytest.mark.parametrize(
    ("digits", "written"),
    [
        ("0", "零"),
        ("10", "十"),
        ("11", "十一"),
        ("99", "九十九"),
        ("105", "百五"),
        ("1989", "千九百八十九"),
        ("2026", "二千二十六"),
        ("1111", "千百十一"),
        ("20000", "二万"),
        ("100000001", "一億一"),
        ("007", "零零七"),
        ("9" * 21, "九" * 21),
    ],
)
def test_numbers_in_kanji(digits: str, written: str) -> None:
    assert kanji_number(digits) == written
