"""Words that Open JTalk takes for suffixes although they stand free, and 方 and 君, by the words beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from koebin.engine.text.features import Feature
from koebin.engine.text.rereading import reread

_FREE: Final = {
    # word: reading and accent where it stands alone
    **dict(
        (pair.split("=")[0], (pair.split("=")[1][:-1], int(pair[-1])))
        for pair in """
        人=ヒト0 国=クニ0 山=ヤマ2 家=イエ2 年=トシ2 日=ヒ0 月=ツキ2 者=モノ2 物=モノ2 所=トコロ0 時=トキ2 心=ココロ2 血=チ0 目=メ1
        手=テ1 口=クチ0 名=ナ0 首=クビ0 話=ハナシ3 車=クルマ0 力=チカラ3 神=カミ1 星=ホシ0 島=シマ2 川=カワ2 橋=ハシ2 寺=テラ2
        城=シロ0 社=ヤシロ1 船=フネ1 品=シナ0 店=ミセ2 村=ムラ2 町=マチ2 道=ミチ0 主=ヌシ1 君=キミ0 色=イロ2 形=カタチ0 数=カズ1
        歌=ウタ2 声=コエ1 音=オト2 薬=クスリ0 酒=サケ0 魚=サカナ0 肉=ニク2 油=アブラ0 味=アジ0 紙=カミ2 病=ヤマイ1 罪=ツミ1
        刀=カタナ3 板=イタ1 木=キ1 石=イシ2 草=クサ2 花=ハナ2 鳥=トリ0 犬=イヌ2 虫=ムシ0 水=ミズ0 火=ヒ1 風=カゼ0 雨=アメ1 雪=ユキ2
        海=ウミ1 空=ソラ1 森=モリ0 谷=タニ2 畑=ハタケ0 庭=ニワ0 門=モン1 窓=マド1 戸=ト0 壁=カベ0 床=ユカ0 部屋=ヘヤ2 机=ツクエ0
        箱=ハコ0 袋=フクロ3 服=フク2 靴=クツ2 傘=カサ1 鏡=カガミ3 母=ハハ1 父=チチ2 兄=アニ1 姉=アネ0 妹=イモート4 弟=オトート4
        妻=ツマ1 夫=オット0 娘=ムスメ3 顔=カオ0 頭=アタマ3 足=アシ2 耳=ミミ2 鼻=ハナ0 歯=ハ1 髪=カミ2 胸=ムネ2 腹=ハラ2 腰=コシ0
        骨=ホネ2 肌=ハダ1 声=コエ1 夢=ユメ2 命=イノチ1 朝=アサ1 昼=ヒル2 夜=ヨル1 春=ハル1 夏=ナツ2 秋=アキ1 冬=フユ2 園=ソノ1
        訳=ワケ1 旅=タビ2 罠=ワナ1 鍵=カギ2 刃=ハ1 剣=ケン1 矢=ヤ1 弓=ユミ2 玉=タマ2 型=カタ2 側=ガワ0 癖=クセ2 船=フネ1 橋=ハシ2
        """.split()
    )
}
_BEFORE: Final = frozenset(("助詞", "助動詞", "動詞", "形容詞", "連体詞", "記号", "接続詞", "感動詞"))
_AFTER: Final = frozenset(("助詞", "助動詞", "記号"))
_BETTER: Final = re.compile(
    "^(良|よ[いかくさけ]|いい|ま[しだず]|早|速|多|少|高|安|強|好|楽|簡単|無難|賢|得|大き|小さ|優|上|面白|楽し|美味|おいし|正し|自然|効|便利|難|ずっと|"
    "はるか|遥か|断然|適|確|望|ふさわし|かえって|もっと|むしろ|ベター|お得|身の|効率|うま|悪|遅|重|軽|近|遠|長|短|危|怖|つら|辛|大事|大切|重要|嬉|うれし)"
)
_TOWARDS: Final = re.compile("[にへを](向|見|歩|走|近|寄|目|視線|顔|逃|飛|振|進|駆)")
_MEASURES: Final = frozenset(
    "大きい 小さい 高い 低い 早い 速い 遅い 遠い 近い 強い 弱い 良い よい いい 悪い 多い 少ない 安い 新しい 古い 長い 短い 明るい 暗い "
    "広い 狭い 深い 浅い 太い 細い 厚い 薄い 重い 軽い 濃い 右 左 前 後ろ 上 下 東 西 南 北".split()
)
_PLACES: Final = frozenset(
    "こちら そちら あちら どちら こっち そっち あっち どっち 東 西 南 北 右 左 前 後ろ 後 上 下 奥 先 中 外 横 隣 向こう 遠く 近く 山 海 川 家 "
    "駅 町 村 街 自分 私 僕 俺 あなた 君 彼 彼女 会社 こと もの 仕事 手前 端 裏 表 窓 入口 出口 海岸 森 空 北東 北西 南東 南西 双方 両方 "
    "片方 ほう 味 値段 体 身体 頭 足 手 心 気持ち".split()
)
_PERSONS: Final = re.compile(
    "者$|様$|人$|員$|客$|族$|婦$|師$|士$|家$|^(一般|希望|利用|お?住まい|ご?覧|参加|経験|在住|出身|勤務|お?勤め|興味|大勢|多く|女性|男性|高齢|"
    "年配|年輩|目上|地元|近所|プロ|担当|遺族|病気|障害|障がい|妊娠|学生|会員|初めて|はじめて|すべて|全て|全員|他|ほか|以上|未満|以下|以外|普通|"
    "本人|土地|現地|初心|お?持ち|お?子様連れ|お?車|予約|購入|登録|応募|検討|相談|希望|入会|見学|来店|来場|使用|独身|未婚|既婚|お?悩み|"
    "たくさん|沢山|年上|年下|同年代|中高年|若年|シニア|ご?年配|ファン|スタッフ|マニア|ユーザー|オーナー|リピーター|ビギナー|海外|外国|国内|"
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
        elif surface in _FREE and _stands_free(features, index) and _is_bound_form(feature):
            pron, accent = _FREE[surface]
            reread(features, index, pron, accent)
        elif surface in ("は", "へ") and feature["pos"] == "助詞" and _is_cut_off(features, index):
            reread(features, index, {"は": "ハ", "へ": "ヘ"}[surface])


def _stands_free(features: Sequence[Feature], index: int) -> bool:
    before = features[index - 1]["pos"] if index else "記号"
    after = features[index + 1]["pos"] if index + 1 < len(features) else "記号"
    return before in _BEFORE and after in _AFTER


def _is_bound_form(feature: Feature) -> bool:
    """A suffix, or a reading of the kind that only compounds have."""
    return feature["pos_group1"] == "接尾" or feature["pos"] == "接頭詞"


def _is_cut_off(features: Sequence[Feature], index: int) -> bool:
    """Between two marks, or at the very beginning before one: a sound that is repeated or cut short."""
    before = index == 0 or features[index - 1]["string"] in "、。「"
    return before and index + 1 < len(features) and features[index + 1]["string"] in ("、", "…", "‥", "!", "！")


def _has_adjective(features: Sequence[Feature], start: int) -> bool:
    """Within the next words, where two things are compared."""
    return any(word["pos"] == "形容詞" or word["pos_group1"] == "形容動詞語幹" for word in features[start : start + 10])


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
        person = not compared and before["orig"] not in _MEASURES
    elif before["pos"] == "連体詞" and before["string"] in ("この", "その", "あの", "どの"):
        person = following[:1] in "はのにをともへがでや" and not compared and bool(following)
    elif before["string"] == "の" and index > 1:
        noun = features[index - 2]["string"]
        if noun not in _PLACES and _PERSONS.search(noun):
            person = not compared and not (following.startswith("が") and _has_adjective(features, index + 2))
            person = person and not _TOWARDS.match(following)
    if person is True:
        reread(features, index, "カタ", 2)
    elif person is False and features[index]["pron"].startswith("カ"):
        reread(features, index, "ホー", 1)
