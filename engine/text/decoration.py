"""Kaomoji, rulers and other drawings made of characters, which nobody says."""

from __future__ import annotations

import re
from typing import Final

from koebin.engine.text.mapped import MappedText

_FACE_SIGNS: Final = "^＾´｀`ωДд∀▽≧≦•◕ಠ눈︶￣°ﾟ゜;；･・_＿‿◡皿益艸ー>＞<＜T*＊ᴥ-◉³ε∇･"
_INSIDE: Final = r"[ノヘ人]|[^\s（()）「」『』、,!?！？ぁ-ゖァ-ミム-ヺ一-丅七-亖亗-刀刂-口〇-〇A-SU-Za-nq-z0-9]"

_FACE: Final = re.compile(
    rf"[ヽヾ＼\\乁٩ᕙ╰┐┌ψdｄoｏmｍ]?[（(](?=[^（()）]*[{re.escape(_FACE_SIGNS)}])(?:{_INSIDE}| ){{2,16}}[)）]"
    r"(?:[/／ノﾉ人旦凸彡ノ゛ゞ۶ᕗ╯┘┛σbvoｏmｍ♪*シ]{1,3}(?![A-Za-zァ-ヺー]))?"
)
"""A face in round brackets, with the hands beside it."""
_BARE_FACE: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:T_T|;_;|；；|>_<|＞＜|\^_\^|[\^＾]{2,}|[\^＾]o[\^＾]|-_-|=_=|ʕ[^ʔ]{1,6}ʔ)[;；]?(?![A-Za-z0-9])"
)
_RULER_LINE: Final = re.compile(r"(?m)^[^\S\n]*[-=_*~#+〜～＝＊＿☆★◆◇■□●○・･─━―—－.｡。]{3,}[^\S\n]*$")
_RULER: Final = re.compile(
    r"[=＝]{2,}|[*＊]{2,}|[_＿]{2,}|[+＋]{4,}|-{4,}|━{3,}|[☆★]{2,}|(?<!:)[/／]{2,}(?=[^A-Za-z0-9]|$)"
)
_LAUGH: Final = re.compile(r"(?<=[ぁ-ゖァ-ヺー一-鿿々。、!?！？」）)])[wｗ]+(?![A-Za-z0-9.Ａ-Ｚａ-ｚ])")


_RULES: Final = (
    (_FACE, "、"),
    (_BARE_FACE, "、"),
    (_RULER_LINE, ""),
    (_RULER, "、"),
    (_LAUGH, "ワラ"),
)
"""Patterns over the user's text and what is said for each."""

_SIGNS: Final = re.compile(r"[（(^＾=＝*＊_＿/／☆★wｗʕ━+＋T;；>-]|[-~#〜～◆◇■□●○・･─―—－.｡。]{3}")
"""In every text that may hold a drawing; most sentences have none of these."""


def without_decoration(mapped: MappedText) -> MappedText:
    """The user's text with a pause for each drawing, nothing for a line of signs, and ワラ for a row of ``w``."""
    if not _SIGNS.search(mapped.text):
        return mapped
    for pattern, said in _RULES:
        mapped = mapped.sub(pattern, said)
    return mapped
