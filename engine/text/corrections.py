"""pyopenjtalk-plus' corrections of readings and accents, of which a word is asked only those that may concern it.

``pyopenjtalk.run_frontend`` asks every word for each of some sixty rules about its neighbours, which takes longer than
Open JTalk itself, although each of them is for a word or two. Here the same functions are called in the same order, the
costly ones only where such a word is. The version of pyopenjtalk-plus is pinned; tests compare the results with its own
and the words with its source.
"""

from __future__ import annotations

import re
from functools import cache
from types import FunctionType
from typing import Any, Final

Feature = dict[str, Any]
"""One word in Open JTalk's own terms (NJD): ``string``, ``pos``, ``read``, ``pron``, ``acc``, ``mora_size``,
``chain_flag`` (1: goes on with the accent phrase before it) and more."""

_Rule = FunctionType
"""Of the words and the index of one: changes how that is read, and answers whether the rules after it are left out."""

NEIGHBOUR_WORDS: Final = frozenset(
    "一上下中了二仏付代何候公六兵処前十印唇塚外大寺尼屯峡御房方於旗本村柄様橋機洞湖焼環町盲硬社章等節縁翁者聾要識通都金際露面音"
) | {
    "その他",
    "より良い",
    "一声",
    "一行",
    "一見",
    "不足",
    "主として",
    "五月",
    "仮名",
    "元結",
    "入っ",
    "十勝",
    "博士",
    "声明",
    "天地",
    "好き",
    "如何",
    "小屋",
    "強い",
    "放っ",
    "明日",
    "水の面",
    "汚れ",
    "紅色",
    "良い",
    "花弁",
    "茶屋",
    "覆っ",
    "角形",
    "部屋",
    "開眼",
    "麻布",
    "黒白",
}
"""Words, as they are written, whose reading a rule about their neighbours may change."""

NEIGHBOUR_VERBS: Final = frozenset(("鈍る", "堪える"))
"""The same, whatever their form."""

_LOANWORD: Final = re.compile("[ヴィェゥ]|[テデ]ュ")
"""In every spelling of a foreign sound that the dictionary's readings flatten (ヴァ, スィ, テュ, イェ, グゥ)."""

_MARKS: Final = frozenset("、，．’−")
"""Punctuation, as Open JTalk spells it; of the same kind is for it a kanji that it does not know."""

_STRETCH: Final = re.compile("[^,.!?]+")
"""What a text has between its punctuation."""

_KATAKANA: Final = re.compile(r"[\u30a0-\u30ff]")

_REPETITIONS: Final = frozenset(("", *"々ゝゞヽヾ"))

_PAUSES: Final = frozenset("、？！")
"""How punctuation is said: what is whispered on one side of it does not depend on the other side."""

_WHISPERED: Final = re.compile("[キクシスチツヒフピプィゥュ]")
"""In every mora whose vowel Open JTalk may whisper."""


def read_words(text: str, jtalk: Any) -> list[Feature]:
    """As ``pyopenjtalk.run_frontend``, in a fraction of its time.

    Args:
        text: normalised.
        jtalk: ``pyopenjtalk.OpenJTalk``.
    """
    plus = _plus()
    if any(jtalk.userdic_reading_protection) or not _rewritten().isdisjoint(text):
        features: list[Feature] = plus.run_frontend(text, jtalk=jtalk)
        return features
    if not _variants().isdisjoint(text):
        text = plus.normalize_unknown_itaiji(text, inference_jtalk=jtalk)
    katakana = bool(_KATAKANA.search(text))
    features = jtalk.run_frontend(text, restore_unknown_katakana=katakana, modify_numeral_reading=True)
    return _corrected(text, features, jtalk)


def _corrected(text: str, features: list[Feature], jtalk: Any) -> list[Feature]:
    """Readings, then the vowels that are whispered because of them, accents, and repeated characters."""
    plus = _plus()
    before = _said(features)
    features = _reread(text, features, jtalk)
    now = _said(features)
    if now != before:
        changed = [index for index, (new, old) in enumerate(zip(now, before, strict=True)) if new != old]
        _whisper(features, changed, jtalk)
    features = plus.modify_acc_after_chaining(plus.retreat_acc_nuc(features))
    if not _REPETITIONS.isdisjoint([feature["orig"][:1] for feature in features]):
        features = plus.process_odori_features(features, jtalk=jtalk)
    return features


def _said(features: list[Feature]) -> list[tuple[str, str]]:
    return [(feature["read"], feature["pron"]) for feature in features]


def _reread(text: str, features: list[Feature], jtalk: Any) -> list[Feature]:
    plus = _plus()
    features = plus.modify_filler_accent(features)
    features = plus.predict_nani_reading(features)
    if _has_homograph(features, plus._MULTI_READ_KANJI_SET_EXCLUDING_NANI):
        features = plus.modify_kanji_yomi(text, features, plus._MULTI_READ_KANJI_SET_EXCLUDING_NANI, jtalk=jtalk)
    features = plus.suppress_unnatural_auxiliary_u_long_vowel(features)
    _read_by_neighbours(features)
    features = plus.modify_old_province_yomi(features)
    if _LOANWORD.search(text):
        features = plus.restore_loanword_kana(features)
    unread = [f["string"] for f in features if f["pos_group1"] == "読点" and f["string"] not in _MARKS]
    if unread:
        features = plus.read_unknown_kanji(features, _around(unread, text))
    return features


def _around(words: list[str], text: str) -> str:
    """What Sudachi has to read for the words: the stretches that they are in, with the punctuation on both sides.

    It makes the same words of these as of the whole.
    """
    stretches = [text[max(0, found.start() - 1) : found.end() + 1] for found in _STRETCH.finditer(text)]
    return "".join([stretch for stretch in stretches if any(word in stretch for word in words)])


def _has_homograph(features: list[Feature], homographs: frozenset[str]) -> bool:
    """Whether Sudachi would be asked for the reading of a word. Suffixes keep what they have."""
    return any(feature["orig"] in homographs and feature["pos_group1"] != "接尾" for feature in features)


def _read_by_neighbours(features: list[Feature]) -> None:
    for index, feature in enumerate(features):
        if feature["string"] in NEIGHBOUR_WORDS or feature["orig"] in NEIGHBOUR_VERBS:
            for rule in _rules_for(feature["string"], feature["orig"]):
                if rule(features, index):
                    break


def _whisper(features: list[Feature], changed: list[int], jtalk: Any) -> None:
    """Mark whispered vowels anew in words that are read otherwise now, and at the end of those before them."""
    for index in changed:
        features[index]["pron"] = features[index]["pron"].replace("’", "")
        if index:
            features[index - 1]["pron"] = features[index - 1]["pron"].removesuffix("’")
    if not any(_WHISPERED.search(features[index - 1]["pron"][-2:] + features[index]["pron"]) for index in changed):
        return
    start, end = _between_pauses(features, max(changed[0] - 1, 0), changed[-1])
    marked = jtalk.set_unvoiced_vowel(features[start:end])
    for index in changed:
        features[index]["pron"] = marked[index - start]["pron"]
        if index:
            features[index - 1]["pron"] = marked[index - 1 - start]["pron"]


def _between_pauses(features: list[Feature], first: int, last: int) -> tuple[int, int]:
    """The words from after a pause before ``first`` to the pause behind ``last``, that included.

    They begin with an accent phrase: the accent decides, too, and a phrase may go on after a pause.
    """
    while first and (features[first - 1]["pron"] not in _PAUSES or features[first]["chain_flag"] == 1):
        first -= 1
    while last < len(features) and features[last]["pron"] not in _PAUSES:
        last += 1
    return first, last + 1


def _plus() -> Any:
    import pyopenjtalk

    return pyopenjtalk


@cache
def _rules_for(surface: str, basic_form: str) -> tuple[_Rule, ...]:
    """The rules about neighbours that name the word, in their order.

    Some are all applied, and answer nothing; of those after them the first that fits says so.
    """
    return tuple(rule for rule, words in _neighbour_rules() if surface in words or basic_form in words)


@cache
def _neighbour_rules() -> tuple[tuple[_Rule, frozenset[str]], ...]:
    """Every rule with the words that it names, among them those whose reading it may change."""
    from pyopenjtalk import _context_reading as module

    names = module.modify_context_reading.__code__.co_names
    rules: list[_Rule] = [getattr(module, name) for name in names if name.startswith("_read_")]
    return tuple((rule, _words_named_by(rule)) for rule in rules)


def _words_named_by(rule: _Rule) -> frozenset[str]:
    """Strings of the rule's code, alone or in sets, and the keys of the tables that it looks them up in."""
    words: set[str] = set()
    for constant in rule.__code__.co_consts:
        if isinstance(constant, str):
            words.add(constant)
        elif isinstance(constant, frozenset | tuple):
            words.update(constant)
    tables = [rule.__globals__.get(name) for name in rule.__code__.co_names]
    return frozenset(words.union(*[table for table in tables if isinstance(table, dict)]))


@cache
def _rewritten() -> frozenset[str]:
    """Characters with which pyopenjtalk-plus looks for emoticons and Roman numerals."""
    from pyopenjtalk import _kaomoji, utils

    return frozenset({*_kaomoji._PAIRS, *">＞눈ᓀ/(（ʕ", *utils._ROMAN_NUMERAL_VALUES})


@cache
def _variants() -> frozenset[str]:
    """Variants of kanji, which are replaced where the dictionary does not have them."""
    from pyopenjtalk import utils

    return frozenset(utils._VARIANT_MAP)
