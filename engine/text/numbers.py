"""Numbers in figures, written so that Open JTalk reads them as people do.

Open JTalk reads figures well, with the sound changes of what is counted (``三本``, ``八百``, ``二十日``), so figures
stay figures: long numbers get their units (``12億3456万``), numbers that are names (telephones, post codes, cards) are
read figure by figure.
"""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("", "万", "億", "兆", "京")
_MAX_VALUE_DIGITS: Final = 4 * len(_UNITS)
_KANJI: Final = "零一二三四五六七八九"
_NAMES: Final = ("ゼロ", "イチ", "ニー", "サン", "ヨン", "ゴー", "ロク", "ナナ", "ハチ", "キュー")


def read_integer(digits: str) -> str:
    """A whole number: ``1234567`` -> ``123万4567``; a leading zero or more than 20 figures: figure by figure.

    Args:
        digits: one or more of 0 to 9.
    """
    if len(digits) > _MAX_VALUE_DIGITS:
        return read_digits(digits)
    if len(digits) <= 4 or digits.startswith("0"):
        return digits
    groups: list[str] = []
    for unit in _UNITS:
        if digits:
            value = digits[-4:].lstrip("0")
            groups.insert(0, value + unit if value else "")
            digits = digits[:-4]
    return "".join(groups)


def read_digits(digits: str) -> str:
    """Figure by figure, in the pairs in which they are said: ``1508`` -> ``イチゴー ゼロハチ``."""
    pairs = [digits[start : start + 2] for start in range(0, len(digits), 2)]
    return " ".join("".join(_NAMES[int(digit)] for digit in pair) for pair in pairs)


def read_decimal(whole: str, fraction: str) -> str:
    """``3``, ``14`` -> ``3.14``: Open JTalk reads figures after a point one by one."""
    return f"{read_integer(whole or '0')}.{fraction}"


def read_code(groups: list[str]) -> str:
    """Groups of figures that are a name, joined with の: ``03``, ``1234`` -> ``03の1234``, said figure by figure.

    After a group that begins with 0, Open JTalk does so by itself.
    """
    if groups[0].startswith("0"):
        return "の".join(groups)
    return "の".join(map(read_digits, groups))


def kanji_number(digits: str) -> str:
    """Figures as they are written out: ``11`` -> ``十一``, ``0`` -> ``零``; figure by figure after a leading zero.

    Args:
        digits: one or more of 0 to 9.
    """
    if (digits.startswith("0") and len(digits) > 1) or len(digits) > _MAX_VALUE_DIGITS:
        return "".join(_KANJI[int(digit)] for digit in digits)
    groups = [digits[max(0, end - 4) : end] for end in range(len(digits), 0, -4)]
    written = "".join(
        _kanji_group(group) + unit for group, unit in reversed([*zip(groups, _UNITS, strict=False)]) if int(group)
    )
    return written or _KANJI[0]


def _kanji_group(digits: str) -> str:
    places = zip(reversed(digits), ("", "十", "百", "千"), strict=False)
    return "".join(
        ("" if digit == "1" and place else _KANJI[int(digit)]) + place
        for digit, place in reversed([*places])
        if digit != "0"
    )
