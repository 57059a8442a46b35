"""pyopenjtalk-plus' own function decides what is right; its source decides which words its rules are for."""

import ast
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyopenjtalk
import pytest
from pyopenjtalk import _context_reading

from benchmarks.texts import EXAMPLES
from koebin.engine.text.corrections import NEIGHBOUR_VERBS, NEIGHBOUR_WORDS, _rules_for, _whisper, read_words
from koebin.engine.text.dictionary import Dictionary, Entry
from koebin.engine.text.normalize import normalize
from koebin.engine.text.openjtalk import _INSTANCES, mark_devoiced, plain_feature
from koebin.engine.text.sentences import split_sentences

GOLDEN = Path(__file__).parents[3] / "golden" / "text.jsonl"
TRIGGERS = [
    "水の面に月が映る。恥ずかしくて面を上げることができない。",
    "切れ味が鈍ってきた。痛みに堪えて歩く。",
    "修道尼と先生方が田舎寺で斧の柄を直す。",
    "名前は六三四です。二十を過ぎて大人になる。二十前に、九つ、十。",
    "海で船が覆って、多くの人が出た。崖の際に立つ。",
    "この社は神社の鳥居のそばにある。古い機で麻布を染める。",
    "何にも知らない。何で来たの。何を言う。",
    "盲・聾学校と、月〜金、金型、元結を結う髷。",
    "より良い町・村・市。より良い法の下の支配。",
    "上三桁、下二桁、茶屋、喜んで候、よかろう処。",
    "ヴァイオリンとスィートルームとテュービンゲン、イェール、グゥ。",
    "犍陀多と辻󠄀さんと髙橋さんが、時々刻々、こゝろ、ますゝ、代々々。",
    "武蔵の国の飛騨国は寒い。えーっとその人、あのー。",
    "風が強い風の人が出て来て、表の家の金を入れる。空の色と体の生。",
    "歩こう。ですう。ますう。んー。ッ。ーああ。",
    "博士課程と東高洲橋と高架橋、三丁目橋。",
    "昔、彡の字と犍陀多が、いた。",
    "アッと言うじゅう髪結い五月期の…",
    "棚2五月期もハたバシて…",
    "",
    "、、、",
]


def texts() -> Iterator[str]:
    for file in ("kumo_no_ito.txt", "yume_juya_1.txt"):
        yield from (sentence.text for sentence in split_sentences((EXAMPLES / file).read_text("utf-8")))
    yield from (json.loads(line)["text"] for line in GOLDEN.read_text("utf-8").splitlines())
    yield from TRIGGERS
    for word in sorted(NEIGHBOUR_WORDS | NEIGHBOUR_VERBS):
        yield f"その{word}の{word}を見て、先生{word}に十{word}言う。"


@pytest.mark.parametrize("dictionary", [None, Dictionary((Entry("犍陀多", "カンダタ"),))], ids=["plain", "dictionary"])
def test_words_are_corrected_as_pyopenjtalk_plus_does(dictionary: Dictionary | None) -> None:
    jtalk = _INSTANCES.get(dictionary)
    norms = [normalize(text).text for text in texts()]
    assert len(norms) > 370
    for norm in [*norms, "Ⅲ章の(^o^)顔。", "Ⅲ章", "髙島屋"]:
        assert _seen(read_words(norm, jtalk)) == _seen(pyopenjtalk.run_frontend(norm, jtalk=jtalk)), norm


def _seen(features: list[Any]) -> list[dict[str, Any]]:
    """Whether a reading was rewritten is told to nobody."""
    return [{key: value for key, value in word.items() if key != "is_reading_rewritten"} for word in features]


def test_a_phrase_that_goes_on_after_a_pause_is_whispered_by_its_accent() -> None:
    kana = {"区": "ク", "？": "？", "名": "ナ", "火": "ヒカ"}
    words = [plain_feature(word, said, "記号" if word == "？" else "名詞", 4) for word, said in kana.items()]
    features = [words[0], *({**word, "chain_flag": 1} for word in words[1:])]
    marked = [feature["pron"] for feature in mark_devoiced(features)]
    assert marked == ["ク", "？", "ナ", "ヒカ"]
    assert mark_devoiced(features[2:])[1]["pron"] == "ヒ’カ"
    _whisper(features, [3], _INSTANCES.get(None))
    assert [feature["pron"] for feature in features] == marked


def test_every_word_that_a_rule_is_for_is_asked() -> None:
    tables = {
        "_read_by_adjacent_word": {*_context_reading._ADJACENT_WORD_READINGS},
        "_read_compound_suffix": {*_context_reading._COMPOUND_SUFFIX_READINGS},
    }
    words: set[str] = set()
    verbs: set[str] = set()
    for function in ast.parse(inspect.getsource(_context_reading)).body:
        if isinstance(function, ast.FunctionDef) and function.name.startswith("_read_"):
            found = dict(_compared(function))
            assert found or function.name in tables, function.name
            asked = found.get("string", set()) | tables.get(function.name, set())
            words |= asked
            verbs |= set() if asked else found["orig"]
            rule = getattr(_context_reading, function.name)
            assert all(rule in _rules_for(word, word) for word in asked | found.get("orig", set())), function.name
    assert words == NEIGHBOUR_WORDS
    assert verbs == NEIGHBOUR_VERBS


def _compared(rule: ast.FunctionDef) -> Iterator[tuple[str, set[str]]]:
    """What a rule compares the word with that it is asked about, by field of the word."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(rule):
        if isinstance(node, ast.Compare) and (field := _field(ast.unparse(node.left))):
            constants = [part.value for part in ast.walk(node.comparators[0]) if isinstance(part, ast.Constant)]
            found.setdefault(field, set()).update(constants)
    yield from ((field, constants) for field, constants in found.items() if constants)


def _field(expression: str) -> str:
    names = {"surface": "string", "feature['string']": "string", "njd_features[index]['string']": "string"}
    return {**names, "feature['orig']": "orig", "njd_features[index]['orig']": "orig"}.get(expression, "")
