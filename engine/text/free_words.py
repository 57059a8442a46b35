"""Words that Open JTalk takes for suffixes although they stand free, and 方 and 君, by the words beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Final

from koebin.engine.text.features import Feature
from koebin.engine.text.rereading import reread

_BEFORE: Final = frozenset(("助詞", "助動詞", "動詞", "形容詞", "連体詞", "記号", "接続詞", "感動詞", "副詞"))
_AFTER: Final = frozenset(("助詞", "助動詞", "記号"))
_BETTER: Final = re.compile(
    "^(良|よ[いかくさけ]|いい|ま[しだず]|早|速|多|少|高|安|強|好|楽|大き|小さ|優|上|悪|遅|重|軽|近|遠|長|短|危|怖|つら|辛|嬉|うれし|"
    "簡単|無難|賢|得|面白|楽し|美味|おいし|正し|自然|効|便利|難|ずっと|はるか|遥か|断然|適|確|望|ふさわし|かえって|もっと|むしろ|"
    "ベター|お得|身の|うま|大事|大切|重要)"
)
_BEFORE_NO_PARTICLE: Final = frozenset(("な", "を", "が", "この", "その", "あの", "どの"))
"""Words that neither は nor へ follows as a particle."""
_TOWARDS: Final = re.compile("[にへを](向|見|歩|走|近|寄|目|視線|顔|逃|飛|振|進|駆)")
_PERSONS: Final = re.compile(
    "者$|様$|人$|員$|客$|族$|婦$|師$|士$|家$|^(一般|希望|利用|お?住まい|ご?覧|参加|経験|在住|出身|勤務|お?勤め|興味|大勢|多く|女性|男性|高齢|"
    "年配|年輩|目上|地元|近所|プロ|担当|遺族|病気|障害|障がい|妊娠|学生|会員|初めて|はじめて|すべて|全て|全員|他|ほか|以上|未満|以下|以外|普通|"
    "本人|土地|現地|初心|お?持ち|お?子様連れ|お?車|予約|購入|登録|応募|検討|相談|希望|入会|見学|来店|来場|使用|独身|未婚|既婚|お?悩み|"
    "たくさん|沢山|年上|年下|同年代|中高年|若年|シニア|ご?年配|ファン|フロント|受付|係|専門|現場|スタッフ|マニア|ユーザー|オーナー|リピーター|ビギナー|海外|外国|国内|"
    "県内|県外|市内|市外|遠方|都内|関西|関東|東京|大阪|[0-9]+代|代)$"
)


def read_free_words(features: list[Feature]) -> None:
    """Give such words the reading that their place demands, in place."""
    for index, feature in enumerate(features):
        surface = feature["string"]
        if feature["is_reading_protected"]:
            continue
        if surface == "方" and feature["pos"] == "名詞":
            _read_kata(features, index)
        elif surface == "対" and _is_score(features, index):
            reread(features, index, "タイ", 1)
        elif surface in _free() and _stands_free(features, index) and _is_bound_form(feature):
            pron, accent = _free()[surface]
            reread(features, index, pron, accent)
        elif surface in ("は", "へ") and feature["pos"] == "助詞" and _is_no_particle(features, index):
            reread(features, index, {"は": "ハ", "へ": "ヘ"}[surface])


@cache
def _free() -> dict[str, tuple[str, int]]:
    """Reading and accent of each word where it stands alone."""
    lines = [line.split(" ") for line in _lines("free_words.txt")]
    return {word: (reading[:-1], int(reading[-1])) for word, reading in lines}


@cache
def _sides() -> dict[str, frozenset[str]]:
    return {line.split(" ")[0]: frozenset(line.split(" ")[1:]) for line in _lines("sides.txt")}


def _lines(name: str) -> list[str]:
    text = (resources.files("koebin.engine.text") / "data" / name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _stands_free(features: Sequence[Feature], index: int) -> bool:
    if index and features[index]["string"] != "時" and features[index - 1]["pos_group1"] in ("代名詞", "副詞可能"):
        before = "副詞"
    else:
        before = features[index - 1]["pos"] if index else "記号"
    after = features[index + 1]["pos"] if index + 1 < len(features) else "記号"
    return before in _BEFORE and after in _AFTER


def _is_score(features: Sequence[Feature], index: int) -> bool:
    """Between two numbers."""
    around = features[max(index - 1, 0) : index + 2]
    return len(around) == 3 and around[0]["pos_group1"] == around[2]["pos_group1"] == "数"


def _is_bound_form(feature: Feature) -> bool:
    """A suffix, or a reading of the kind that only compounds have."""
    return bool(feature["pos_group1"] == "接尾" or feature["pos"] == "接頭詞")


def _is_no_particle(features: Sequence[Feature], index: int) -> bool:
    """Whether a は or へ begins a word that no dictionary has: behind な, この or を (特別なはからい), or cut off."""
    before = features[index - 1] if index else None
    if before is None or before["pos"] not in ("助詞", "助動詞", "連体詞"):
        return _is_cut_off(features, index)
    never = _BEFORE_NO_PARTICLE if features[index]["string"] == "は" else _BEFORE_NO_PARTICLE | {"に", "は", "も"}
    return before["string"] in never


def _is_cut_off(features: Sequence[Feature], index: int) -> bool:
    """Between two marks, or at the very beginning before one: a sound that is repeated or cut short."""
    before = index == 0 or features[index - 1]["string"] in "、。「"
    return before and index + 1 < len(features) and features[index + 1]["string"] in ("、", "…", "‥", "!", "！")


def _has_adjective(features: Sequence[Feature], start: int) -> bool:
    """Within the next words, where two things are compared."""
    for word in features[start : start + 10]:
        if word["pos"] == "形容詞" or word["pos_group1"] == "形容動詞語幹":
            return True
        if word["pos"] == "動詞" and word["pos_group1"] == "自立":
            return False
    return False


def _read_kata(features: Sequence[Feature], index: int) -> None:
    """方: カタ for a person, ホー for a side or the better of two."""
    if not index or features[index]["pos_group1"] == "接尾":
        return
    before = features[index - 1]
    following = "".join(word["string"] for word in features[index + 1 : index + 5])
    compared = following.startswith("が") and _BETTER.match(following[1:].lstrip("、"))
    person = None
    if before["pos"] in ("動詞", "助動詞"):
        if before["string"] == "な":
            person = not compared
        elif before["string"] in ("た", "だ", "たい", "ない") or before["cform"] in ("基本形", "体言接続"):
            person = (
                following[:1] in "はもをへとでかにの、。やだが" and not compared and not following.startswith("がい")
            )
            person = bool(
                person or re.match("が(いらっしゃ|い(る|ま|た(ら|の|)|ない)|お(られ|り|ら)|多い|増え|来)", following)
            )
            if before["string"] == "ない" and following.startswith("がい"):
                person = bool(re.match("がい(らっしゃ|ま)", following))
            if following.startswith(("向", "角", "面")):
                person = None
    elif before["pos"] == "形容詞":
        person = not compared and before["orig"] not in _sides()["measure"]
    elif before["pos"] == "連体詞" and before["string"] in ("この", "その", "あの", "どの"):
        person = following[:1] in "はのにをともへがでや" and not compared and bool(following)
    elif before["string"] == "の" and index > 1:
        noun = features[index - 2]["string"]
        if noun not in _sides()["place"] and _PERSONS.search(noun):
            person = not compared and not (following.startswith("が") and _has_adjective(features, index + 2))
            person = person and not _TOWARDS.match(following)
    if person is True:
        reread(features, index, "カタ", 2)
    elif person is False and features[index]["pron"].startswith("カ"):
        reread(features, index, "ホー", 1)
