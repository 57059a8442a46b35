"""Japanese encodings as files use them: every vendor's characters, and a damaged byte that costs one character.

Windows' own characters (① ㈱ ﾊ) stand in files that say ``Shift_JIS``, ``EUC-JP`` or ``ISO-2022-JP``; the codecs of the
standard library for those names refuse them.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

CP932: Final = frozenset(
    "shift_jis shift-jis shiftjis sjis x-sjis ms_kanji cp932 ms932 windows-31j csshiftjis cswindows31j cp943".split()  # noqa: SIM905
)
EUC: Final = frozenset(
    [
        "euc-jp",
        "euc_jp",
        "eucjp",
        "x-euc-jp",
        "x-eucjp",
        "ujis",
        "cp51932",
        "eucjp-ms",
        "euc-jp-ms",
        "cseucpkdfmtjapanese",
    ]
)
JIS: Final = frozenset(
    [
        "iso-2022-jp",
        "iso2022jp",
        "iso-2022-jp-1",
        "iso-2022-jp-ms",
        "jis",
        "cp50220",
        "cp50221",
        "cp50222",
        "csiso2022jp",
    ]
)
UNICODE: Final = frozenset("utf-8 utf8 utf-16 utf-16le utf-16be utf16 us-ascii ascii".split())  # noqa: SIM905
WESTERN: Final = frozenset("iso-8859-1 iso8859-1 latin-1 latin1 windows-1252 cp1252".split())  # noqa: SIM905
OTHERS: Final = frozenset(
    ("windows-1251", "cp1251", "koi8-r", "windows-1250", "gb18030", "gbk", "gb2312", "big5", "euc-kr")
)
"""Of other languages; their letters are told as those that cannot be read."""
REPLACEMENT: Final = "\ufffd"

_ESCAPE: Final = re.compile(rb"\x1b(\(B|\(J|\(I|\$@|\$B|\$\(D|\(H)")
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_NULS: Final = ((b"<\0?\0", "utf-16-le"), (b"\0<\0?", "utf-16-be"), (b"<\0!\0", "utf-16-le"), (b"\0<\0!", "utf-16-be"))


def known(name: str) -> bool:
    """Whether ``decode`` takes this name."""
    name = name.strip().lower()
    return any(name in names for names in (CP932, EUC, JIS, UNICODE, WESTERN, OTHERS))


def decode(data: bytes, name: str, *, replace: bool = False) -> str:
    """``data`` as text; a byte order mark at its start decides, and is left out.

    Args:
        name: as files and servers write it; ``Shift_JIS`` means what Windows means by it.
        replace: what cannot be decoded becomes U+FFFD instead of an error.

    Raises:
        UnicodeDecodeError: not in that encoding, and not ``replace``.
        LookupError: not an encoding of ``known``.
    """
    name, errors = name.strip().lower(), "replace" if replace else "strict"
    for mark, codec in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, errors)
    if name in CP932:
        return data.decode("cp932", errors)
    if name in EUC:
        return _euc(data, replace=replace)
    if name in JIS:
        return _euc(_without_escapes(data), replace=replace)
    if name in ("utf-16", "utf16"):
        name = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    if name in UNICODE or name in ("utf-16-le", "utf-16-be"):
        return data.decode("utf-8" if name in ("us-ascii", "ascii") else name, errors)
    if name in WESTERN:
        return data.decode("cp1252", "replace")
    if name in OTHERS:
        return data.decode(name, errors)
    raise LookupError(f"unknown encoding: {name}")


def bom_encoding(data: bytes) -> str:
    """The encoding that the first bytes of a text or XML document give away; "" if they do not."""
    return next((name for mark, name in (*_BOMS, *_NULS) if data.startswith(mark)), "")


def guess(data: bytes) -> str:
    """The likeliest of UTF-8 and the Japanese encodings; "" where none of them fits to the last byte."""
    if codec := bom_encoding(data):
        return codec
    fitting = [
        (_kana(text), name) for name in ("utf-8", "iso-2022-jp", "cp932", "euc-jp") if (text := _try(data, name))
    ]
    if fitting and fitting[0][1] == "utf-8":
        return "utf-8"
    return max(fitting, key=lambda each: each[0])[1] if fitting and max(fitting)[0] > 0.0 else ""


def _try(data: bytes, name: str) -> str:
    if name == "iso-2022-jp" and b"\x1b$" not in data:
        return ""
    try:
        return decode(data, name)
    except (UnicodeDecodeError, LookupError):
        return ""


def _kana(text: str) -> float:
    """Share of hiragana and full-width katakana among the characters."""
    return sum("ぁ" <= character <= "ん" or "ァ" <= character <= "ー" for character in text) / max(1, len(text))


def _euc(data: bytes, *, replace: bool) -> str:
    """EUC-JP with the rows of NEC and IBM that Windows has: two bytes of JIS are two bytes of code page 932."""
    out: list[str] = []
    position = 0
    while position < len(data):
        plain = _PLAIN.match(data, position)
        if plain and plain.end() > position:
            out.append(plain[0].decode("ascii"))
            position = plain.end()
            continue
        width, character = _euc_character(data, position)
        if not character:
            if not replace:
                raise UnicodeDecodeError("euc-jp", data, position, position + 1, "illegal multibyte sequence")
            width, character = 1, REPLACEMENT
        out.append(character)
        position += width
    return "".join(out)


_PLAIN: Final = re.compile(rb"[\x00-\x7f]*")


def _euc_character(data: bytes, position: int) -> tuple[int, str]:
    """How many bytes the character takes, and the character; "" if there is none."""
    lead, rest = data[position], data[position + 1 : position + 3]
    if lead == 0x8E and rest and 0xA1 <= rest[0] <= 0xDF:
        return 2, chr(0xFF61 + rest[0] - 0xA1)
    if lead == 0x8F and len(rest) == 2:
        return 3, data[position : position + 3].decode("euc_jp", "ignore")
    if not 0xA1 <= lead <= 0xFE or not rest or not 0xA1 <= rest[0] <= 0xFE:
        return 1, ""
    row, cell = lead - 0xA1, rest[0] - 0xA1
    first = (0x81 if row < 62 else 0xC1) + row // 2
    second = (0x9F + cell) if row % 2 else 0x40 + cell + (cell >= 63)
    standard = data[position : position + 2].decode("euc_jp", "ignore")
    return 2, standard or bytes((first, second)).decode("cp932", "ignore")


def _without_escapes(data: bytes) -> bytes:
    """ISO-2022-JP as EUC-JP: what stands after an escape sequence gets its high bits."""
    out: list[bytes] = []
    mode, position = b"(B", 0
    for match in [*_ESCAPE.finditer(data), None]:
        part = data[position : match.start() if match else len(data)]
        if mode in (b"$@", b"$B"):
            out.append(bytes(byte | 0x80 if 0x21 <= byte <= 0x7E else byte for byte in part))
        elif mode == b"$(D":
            out.append(re.sub(rb"([\x21-\x7e])([\x21-\x7e])", _supplement, part))
        elif mode == b"(I":
            out.append(
                b"".join(bytes((0x8E, byte | 0x80)) if 0x21 <= byte <= 0x5F else bytes((byte,)) for byte in part)
            )
        else:
            out.append(part)
        if match:
            mode, position = match[1], match.end()
    return b"".join(out)


def _supplement(pair: re.Match[bytes]) -> bytes:
    return bytes((0x8F, pair[1][0] | 0x80, pair[2][0] | 0x80))
