"""Changes of a word's reading within Open JTalk's words, the accent of its phrase kept where it belongs."""

from __future__ import annotations

from collections.abc import Sequence

from koebin.engine.text.features import Feature
from koebin.engine.text.katakana import split_morae


def reread(features: Sequence[Feature], index: int, pron: str, accent: int | None = None) -> None:
    """Give the word at ``index`` another pronunciation, in place.

    Args:
        pron: katakana as it is said.
        accent: of the word, if it begins its accent phrase; None keeps the fall after the mora that it follows now.
    """
    feature = features[index]
    if feature["pron"].replace("’", "") == pron:
        return
    old, new = feature["mora_size"], len(split_morae(pron))
    feature["read"] = feature["pron"] = pron
    feature["mora_size"] = new
    feature["is_reading_rewritten"] = True
    head = phrase_head(features, index)
    if accent is not None and head == index:
        feature["acc"] = accent
        return
    before = sum(word["mora_size"] for word in features[head:index])
    fall = features[head]["acc"]
    if fall > before + old:
        features[head]["acc"] = fall + new - old
    elif fall > before:
        features[head]["acc"] = before + min(fall - before, new)


def phrase_head(features: Sequence[Feature], index: int) -> int:
    """The first word of the accent phrase that holds the word at ``index``."""
    while index > 0 and features[index]["chain_flag"] == 1:
        index -= 1
    return index


def merge(features: list[Feature], first: int, last: int, pron: str, accent: int | None = None) -> None:
    """Make one word of ``features[first:last]``, in place.

    Args:
        pron: katakana as it is said.
        accent: of the word, if it begins its accent phrase; None keeps that of the phrase, after the same mora from the
            end of the words.
    """
    words = features[first:last]
    old, new = sum(word["mora_size"] for word in words), len(split_morae(pron))
    one_phrase = all(word["chain_flag"] == 1 for word in words[1:])
    head = phrase_head(features, first)
    before = sum(word["mora_size"] for word in features[head:first])
    surface = "".join(word["string"] for word in words)
    merged = {
        **words[-1],
        "string": surface,
        "orig": surface,
        "read": pron,
        "pron": pron,
        "mora_size": new,
        "chain_flag": words[0]["chain_flag"],
        "chain_rule": words[0]["chain_rule"],
        "acc": words[0]["acc"],
        "is_reading_rewritten": True,
    }
    fall = features[head]["acc"]
    features[first:last] = [merged]
    if head == first and accent is not None:
        merged["acc"] = accent
    elif one_phrase:
        if fall > before + old:
            features[head]["acc"] = fall + new - old
        elif fall > before:
            features[head]["acc"] = before + max(1, min(new, fall - before + new - old))
