"""Growth of the work with the input: of every reader and every stage of the front end, over what its grammar repeats.

Work is counted, not timed: calls of Python's functions and of C's. What a regular expression does within one call is
not seen so: patterns are judged by their shape.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import FrameType, ModuleType
from typing import Any, Final

import pytest

import koebin.engine.text
import koebin.producers.formats
from koebin.engine.errors import KoebinError
from koebin.engine.text.checks import check_text
from koebin.engine.text.doubts import doubts
from koebin.engine.text.frontend import analyze_utterances
from koebin.engine.text.kana import analyze_kana
from koebin.engine.text.sentences import split_long, split_sentences
from koebin.engine.text.unreadable import find_unreadable
from koebin.producers.formats.load import parse_script
from koebin.producers.formats.source import Format, source_from
from koebin.producers.formats.speaker_names import Voice
from koebin.tasks.contracts import Pauses
from koebin.tasks.jobs.planning import sentences
from koebin.tasks.script import Passage

LARGEST: Final = 1.3
"""Growth of the second increment over twice the first: 1 is linear, 2 is the square."""
BASE: Final = 200
"""Characters of the smallest input."""
SHARED: Final = (
    "あ", "1", "a", " ", "　", "。", "！？", "…", "「", "」", "、", "\n", "\n\n", "(", "\"", "あ。」と", "は「い。\"と",
    "\u0301", "か\u3099", "👨\u200d", "①", "漢", "ー", "々", "ゝ", "www", "1.", "1,", "1/", "1-", "1:", "A", "^_^", "—",
    "一", "二三", "$1", "https://a.jp/?q=", "@", "#", "𓀀", "\ue123", "Ⅳ", "km", "\u200b",
)  # fmt: skip
"""Shapes of any text."""
MARKUP: Final = (
    "[", "]", "[/x]", "[pause:1]", "[speed:1]あ[/speed]", "[speed:1]", "｜", "《", "》", "｜漢《かん》", "漢《かん》",
    "《《あ》》", "\\", "\\｜", "漢《か", "[link=x]",
)  # fmt: skip
XML: Final = ("<", ">", "&", "&amp;", "&#12354;", "<!--", "<!--x-->", "<p>あ</p>", "<p>", "</p>", "<![CDATA[", "<?x ")
SHAPES: Final[dict[Format, tuple[str, ...]]] = {
    "text": MARKUP,
    "aozora": (
        *MARKUP,
        "［＃",
        "］",
        "［＃改頁］",
        "※［＃「てへん＋劣」、第3水準1-84-77］",
        "※［＃「",
        "／＼",
        "※",
        "［＃「あ」に傍点］",
        "［＃ここから２字下げ］\n",
        "第一章［＃「第一章」は大見出し］\n",
        "底本：「本」\n",
        "－" * 10 + "\n",
    ),
    "markdown": (
        *MARKUP,
        "*",
        "**",
        "_",
        "`",
        "```\n",
        "~~~\n",
        "[a](b)",
        "[a](",
        "![",
        "[a][",
        "[^1]",
        "# あ\n",
        "- あ\n",
        "> ",
        "> あ\n",
        "1. あ\n",
        "| a ",
        "| a | b |\n|--|--|\n",
        "<b>",
        "<!--",
        "&amp;",
        "---\n",
        "a\\\n",
        "***あ",
        "[a]: b\n",
        "<a@b.c>",
        "é*あ",
    ),
    "dialogue": (*MARKUP, "メイ：はい。\n", "メイ「はい。」\n", "メイ：", "：", "：あ\n", "「\n", "あ「い」\n"),
    "jsonl": ('{"text":"あ"}\n', "{\n", '"あ"\n', "[]\n"),
    "json": ('"あ",', '{"text":"あ"},', "1,", "\\u3042"),
    "csv": ("1,あ\n", '"あ"\n', '"', '""', ",", "あ,い\n"),
    "tsv": ("1\tあ\n", "\t", '"', "あ\tい\n"),
    "srt": ("1\n00:00:01,000 --> 00:00:02,000\nあ\n\n", "1\n", "<i>", "{\\an8}", "あ\n", "00:00:01,000 --> "),
    "vtt": ("00:01.000 --> 00:02.000\nあ\n\n", "NOTE あ\n\n", "<v あ>", "STYLE\n", "<c.x>", "&amp;"),
    "ssml": (
        *XML[3:8],
        '<break time="1ms"/>',
        "<s>あ</s>",
        '<sub alias="あ">い</sub>',
        "<voice>",
        '<phoneme ph="ア">あ</phoneme>',
    ),
    "html": (
        *XML,
        "<ruby>漢<rt>かん</rt></ruby>",
        "<ruby>",
        "<rt>",
        "<h2>あ</h2>",
        "<table><tr><td>",
        "<br>",
        "<a href=x>",
        "<div>あ",
        "<style>",
        "<style>.a{display:none}</style><p class=a>あ</p>",
        "<svg>",
    ),
    "fb2": ("<p>あ</p>", "<emphasis>あ</emphasis>", "<section><p>あ</p></section>", "<empty-line/>", "&amp;"),
}
AROUND: Final[dict[Format, tuple[str, str]]] = {
    "aozora": ("題\n某\n\n", "\n\n底本：「本」\n"),
    "json": ("[", '"い"]'),
    "csv": ("番号,セリフ\n", ""),
    "tsv": ("番号\tセリフ\n", ""),
    "dialogue": ('+++\n[speakers]\n"メイ" = "mei"\n+++\n', ""),
    "vtt": ("WEBVTT\n\n", ""),
    "ssml": ('<speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="ja">あ', "</speak>"),
    "html": ("<html><body>", "</body></html>"),
    "fb2": ("<FictionBook><body><section><p>あ</p>", "</section></body></FictionBook>"),
}
STAGES: Final[dict[str, Callable[[str], object]]] = {
    "split_sentences": split_sentences,
    "split_long": split_long,
    "unreadable": find_unreadable,
    "checks": lambda text: check_text(text, allow_mute=True),
    "planning": lambda text: list(sentences([Passage(text, "mei")], Pauses())),
    "front end": analyze_utterances,
    "doubts": doubts,
    "kana": analyze_kana,
}


class Work:
    """Counts calls while it is active."""

    def __init__(self) -> None:
        self.done = 0

    def __enter__(self) -> Work:
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, frame: FrameType, event: str, function: Any) -> None:
        if event in ("call", "c_call"):
            self.done += 1


def work(run: Callable[[str], object], text: str) -> int:
    with Work() as counted, suppress(KoebinError, ValueError):  # it is refused; that may not cost more either
        run(text)
    return counted.done


def growth(run: Callable[[str], object], shape: str, around: tuple[str, str] = ("", "")) -> float:
    """How the work grows from n to 2n to 4n; 1 is linear, less is better."""
    counts = [work(run, around[0] + shape * (BASE * times // len(shape) + 1) + around[1]) for times in (1, 2, 4)]
    first, second = counts[1] - counts[0], counts[2] - counts[1]
    return second / (2 * max(first, counts[0] / 4, 500))


def read(kind: Format) -> Callable[[str], object]:
    narrator = Voice("mei")
    return lambda text: parse_script(source_from(text.encode(), kind, explicit=True), narrator)


@pytest.mark.parametrize("kind", SHAPES)
def test_the_work_of_a_reader_grows_with_its_input(kind: Format) -> None:
    run, around = read(kind), AROUND.get(kind, ("", ""))
    work(run, around[0] + "あ" + around[1])  # imports
    found = {shape: growth(run, shape, around) for shape in (*SHARED, *SHAPES[kind])}
    assert {shape: ratio for shape, ratio in found.items() if ratio > LARGEST} == {}


SLOW: Final = ("front end", "doubts")


@pytest.mark.parametrize("stage", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in STAGES])
def test_the_work_of_the_front_end_grows_with_its_text(stage: str) -> None:
    run = STAGES[stage]
    work(run, "あ")
    found = {shape: growth(run, shape) for shape in SHARED}
    assert {shape: ratio for shape, ratio in found.items() if ratio > LARGEST} == {}


def modules() -> Iterator[ModuleType]:
    for package in (koebin.engine.text, koebin.producers.formats):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


def patterns(value: object, depth: int = 0) -> Iterator[re.Pattern[Any]]:
    """Patterns among the constants of a module, also within tuples and tables."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth < 3 and isinstance(value, tuple | list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from patterns(each, depth + 1)


def is_unbounded(item: Any) -> bool:
    return item[0] in (sre.MAX_REPEAT, sre.MIN_REPEAT) and item[1][1] is sre.MAXREPEAT


def repeats_inside(items: Any) -> Iterator[Any]:
    """Unbounded repeats anywhere below."""
    for operation, arguments in items:
        if is_unbounded((operation, arguments)):
            yield arguments
        for inner in _inner(operation, arguments):
            yield from repeats_inside(inner)


def _inner(operation: Any, arguments: Any) -> Iterator[Any]:
    if operation in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        yield arguments[2]
    elif operation is sre.SUBPATTERN:
        yield arguments[3]
    elif operation is sre.BRANCH:
        yield from arguments[1]
    elif operation in (sre.ASSERT, sre.ASSERT_NOT):
        yield arguments[1]
    elif operation is sre.ATOMIC_GROUP:
        yield arguments


def nested(items: Any) -> Iterator[Any]:
    """Unbounded repeats of which one round may be all that another repeat within it takes: ``(a+)+``."""
    for repeat in repeats_inside(items):
        inner = list(repeat[2])
        if len(inner) == 1 and inner[0][0] is sre.SUBPATTERN:
            inner = list(inner[0][1][3])
        fixed = [item for item in inner if item[0] not in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.AT)]
        if any(is_unbounded(item) for item in inner) and not fixed:
            yield repeat


def test_no_pattern_repeats_a_repeat() -> None:
    """A repeat of a repeat takes exponential time for what does not match."""
    found = {
        f"{module.__name__}: {pattern.pattern!r}"
        for module in modules()
        for value in vars(module).values()
        for pattern in patterns(value)
        if any(nested(parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)))
    }
    assert found == set()


def test_the_judgement_of_patterns_sees_what_it_is_for() -> None:
    assert any(nested(parser.parse("x(a+)+y")))
    assert any(nested(parser.parse("(?:a*b*)*")))
    assert not any(nested(parser.parse("(?:a+,)+")))


def test_counted_work_sees_what_grows_with_the_square() -> None:
    def square(text: str) -> None:
        for start in range(len(text)):
            for _ in range(start):
                len(text)

    assert growth(square, "a" * 5) > 1.8
