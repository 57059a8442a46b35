"""Accents of phrases that Open JTalk's own rules miss."""

from __future__ import annotations

import pytest

from koebin.engine.reading import Reading
from koebin.engine.text.frontend import analyze
from koebin.engine.text.kana import to_kana


@pytest.mark.parametrize(
    ("text", "kana"),
    [
        ("象の大きさに驚く。", "オーキサニ"),
        ("街の豊かさが分かる。", "ユタカ'サガ"),
        ("空は青いほど良い。", "アオ'イホド"),
        ("生活保護を受ける。", "セーカツホ'ゴヲ"),
        ("交通事故に遭う。", "コーツージ'コニ"),
        ("入学試験に落ちる。", "ニューガクシ'ケンニ"),
        ("平均値を見る。", "ヘーキ'ンチヲ"),
        ("机の上に置く。", "ウエ'ニ"),
        ("駅のところで待つ。", "トコロ'デ"),
        ("その件に関しては、知らない。", "カ'ンシテワ"),
        ("雇用されることを望む。", "コヨーサレルコト'ヲ"),
        ("ゆっくり歩きましょう。", "アルキマショ'ー"),
        ("電車に乗らねばならない。", "ノラネ'バ"),
        ("先生を困らせた。", "コマラ'セタ"),
        ("だれも来ない。", "ダレモ"),
        ("どこにも行かない。", "ドコニモ"),
        ("二人の家だ。", "フタリ'ノ"),
        ("部屋の中を見る。", "ヘヤノナ'カヲ"),
        ("大規模な工事だ。", "ダイキ'ボナ"),
        ("低所得者を助ける。", "テーショトク'シャヲ"),
        ("エドガーが来た。", "エ'ドガーガ"),
        ("デザインが良い。", "デザ'インガ"),
        ("誰とも言わないで。", "イワナ'イデ"),
        ("よく知られており、有名だ。", "シラレテオ'リ"),
        ("彼が言ったことを聞く。", "イッタコト'ヲ"),
        ("部屋は薄いが広い。", "ウス'イガ"),
        ("道は赤いが近い。", "アカ'イガ"),
        ("花は美しく咲く。", "ウツクシ'ク"),
        ("パンを食べてもらう。", "モラウ"),
        ("本を借りてもらう。", "カリテモラウ"),
    ],
)
def test_phrases(text: str, kana: str) -> None:
    spoken = to_kana(analyze(text))
    assert kana in spoken.rstrip("。").replace("、", "/").split("/"), spoken


def test_a_given_accent_holds() -> None:
    assert "セーカ'ツホゴヲ" in to_kana(analyze("生活保護を受ける。", readings=[Reading(0, 4, "セーカツホゴ", 3)]))
