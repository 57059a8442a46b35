"""Readings that the context decides, on top of Open JTalk's."""

from __future__ import annotations

from collections.abc import Sequence

from koebin.engine.text.accent_rules import apply_accent_rules
from koebin.engine.text.alignment import node_boundaries
from koebin.engine.text.compounds import read_compounds
from koebin.engine.text.features import Feature
from koebin.engine.text.free_words import read_free_words
from koebin.engine.text.glosses import Gloss, read_gloss
from koebin.engine.text.heteronyms import read_heteronyms
from koebin.engine.text.mapped import MappedText
from koebin.engine.text.openjtalk import mark_devoiced
from koebin.engine.text.person_names import read_names
from koebin.engine.text.sudachi import morphemes


def read_in_context(
    text: str, features: list[Feature], glosses: Sequence[tuple[int, Gloss]] = ()
) -> tuple[list[Feature], list[Gloss]]:
    """The words of a normalised text, read as their neighbours demand.

    Args:
        text: what Open JTalk was given.
        features: its words; those of a user's dictionary stay as they are.
        glosses: readings in brackets that were left out of the text, with the place where they stood.

    Returns:
        The words, and the glosses that are no readings of the word before them.
    """
    if not features:
        return features, [gloss for _, gloss in glosses]
    before = [(feature["string"], feature["pron"]) for feature in features]
    offsets = node_boundaries(MappedText.of(text), [feature["string"] for feature in features], len(text))
    words = morphemes(text)
    read_compounds(features, offsets, words)
    read_names(features, offsets, words)
    read_free_words(features)
    read_heteronyms(text, features, offsets)
    refused = [gloss for place, gloss in glosses if not read_gloss(text, features, offsets, place, gloss.kana)]
    features = _whispered(features, before)
    apply_accent_rules(features)
    return features, refused


def _whispered(features: list[Feature], before: list[tuple[str, str]]) -> list[Feature]:
    """Marks of whispered vowels anew in words that are read otherwise now, and at the end of those before them."""
    known = set(before)
    changed = [index for index, word in enumerate(features) if (word["string"], word["pron"]) not in known]
    if not changed:
        return features
    for index in changed:
        features[index]["pron"] = features[index]["pron"].replace("’", "")
        if index and not features[index - 1]["is_reading_protected"]:
            features[index - 1]["pron"] = features[index - 1]["pron"].removesuffix("’")
    marked = mark_devoiced(features)
    for index in changed:
        for place in (index - 1, index):
            if place >= 0 and not features[place]["is_reading_protected"]:
                features[place]["pron"] = marked[place]["pron"]
    return features
