"""Normalisation of a text before Open JTalk sees it."""

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koebin.engine.text.compatibility import _CLUSTER, fold_cluster
from koebin.engine.text.mapped import MappedText
from koebin.engine.text.normalize import _PLAIN, _PLAIN_RULES, _apply, _rewrite, _tidy, normalize

CASES = r"""
100%だよ | 100パーセントだよ
A＆B | AアンドB
男/女 | 男スラッシュ女
Vol.2とVer.2.0とH.264 | Vol 2とバージョン 2.0とH 264
A.D.2000とA.B.C社 | AD2000とABC社
10²とx^2と5m³ | 10の2乗とxの2乗と5m3
1+1=2 3×4÷2±1 | 1プラス1イコール2 3かける4割る2プラスマイナス1
5〜10個と東京〜大阪とそうだね〜 | 5から10個と東京から大阪とそうだねー
ジョン・スミスと山田・佐藤 | ジョン スミスと山田、佐藤
三点…と中黒・・・と‥ | 三点…と中黒…と‥
「はい」『はい』〈はい〉（笑） | 「はい」「はい」「はい」「笑」
ダッシュ――のある文 | ダッシュ――のある文
①②、Ⅲ㈱㍿㋿½ｶﾞ | 1、2、3株式会社株式会社令和2分の1ガ
ゟとヿ | よりとコト
〇〇さんと○○さんと〇 | 〇〇さんと〇〇さんとまる
え\nっと。\nはい\r\n\r\nうん | え。っと。はい。うん
空白　 全角\tです | 空白 全角 です
は い 。 う ん | は い。う ん
🎉お祝い👨‍👩‍👧です🎉 | お祝い です
か\u0301な\ufe0f\u200b | かな
٣個 | 3個
二三枚と十五六人と四五日と三四ヶ月 | 二、三枚と十五、六人と四、五日と三、四ヶ月
昭和二三年五月二三日七時二三分第二三回 | 昭和二三年五月二三日七時二三分第二三回
一九五六年と二三百人と二三が六 | 一九五六年と二三百人と二三が六
第一章　朝 | 第一章、朝
十二　晴れの日 | 十二、晴れの日
一人　二人 | 一人 二人
café naïve Москва 안녕 | カフェ ネイヴ モスクバ アンニョン
""".strip().splitlines()


@pytest.mark.parametrize("case", CASES)
def test_rewritten(case: str) -> None:
    text, expected = case.split(" | ")
    text = re.sub(r"\\u(....)", lambda match: chr(int(match.group(1), 16)), text)
    text = text.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t")
    assert normalize(text).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello world, this is a pen.", "Hello world、this is a pen。"),
        ("PyTorchとGitHub", "パイトーチとギットハブ"),
        ("HayaKoe", "ハヤ コー"),
        ("breakfast", "ブレックファスト"),
        ("NASAとKPI", "NASAとKPI"),
        ("IoT", "IOT"),
        ("I'm fine. Don’t", "アイム ファイン。ドント"),
        ("'Hello'と'World'", "「Hello」と」World」"),
        ("U.S.A.とMr. Smith", "USAとミスター Smith"),
        ("info@example.com", "infoアットマークexampleドットcom"),
        ("C#と#1と#タグ", "Cシャープとナンバーワンとハッシュタグタグ"),
        ("1stと10th", "ファーストと10番目"),
        ("x" * 60, "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"),
        ("pqrst", "PQRST"),
    ],
)
def test_latin_words(text: str, expected: str) -> None:
    assert normalize(text).text == expected


def test_protected_words_are_left_alone() -> None:
    assert normalize("PyTorchとC++と10:30", ["PyTorch", "C++"]).text == "PyTorchとC++と10時30分"
    assert normalize("MAILとAI", ["AI"]).text == "MAILとAI"
    assert normalize("AT&Tと&", ["AT&T"]).text == "AT&Tとアンド"


def test_a_letter_that_cannot_be_read_is_left_out() -> None:
    assert normalize("これはกです。นี้と言う").text == normalize("これはです。と言う").text


@settings(deadline=None)
@given(st.text(max_size=40))
def test_only_known_characters_come_out(text: str) -> None:
    mapped = normalize(text)
    assert len(mapped.text) == len(mapped.starts) == len(mapped.ends)
    assert list(mapped.starts) == sorted(mapped.starts)
    assert all(0 <= start < end <= len(text) for start, end in zip(mapped.starts, mapped.ends, strict=True))
    assert not any(unicodedata.category(char) in ("Cn", "Cc", "Cf", "Co") for char in mapped.text)
    assert not set(mapped.text) & set("%℃&/+=:;(),！？")


@given(st.text("あゖアヶーヽゞ一二三四五六七八九十百人枚日月火年時第明治龠々、。「」『』!?―—株北京漢", min_size=1))
def test_a_text_of_kana_kanji_and_marks_needs_few_rules(text: str) -> None:
    assert _PLAIN.fullmatch(text)
    mapped = MappedText.of(text)
    assert _apply(_PLAIN_RULES, mapped) == _tidy(_rewrite(mapped))


def test_characters_that_are_not_looked_at_alone_stand_for_themselves() -> None:
    alone = [chr(code) for code in (*range(0xD800), *range(0xE000, 0x20000)) if not _CLUSTER.match(chr(code))]
    assert len(alone) > 20_000
    assert all(fold_cluster(char) == char for char in alone)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("おはよう(^_^)/またね", "おはよう、またね"),
        ("(´；ω；`)と(笑)と(A)", "、と「笑」と「A」"),
        ("笑ったwww", "笑ったワラ"),
        ("=====", ""),
        ("サ−バ−とサーバ－", "サーバーとサーバー"),
        ("ルイ＝フィリップ", "ルイ フィリップ"),
        ("××社", "バツバツ社"),
        ("カップ3½杯", "カップ3と2分の1杯"),
        (".NETとNode.js", "ドットNETとノードドットJS"),
        ("え" * 40, "え" * 24),
        ("東\u200b \u200b京", "東京"),
        ("𠮟る山﨑〼", "叱る山崎ます"),
        ("二十五六の男", "二十五、六の男"),
    ],
)
def test_what_people_write(text: str, expected: str) -> None:
    assert normalize(text).text == expected
