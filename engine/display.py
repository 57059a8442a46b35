"""Text as people read it: what is foreign is escaped, and secrets in addresses are masked.

Commands, logs, errors and pages use these functions, and no others. A title, a feed or a message may hold characters
that steer a terminal, begin a new line of a log, or turn the direction of writing around.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import urlsplit

MASK: Final = "***"

# Controls (C0, DEL, C1), line and paragraph separators, marks of direction, tags, and halves of pairs.
STEERING: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff\ud800-\udfff]"
)
# Inside of JSON the first 32 are escaped already.
_ADDRESS: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://|https?:/)[^\s\"'<>]*")
"""Also one that was taken for a path, which has lost a slash."""
_PLACES: Final = ("file", "s3", "hf")
"""Schemes whose addresses carry no secrets but before an @ in the first part; @ and ? may be part of a name."""
_PORT: Final = re.compile(r"(\[[0-9A-Fa-f:.%]*\]|[^\[\]:]*)(:[0-9]{0,5})?")
_CLOSING: Final = ".,;:!?)]}、。"


def escaped(text: str) -> str:
    """A text in which nothing steers: each such character is written as ``\\x1b`` or ``\\u202e``."""
    return STEERING.sub(_name, text)


def escaped_lines(text: str) -> str:
    """The same, where lines and tabs are meant."""
    return "\n".join("\t".join(map(escaped, line.split("\t"))) for line in text.split("\n"))


def shown(text: str) -> str:
    """A text of ours with foreign parts: addresses masked, the rest escaped."""
    return escaped(mask_text(text))


def json_text(document: Any, *, indent: int | None = None) -> str:
    """JSON for a program that also a person may read: nothing in it steers a terminal, and nothing is lost."""
    return STEERING.sub(_json_name, json.dumps(document, ensure_ascii=False, indent=indent))


def mask(url: str) -> str:
    """An address without its credentials and its query; of several that are joined by ``;`` each.

    What cannot be told apart with certainty is left out, too: a password may hold any character.
    """
    if not url:
        return ""
    if url.startswith("sentinel://"):
        return ";".join(_masked(part if "://" in part else f"sentinel://{part}") for part in url.split(";") if part)
    return _masked(url)


def mask_text(text: str) -> str:
    """A text in which every address is masked."""
    return _ADDRESS.sub(_in_text, text) if ":/" in text else text


def _in_text(found: re.Match[str]) -> str:
    address = found[0].rstrip(_CLOSING)
    return mask(address) + found[0][len(address) :]


def _masked(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator or not scheme:
        return MASK
    if not rest:
        return url  # a form of address, as in advice
    if scheme.lower() in _PLACES:
        return _masked_place(scheme, rest)
    path_and_more = rest
    login = ""
    if "@" in rest and (scheme.lower() not in ("http", "https") or _login_first(rest)):
        login, path_and_more = f"{MASK}@", rest.rpartition("@")[2]
    try:
        parts = urlsplit(f"x://{path_and_more}")
    except ValueError:
        return f"{scheme}://{login}{MASK}"
    if not _PORT.fullmatch(parts.netloc) or (not parts.netloc and not parts.path):
        return f"{scheme}://{login}{MASK}"
    query = f"?{MASK}" if parts.query and scheme.lower() in ("http", "https") else ""
    return f"{scheme}://{login}{parts.netloc}{parts.path}{query}"


def _login_first(rest: str) -> bool:
    """Whether an @ belongs to a login: in a web page's path, as in ``/@name``, it does not."""
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    return "@" in host or ":" in host


def _masked_place(scheme: str, rest: str) -> str:
    first, slash, path = rest.partition("/")
    if "@" not in first:
        return f"{scheme}://{rest}"
    return f"{scheme}://{MASK}@{first.rpartition('@')[2]}{slash}{path}"


def _name(found: re.Match[str]) -> str:
    number = ord(found[0])
    if found[0] in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[found[0]]
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_name(found: re.Match[str]) -> str:
    if found[0] == "\n":
        return "\n"  # between the lines of an indented document; in a string it is escaped already
    return json.dumps(found[0])[1:-1]
