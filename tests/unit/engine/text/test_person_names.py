"""Names of persons: Sudachi's reading where Open JTalk takes them for something else, its own where it knows them."""

from __future__ import annotations

import pytest

from koebin.engine.reading import Reading
from koebin.engine.text.frontend import analyze


def said(text: str, *readings: Reading) -> str:
    return "".join(node.pron for node in analyze(text, readings=readings).nodes).replace("’", "")


@pytest.mark.parametrize(
    ("text", "kana"),
    [
        ("星野源が歌う。", "ホシノゲンガウタウ、"),
        ("直人の家に行く。", "ナオトノイエニイク、"),
        ("幸子は泣いた。", "サチコワナイタ、"),
        ("大谷翔平選手。", "オータニショーヘーセンシュ、"),
        ("劉暁波の本。", "リューギョーハノホン、"),
        ("三四郎と美禰子。", "サンシロートミネコ、"),
        ("岸田文雄が来た。", "キシダフミオガキタ、"),
        ("須藤さんと智子さん。", "スドーサントトモコサン、"),
        ("利子を払う。", "リシヲハラウ、"),
    ],
)
def test_names_of_persons(text: str, kana: str) -> None:
    assert said(text) == kana


def test_a_given_reading_of_a_name_holds() -> None:
    assert said("直人の家に行く。", Reading(0, 2, "ナオヒト")) == "ナオヒトノイエニイク、"
