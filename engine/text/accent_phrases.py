"""Accent phrase boundaries: where Open JTalk's are mended, and the accent of a phrase that was divided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from koebin.engine.text.features import Feature

_PARTICLES: Final = ("助詞", "助動詞")
_SPLIT: Final = {
    # the word before: words, in their dictionary form, that begin a phrase after it
    "ば": {"なる", "いける"},
    "は": {"ない", "なる", "いける", "ある", "いる"},
    "で": {"ある", "ない"},
    "じゃ": {"ない"},
    "を": {"する"},
    "に": {"する"},
    "の": {"よう", "こと", "もの", "上", "ところ", "方", "事", "他", "為", "物", "日"},
    "た": {"よう", "者", "わけ", "方"},
    "な": {"もの", "事"},
    "も": {"ある"},
}


_SPLIT_AFTER_FALL: Final = {
    "た": {"もの", "時", "はず", "つもり"},
    "て": {"くださる", "下さる", "いく", "もらう", "やる"},
    "で": {"くださる", "下さる", "いく", "もらう", "やる"},
}
"""The same where the pitch has fallen before; behind verbs as behind た."""
_JOIN: Final = {"なく": {"なる"}, "と": {"いう"}}


def divide_phrases(features: list[Feature]) -> None:
    """Begin and join accent phrases where Open JTalk does not, in place: では|ない, なければ|ならない, という."""
    for index in range(1, len(features)):
        before, word = features[index - 1], features[index]
        if before["is_reading_protected"] or word["is_reading_protected"] or not word["mora_size"]:
            continue
        if word["chain_flag"] == 1 and (_begins(before, word) or _begins_after_fall(features, index)):
            _split(features, index)
        elif word["chain_flag"] != 1 and _goes_on(before, word):
            word["chain_flag"] = 1


def _goes_on(before: Feature, word: Feature) -> bool:
    """Whether the word goes on with the phrase before it although Open JTalk begins one: という, なくなる."""
    if word["pos"] != "動詞" or before["pos"] not in _PARTICLES or word["orig"] not in _JOIN.get(before["string"], ()):
        return False
    return bool(word["orig"] != "いう" or word["string"] == "いう")


def _begins(before: Feature, word: Feature) -> bool:
    """Whether the word begins a phrase although Open JTalk goes on with the one before it."""
    if word["orig"] == "もの" and before["pos"] in ("形容詞", "連体詞"):
        return True
    if word["orig"] not in _SPLIT.get(before["string"], ()) or before["pos"] not in _PARTICLES:
        return False
    if before["string"] == "で" and word["orig"] == "ある":
        return bool(word["pos"] == "助動詞")
    return True


def _begins_after_fall(features: Sequence[Feature], index: int) -> bool:
    """Whether the pitch has fallen in the phrase before the word, which begins another therefore."""
    before, word = features[index - 1], features[index]
    place = "た" if before["pos"] == "動詞" else before["string"]
    if word["pos_group1"] != "非自立" or word["orig"] not in _SPLIT_AFTER_FALL.get(place, ()):
        return False
    head = _head(features, index - 1)
    return bool(0 < features[head]["acc"] < morae(features[head:index]))


def _head(features: Sequence[Feature], index: int) -> int:
    while index and features[index]["chain_flag"] == 1:
        index -= 1
    return index


def _split(features: list[Feature], index: int) -> None:
    """Begin a phrase at ``index``: the accent that the phrase before it had behind this place is given up."""
    head = _head(features, index - 1)
    if features[head]["acc"] > morae(features[head:index]):
        features[head]["acc"] = 0
    features[index]["chain_flag"] = 0
    end = index + 1
    while end < len(features) and features[end]["chain_flag"] == 1:
        end += 1
    if features[index]["string"] == "こと":
        features[index]["acc"] = 2
    features[index]["acc"] = chained_accent(features[index:end])


def chained_accent(words: Sequence[Feature]) -> int:
    """The accent of a phrase from its words' own accents, by Open JTalk's rules for what goes on with a phrase."""
    accent: int = words[0]["acc"]
    size: int = words[0]["mora_size"]
    for before, word in pairwise(words):
        if word["orig"] == "ます":
            accent = size + 1
        elif before["string"] in ("ませ", "ましょ"):
            accent = size
        for rule in word["chain_rule"].split("/"):
            pos, named, name = rule.rpartition("%")
            if named and pos not in before["pos"]:
                continue
            kind, _, shift = name.partition("@")
            if (kind == "F2" and not accent) or (kind == "F3" and accent) or kind == "F4":
                accent = size + int(shift or 0)
            elif kind in ("F5", "C4"):
                accent = 0
            break
        size += word["mora_size"]
    return max(accent, 0)


def morae(words: Sequence[Feature]) -> int:
    """How many morae the words have together."""
    return sum(int(word["mora_size"]) for word in words)


def phrase_spans(features: Sequence[Feature]) -> Iterator[tuple[int, int]]:
    """Spans of accent phrases without marks in them."""
    first = 0
    for index in range(1, len(features) + 1):
        if index < len(features) and features[index]["chain_flag"] == 1:
            continue
        if all(word["mora_size"] for word in features[first:index]):
            yield first, index
        first = index
