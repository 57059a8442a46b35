"""Accents of verbs and adjectives with what follows them.

Facts of the Tokyo accent: a flat verb stays flat with れる and られる, and falls with what follows ない, ておる, or
behind こと; an adverbial adjective of three morae falls a mora earlier than its dictionary form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from koebin.engine.text.accent_phrases import chained_accent, morae
from koebin.engine.text.features import Feature
from koebin.engine.text.openjtalk import dictionary_accent

_CLAUSE_ENDS: Final = frozenset(("が", "と", "で", "ので", "けど", "けれど", "けれども", "から", "なら", "し"))
"""Particles before which a flat adjective and a flat verb's ない fall: 赤'いが, 知らな'いで."""
_NOUNS: Final = frozenset(("こと", "事", "もの", "物", "とき", "時", "ところ"))
"""Nouns that fall after their last mora behind a flat verb."""
_FLAT_ENDINGS: Final = frozenset(("て", "で", "い", "き", "さ", "せ", "れ", "られ", "し"))
"""Forms that leave a flat verb flat where more follows."""
_MODIFYING: Final = frozenset(("た", "だ", "いる", "れる", "られる"))


def measure_accent(head: Feature, accent: int) -> int | None:
    """Of an adjective's noun in さ: flat after three morae (大きさ), else no earlier than the end of a な-adjective."""
    size: int = head["mora_size"]
    if head["pos"] == "形容詞":
        return 0 if size == 3 else None
    return size if 0 < accent < size and head["pron"][-1] not in "ーン" else None


def adjective_accent(words: Sequence[Feature], accent: int) -> int | None:
    """An adjective that is not flat falls a mora earlier in its forms く, かった, ければ."""
    head, rest = words[0], words[1:]
    own = dictionary_accent(head["orig"])
    if own == 0 == accent and rest and head["cform"] == "基本形" and rest[0]["string"] in _CLAUSE_ENDS:
        return int(head["mora_size"]) - 1
    if not own or own < 2 or not head["cform"].startswith(("連用", "仮定")):
        return None
    if own > 2 and head["orig"] not in ("大きい", "小さい"):
        return own if 0 < accent < own else None
    if rest and rest[0]["string"] == "なる" and accent != own:
        return None
    return own - 1 if accent == own or accent >= head["mora_size"] else None


def verb_accent(words: Sequence[Feature]) -> int | None:
    """Verbs with what follows them: れる, られる, ば, と, が, ず, たい, ながら, ておる."""
    head = words[0]
    place = 1 if head["pos"] == "動詞" else 2
    own = dictionary_accent(head["orig"]) if place == 1 else _noun_accent(words)
    if own is None or len(words) < place:
        return None
    stem = morae(words[:place])
    rest = words[place:]
    names = [word["string"] for word in rest]
    if not names:
        return 3 if head["orig"].endswith("ずる") and head["mora_size"] == 4 and head["cform"] == "基本形" else None
    flat = _flat_verb(stem, rest) if own == 0 else None
    if flat is not None:
        return flat
    if rest[0]["orig"] in ("れる", "られる", "せる", "させる") and rest[0]["pos"] == "動詞":
        return _passive(place, own, stem, rest)
    if "ましょ" in names:
        return stem + morae(rest[: names.index("ましょ") + 1])
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


def _flat_verb(stem: int, rest: Sequence[Feature]) -> int | None:
    """What follows a flat verb and brings a fall: 知られてお'り, 言わな'いで, 知っていること'を."""
    names = [word["string"] for word in rest]
    first = next((index for index, name in enumerate(names) if name not in _FLAT_ENDINGS), len(names))
    if first == len(names):
        return None
    size = stem + morae(rest[:first])
    name, behind = names[first], names[first + 1 :]
    if name == "おり" and not behind and names[first - 1] in ("て", "で"):
        return size + 1
    if name == "ない" and behind and behind[0] in _CLAUSE_ENDS:
        return size + 1
    if name in _MODIFYING and behind and behind[0] in _NOUNS:
        return stem + morae(rest[: first + 2])
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
