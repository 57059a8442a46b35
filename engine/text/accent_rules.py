"""Accents of the common language that Open JTalk's rules miss; phrases are ``accent_phrases``' matter.

Facts of the Tokyo accent: a noun's last fall is lost before の; 一つも and どこにも are flat; 中 falls where the noun
before it has lost its fall.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from koebin.engine.text.accent_compounds import compound_accent, katakana_accent, prefixed_accent
from koebin.engine.text.accent_inflected import adjective_accent, measure_accent, verb_accent
from koebin.engine.text.accent_phrases import divide_phrases, morae, phrase_spans
from koebin.engine.text.features import Feature
from koebin.engine.text.openjtalk import dictionary_accent

_PARTICLES: Final = ("助詞", "助動詞")
_FLAT_ALONE: Final = frozenset(
    (
        *(
            "昨日",
            "きのう",
            "一番",
            "いちばん",
            "半分",
            "沢山",
            "たくさん",
            "したがって",
            "何も",
            "誰も",
            "だれも",
            "誰にも",
        ),
        *(
            "だれにも",
            "どこにも",
            "どこへも",
            "だれからも",
            "誰からも",
            "一つも",
            "ひとつも",
            "一度も",
            "一人も",
            "一本も",
        ),
        *("どのくらい", "どれくらい", "どれぐらい", "どれほど", "どのくらいの", "どれくらいの", "どれほどの"),
    )
)
_OWN: Final = {
    ("関し", "カンシ"): 1,
    ("応じ", "オージ"): 1,
    ("もっとも", "モットモ"): 3,
    ("きちんと", "キチント"): 2,
    ("あろ", "アロ"): 2,
    ("事", "コト"): 2,
    ("大半", "タイハン"): 3,
    ("役割", "ヤクワリ"): 3,
    ("誤り", "アヤマリ"): 3,
    ("各国", "カッコク"): 1,
    ("程度", "テード"): 1,
    ("映画", "エーガ"): 1,
    ("父", "チチ"): 2,
}
"""Words at the head of a phrase, by their pronunciation, with the accent that the dictionary does not give them."""
_AFTER_WHAT_MODIFIES: Final = {("上", "ウエ"): 2, ("ところ", "トコロ"): 3, ("日", "ヒ"): 1, ("国", "クニ"): 2}
"""Nouns that are flat alone and fall on their last mora after what modifies them, before a particle."""
_FLAT_BEFORE_NO: Final = frozenset(("何", "他", "ほか", "日本", "明日", "あした", "昨日", "きのう", "向こう"))
_NOT_FLAT_BEFORE_NO: Final = frozenset(("次", "世", "よそ", "他所", "人", "二人", "ふたり"))


def apply_accent_rules(features: list[Feature]) -> None:
    """Mend phrases and their accents, in place. Words of the user's keep theirs."""
    divide_phrases(features)
    for first, last in phrase_spans(features):
        words = features[first:last]
        if any(word["is_reading_protected"] for word in words):
            continue
        accent = _accent(words, features[first - 1] if first else None)
        if accent is not None:
            features[first]["acc"] = accent


def _accent(words: Sequence[Feature], before: Feature | None) -> int | None:
    """The accent of a phrase, None where Open JTalk's holds."""
    known = _known(words)
    if known is None and before is not None and _modifies(before):
        known = _modified(words)
    return _by_class(words) if known is None else known


def _known(words: Sequence[Feature]) -> int | None:
    """Of words with an accent of their own."""
    head, rest = words[0], words[1:]
    surface = "".join(word["string"] for word in words)
    if surface in _FLAT_ALONE or (head["string"] in ("何の", "他の", "そのため") and not rest):
        return 0
    if surface == "たくさんの":
        return 3
    if rest and rest[0]["string"] == "たち" and head["string"] in ("私", "わたし"):
        return 2
    if rest and rest[0]["pos"] == "名詞":
        return None
    return _OWN.get((head["string"], head["pron"].replace("’", "")))


def _modified(words: Sequence[Feature]) -> int | None:
    """Of nouns that have another accent after what modifies them."""
    head, rest = words[0], words[1:]
    if head["string"] == "人":
        return 2 if head["pron"].startswith("ヒ") and [word["string"] for word in rest] != ["の"] else None
    if not rest or rest[0]["string"] == "の":
        return None
    return _AFTER_WHAT_MODIFIES.get((head["string"], head["pron"]))


def _by_class(words: Sequence[Feature]) -> int | None:
    """By what the words are."""
    head, rest = words[0], words[1:]
    now: int = head["acc"]
    if not rest:
        return _of_one_word(head)
    if rest[0]["string"] == "さ" and rest[0]["pos_group1"] == "接尾":
        return measure_accent(head, now)
    if rest[0]["string"] == "ほど" and rest[0]["pos"] == "助詞":
        return dictionary_accent(head["string"])  # ほど changes no accent
    if head["pos"] == "接頭詞":
        return prefixed_accent(words)
    if head["pos"] == "名詞":
        compound = compound_accent(words)
        if compound is not None:
            return compound
        if rest[-1]["string"] == "の" and rest[-1]["pos"] == "助詞":
            return _before_no(words, now)
        if len(words) > 2 and words[1]["string"] == "の" and words[2]["string"] in ("中", "なか"):
            return _within(words)
        foreign = katakana_accent(head) if rest[0]["pos"] in _PARTICLES else None
        if foreign is not None:
            return foreign
    if head["pos"] == "形容詞":
        return adjective_accent(words, now)
    if head["pos"] == "動詞" or (rest[0]["pos"] == "動詞" and rest[0]["orig"] == "する"):
        return verb_accent(words)
    if now == 0 and head["pos"] == "名詞" and len(words) > 2 and "".join(w["string"] for w in words).endswith("だが"):
        return morae(words[:-1])
    return None


def _of_one_word(word: Feature) -> int | None:
    if word["pos"] == "動詞":
        return verb_accent([word])
    if word["pos"] == "形容詞":
        return adjective_accent([word], word["acc"])
    return katakana_accent(word) if word["pos"] == "名詞" else None


def _within(words: Sequence[Feature]) -> int | None:
    """中 behind a noun that loses its fall before の: 部屋のな'かで."""
    size = words[0]["mora_size"]
    return morae(words[:2]) + 1 if words[0]["acc"] == size > 1 and words[2]["pron"] == "ナカ" else None


def _modifies(before: Feature) -> bool:
    return before["pos"] in ("動詞", "形容詞", "助動詞") or (before["string"] == "の" and before["pos"] == "助詞")


def _before_no(words: Sequence[Feature], accent: int) -> int | None:
    """The fall after the last mora of a noun is lost before の."""
    nouns = words[:-1]
    if any(word["pos"] != "名詞" or word["pos_group1"] == "数" for word in nouns) or nouns[-1]["string"][-1:] == "つ":
        return None
    surface = "".join(word["string"] for word in nouns)
    size = morae(nouns)
    if surface in _FLAT_BEFORE_NO:
        return 0
    if accent == size > 1 and surface not in _NOT_FLAT_BEFORE_NO:
        return 0
    return None
