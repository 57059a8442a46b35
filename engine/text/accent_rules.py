"""Accents of the common language that Open JTalk's rules miss; phrases are ``accent_phrases``' matter.

Facts of the Tokyo accent: a fall after a noun's last mora is lost before の; a flat verb stays flat with れる and
られる; an adverbial adjective falls a mora earlier than its dictionary form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from koebin.engine.text.accent_phrases import chained_accent, divide_phrases, phrase_spans
from koebin.engine.text.features import Feature
from koebin.engine.text.katakana import is_katakana_reading
from koebin.engine.text.openjtalk import dictionary_accent

_PARTICLES: Final = ("助詞", "助動詞")
_FLAT_ALONE: Final = frozenset(
    ("昨日", "きのう", "一番", "いちばん", "半分", "沢山", "たくさん", "何も", "誰も", "だれも", "誰にも", "だれにも")
)
_OWN: Final = {
    ("関し", "カンシ"): 1,
    ("応じ", "オージ"): 1,
    ("もっとも", "モットモ"): 3,
    ("きちんと", "キチント"): 2,
    ("あろ", "アロ"): 2,
    ("事", "コト"): 2,
    ("大半", "タイハン"): 3,
}
"""Words at the head of a phrase, by their pronunciation, with the accent that the dictionary does not give them."""
_AFTER_WHAT_MODIFIES: Final = {("上", "ウエ"): 2, ("ところ", "トコロ"): 3, ("日", "ヒ"): 1, ("国", "クニ"): 2}
"""Nouns that are flat alone and fall on their last mora after what modifies them, before a particle."""
_FLAT_BEFORE_NO: Final = frozenset(("何", "他", "ほか", "日本", "明日", "あした", "昨日", "きのう", "向こう"))
_NOT_FLAT_BEFORE_NO: Final = frozenset(("次", "世", "よそ", "他所", "人"))


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
    if rest and rest[0]["string"] == "たち" and head["string"] in ("私", "わたし"):
        return 2
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
        return _verb(words) if head["pos"] == "動詞" else _adjective(words, now) if head["pos"] == "形容詞" else None
    if rest[0]["string"] == "さ" and rest[0]["pos_group1"] == "接尾":
        return _measure(head, now)
    if rest[0]["string"] == "ほど" and rest[0]["pos"] == "助詞":
        return dictionary_accent(head["string"])  # ほど changes no accent
    if head["pos"] == "名詞":
        compound = _compound(words)
        if compound is not None:
            return compound
        if rest[-1]["string"] == "の" and rest[-1]["pos"] == "助詞":
            return _before_no(words, now)
    if head["pos"] == "形容詞":
        return _adjective(words, now)
    if head["pos"] == "動詞" or (rest[0]["pos"] == "動詞" and rest[0]["orig"] == "する"):
        return _verb(words)
    if now == 0 and head["pos"] == "名詞" and len(words) > 2 and "".join(w["string"] for w in words).endswith("だが"):
        return _size(words[:-1])
    return None


def _size(words: Sequence[Feature]) -> int:
    """In morae."""
    return sum(int(word["mora_size"]) for word in words)


def _modifies(before: Feature) -> bool:
    return before["pos"] in ("動詞", "形容詞", "助動詞") or (before["string"] == "の" and before["pos"] == "助詞")


def _before_no(words: Sequence[Feature], accent: int) -> int | None:
    """The fall after the last mora of a noun is lost before の."""
    nouns = words[:-1]
    if any(word["pos"] != "名詞" or word["pos_group1"] == "数" for word in nouns) or nouns[-1]["string"][-1:] == "つ":
        return None
    surface = "".join(word["string"] for word in nouns)
    size = _size(nouns)
    if surface in _FLAT_BEFORE_NO:
        return 0
    if accent == size > 1 and surface not in _NOT_FLAT_BEFORE_NO:
        return 0
    return None


def _compound(words: Sequence[Feature]) -> int | None:
    """Of compounds with an ending that has an accent of its own: 交通事'故, 入学試験, 平均値, 船田氏; 一回 alone."""
    last = next((index for index in range(len(words) - 1, 0, -1) if words[index]["pos"] == "名詞"), 0)
    ending = words[last]["string"]
    size = _size(words[:last])
    if not last:
        return None
    if ending == "回" and words[0]["pos_group1"] == "数" and last == len(words) - 1:
        return 0
    foreign = is_katakana_reading(words[last - 1]["string"]) and is_katakana_reading(ending)
    if ending == "試験" or (not foreign and _falls_on_its_first_of_two(words[last])):
        return size + 1
    if ending in ("値", "氏") and (ending == "値" or not words[0]["acc"]):
        return size - 1 if words[last - 1]["pron"][-1] in "ーンッ" else size
    return None


def _falls_on_its_first_of_two(word: Feature) -> bool:
    """Whether it is a noun of two morae that is no suffix and falls after its first: ビル, 保護."""
    free = word["pos_group1"] in ("一般", "サ変接続") and word["mora_size"] == 2 and len(word["string"]) > 1
    return bool(free and dictionary_accent(word["string"]) == 1)


def _measure(head: Feature, accent: int) -> int | None:
    """Of an adjective's noun in さ: flat after three morae (大きさ), else no earlier than the end of a な-adjective."""
    size: int = head["mora_size"]
    if head["pos"] == "形容詞":
        return 0 if size == 3 else None
    return size if 0 < accent < size and head["pron"][-1] not in "ーン" else None


def _adjective(words: Sequence[Feature], accent: int) -> int | None:
    """An adjective that is not flat falls a mora earlier in its forms く, かった, ければ."""
    head, rest = words[0], words[1:]
    own = dictionary_accent(head["orig"])
    if not own or own < 2 or not head["cform"].startswith(("連用", "仮定")):
        return None
    if rest and rest[0]["string"] == "なる" and accent != own:
        return None
    return own - 1 if accent == own or accent >= head["mora_size"] else None


def _verb(words: Sequence[Feature]) -> int | None:
    """Verbs with what follows them: れる, られる, ば, と, が, ず, たい, ながら, ておる."""
    head = words[0]
    place = 1 if head["pos"] == "動詞" else 2
    own = dictionary_accent(head["orig"]) if place == 1 else _noun_accent(words)
    if own is None or len(words) < place:
        return None
    stem = _size(words[:place])
    rest = words[place:]
    names = [word["string"] for word in rest]
    if not names:
        return 3 if head["orig"].endswith("ずる") and head["mora_size"] == 4 and head["cform"] == "基本形" else None
    if rest[0]["orig"] in ("れる", "られる", "せる", "させる") and rest[0]["pos"] == "動詞":
        return _passive(place, own, stem, rest)
    if "ましょ" in names:
        return stem + _size(rest[: names.index("ましょ") + 1])
    if names == ["て", "おり"] and own == 0:
        return stem + 2
    if names == ["が"] and rest[0]["pos_group1"] == "接続助詞" and own == 0 and words[place - 1]["cform"] == "基本形":
        return stem
    if place == 2:
        return None
    if names == ["ば"] and head["pos"] == "動詞" and head["mora_size"] == 2 and own:
        return 1
    if names[0] == "ね" and names[1:] == ["ば"]:
        return stem if own else stem + 1
    if names[0] == "ず" and head["orig"] not in ("関わる", "かかわる"):
        return stem if own or head["orig"] == "する" else 0
    if rest[0]["orig"] == "たい" and own:
        return stem + 1
    if names[0] == "ながら" and own == 0:
        return 0
    return None


def _noun_accent(words: Sequence[Feature]) -> int | None:
    """Of the noun before する."""
    noun = words[0]
    return dictionary_accent(noun["string"]) if noun["pos"] == "名詞" else None


def _passive(place: int, own: int, stem: int, rest: Sequence[Feature]) -> int | None:
    """A flat verb stays flat with れる and せる, and goes on as a flat verb does; another falls before た and て."""
    ending = [word["string"] for word in rest[1:]]
    if own == 0:
        if not ending or ending[0] in ("た", "て", "の"):
            return 0 if len(ending) < 2 or place == 2 else None
        flat = {**rest[0], "acc": 0, "mora_size": stem + rest[0]["mora_size"]}
        return chained_accent([flat, *rest[1:]])
    if place == 2:
        return own
    if (not ending and rest[0]["cform"].startswith("連用")) or (ending and ending[0] in ("た", "て")):
        return stem if rest[0]["mora_size"] == 1 else stem + 1
    return None
