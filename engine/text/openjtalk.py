"""Open JTalk, as pyopenjtalk-plus wraps it. The only module that imports it, and only when it is first used.

Instances are made after a fork, never inherited over one: a lock that another thread held in the parent would stay
locked in the child for ever.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from koebin.engine.errors import BackendMissing, InvalidText
from koebin.engine.text.analysis import Node
from koebin.engine.text.features import Feature
from koebin.engine.text.katakana import split_morae

if TYPE_CHECKING:
    from koebin.engine.text.dictionary import Dictionary

MAX_CHARS: Final = 1000
"""Characters given to Open JTalk at once. It refuses somewhat above 2700, and its time grows with the square."""

_KANA: Final = re.compile("[ァ-ヴヵヶー’]+")
_MARKS: Final = frozenset("、？！")
_STAND_INS: Final = dict.fromkeys(map(ord, "…‥―"), "、")
"""Marks whose words the dictionary takes for something that a suffix may follow (――人)."""
_COMMAS: Final = frozenset("、…‥―")
_KEPT_DICTIONARIES: Final = 16


def run_frontend(text: str, dictionary: Dictionary | None = None) -> list[Feature]:
    """Words, readings and accents of a normalised text.

    Raises:
        InvalidText: more than ``MAX_CHARS`` characters.
        BackendMissing: pyopenjtalk-plus is not installed.
    """
    if len(text) > MAX_CHARS:
        raise InvalidText(f"more than {MAX_CHARS} characters for Open JTalk", text, "Split the text into sentences")
    if not text.strip():
        return []
    features = _restored(text, _plus_frontend(text.translate(_STAND_INS), _INSTANCES.get(dictionary)))
    if _KANA.fullmatch("".join([pron for feature in features if (pron := feature["pron"]) not in _MARKS])):
        return features
    return [_mended(feature) for feature in features]


def _plus_frontend(text: str, jtalk: Any) -> list[Feature]:
    features: list[Feature] = _pyopenjtalk().run_frontend(text, iu_pronunciation="YuuBase", jtalk=jtalk)
    return features


def _restored(text: str, features: list[Feature]) -> list[Feature]:
    """The marks as they are in the text, in place of those that stand for them."""
    marks = [char for char in text if char in _COMMAS]
    if all(mark == "、" for mark in marks):
        return features
    commas = [feature for feature in features if feature["string"] == "、"]
    if len(commas) == len(marks):
        for feature, mark in zip(commas, marks, strict=True):
            feature["string"] = feature["orig"] = mark
    return features


def _mended(feature: Feature) -> Feature:
    """A word whose reading holds something else than kana (〇 of an unknown word) would be left out of the labels."""
    pron = feature["pron"]
    if _KANA.fullmatch(pron) or not _KANA.search(pron):
        return feature
    mended = "".join(_KANA.findall(pron.replace("〇", "マル")))
    return {**feature, "pron": mended, "mora_size": len(split_morae(mended))}


def make_label(features: Sequence[Feature]) -> list[str]:
    """Full-context labels, one per phone, ``sil`` at both ends; empty if nothing is to be spoken."""
    if not any(feature["mora_size"] for feature in features):
        return []
    labels: list[str] = _pyopenjtalk().make_label(list(features), jtalk=_INSTANCES.get(None))
    return labels


def nodes_of(features: Sequence[Feature]) -> tuple[Node, ...]:
    """The words of a whole sentence as plain values."""
    spoken = any(feature["mora_size"] for feature in features)
    return tuple(
        Node(
            feature["string"],
            feature["pron"],
            feature["pos"],
            feature["acc"] if spoken else None,
            feature["chain_flag"] == 1,
        )
        for feature in features
    )


def plain_feature(surface: str, pron: str, pos: str, accent: int = 0) -> Feature:
    """A word of its own accent phrase, or punctuation, which has no morae."""
    return {
        "string": surface,
        "pos": pos,
        "pos_group1": "読点" if pos == "記号" else "固有名詞",
        "pos_group2": "*" if pos == "記号" else "一般",
        "pos_group3": "*",
        "ctype": "*",
        "cform": "*",
        "orig": surface,
        "read": pron,
        "pron": pron,
        "acc": accent,
        "mora_size": 0 if pos == "記号" else len(split_morae(pron)),
        "chain_rule": "*",
        "chain_flag": 0,
        "is_reading_protected": True,
        "is_reading_rewritten": False,
    }


def mark_devoiced(features: Sequence[Feature]) -> list[Feature]:
    """The same words with Open JTalk's marks (’) after the vowels that are whispered."""
    marked: list[Feature] = _INSTANCES.get(None).set_unvoiced_vowel(list(features))
    return marked


@lru_cache(maxsize=8192)
def known_word(word: str) -> bool:
    """Whether the standard dictionary has a reading for the Latin word, instead of spelling it letter by letter."""
    features = run_frontend(word)
    return len(features) == 1 and features[0]["pos"] != "フィラー" and features[0]["mora_size"] > 0


@lru_cache(maxsize=16384)
def dictionary_accent(word: str) -> int | None:
    """The accent that the standard dictionary gives the word alone, 0 for flat; None if it has several words there."""
    features = _INSTANCES.get(None).run_frontend(word)
    return int(features[0]["acc"]) if len(features) == 1 else None


def path_cost(text: str) -> int:
    """What the best way to split the text into words of the standard dictionary costs (MeCab)."""
    morphs = _INSTANCES.get(None).run_mecab_detailed(text)[1]
    return sum(int(morph["link_cost"]) for morph in morphs)


def unknown_words(text: str) -> list[str]:
    """Words of a normalised text that the standard dictionary does not have, as MeCab cuts them, in order."""
    morphs = _INSTANCES.get(None).run_mecab_detailed(text)[1]
    return [str(morph["surface"]) for morph in morphs if morph["is_unknown"]]


def dictionary_folder() -> Path:
    """The dictionary inside the pinned wheel; an environment variable must not change how a book is read."""
    return Path(_pyopenjtalk().__file__).parent / "dictionary"


def _pyopenjtalk() -> Any:
    try:
        import pyopenjtalk
    except ImportError as error:
        raise BackendMissing(
            "pyopenjtalk-plus cannot be imported", str(error), "Install the extra: pip install 'koebin[engine]'"
        ) from error
    return pyopenjtalk


class _Instances:
    """One Open JTalk per user dictionary, the least recently used dropped; those in use live on until they are done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_revision: OrderedDict[str, Any] = OrderedDict()
        self._creating: dict[str, threading.Lock] = {}

    def get(self, dictionary: Dictionary | None) -> Any:
        revision = dictionary.revision if dictionary is not None else ""
        instance = self._find(revision)
        if instance is not None:
            return instance
        with self._lock:
            creating = self._creating.setdefault(revision, threading.Lock())
        with creating:  # a large dictionary holds up its own requests only
            instance = self._find(revision)
            if instance is None:
                instance = self._create(dictionary if revision else None)
                self._keep(revision, instance)
        return instance

    def _find(self, revision: str) -> Any:
        with self._lock:
            if revision in self._by_revision:
                self._by_revision.move_to_end(revision)
            return self._by_revision.get(revision)

    def _keep(self, revision: str, instance: Any) -> None:
        with self._lock:
            self._by_revision[revision] = instance
            self._creating.pop(revision, None)
            while len(self._by_revision) > _KEPT_DICTIONARIES:
                oldest = next(kept for kept in self._by_revision if kept)
                del self._by_revision[oldest]

    def _create(self, dictionary: Dictionary | None) -> Any:
        folder = os.fsencode(dictionary_folder())
        if dictionary is None:
            return _pyopenjtalk().OpenJTalk(dn_mecab=folder)
        from koebin.engine.text.dictionary_compilation import compiled

        with compiled(dictionary) as path:
            return _pyopenjtalk().OpenJTalk(
                dn_mecab=folder, userdic=os.fsencode(path), userdic_reading_protection=[True]
            )


_INSTANCES = _Instances()


def _forget_instances() -> None:
    global _INSTANCES
    _INSTANCES = _Instances()


os.register_at_fork(after_in_child=_forget_instances)
