"""Growth of the work with the input: of every reader and every stage of the front end, over what its grammar repeats.

Work is counted, not timed: calls of Python's functions and of C's. What a regular expression does within one call is
not seen so: patterns are judged by their shape. Patterns that are put together within a function are not judged, nor is
what a parser written in C does within one call.
"""

from __future__ import annotations

import ast
import importlib
import io
import pkgutil
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from re import _compiler as compiler  # type: ignore[attr-defined]
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import FrameType, ModuleType
from typing import Any, Final

import pytest

import koebin.engine.text
import koebin.producers.briefings
import koebin.producers.formats
from koebin.engine.errors import KoebinError
from koebin.engine.text.checks import check_text
from koebin.engine.text.doubts import doubts
from koebin.engine.text.frontend import analyze_utterances
from koebin.engine.text.kana import analyze_kana
from koebin.engine.text.sentences import split_long, split_sentences
from koebin.engine.text.unreadable import find_unreadable
from koebin.producers.formats.dictionary import parse_dictionary
from koebin.producers.formats.load import parse_script
from koebin.producers.formats.source import Format, source_from
from koebin.producers.formats.speaker_names import Voice
from koebin.tasks.contracts import Pauses
from koebin.tasks.jobs.planning import sentences
from koebin.tasks.script import Passage
from tests.unit.producers.formats.books import NAV, NAV_ITEM, epub, package
from tests.unit.producers.formats.pdfs import pdf
from tests.unit.producers.formats.test_new_formats import STYLES, W

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


@pytest.mark.parametrize("kind", ["text", "aozora", "markdown", "dialogue"])
def test_the_work_of_one_reading_grows_with_its_length(kind: Format) -> None:
    run = read(kind)
    work(run, "漢《か》")
    shapes = ("ヽ", "ゝ", "ー", "か", "か'", "々", " ")
    found = {shape: growth(run, shape, ("漢《か", "》")) for shape in shapes}
    assert {shape: ratio for shape, ratio in found.items() if ratio > LARGEST} == {}


@pytest.mark.parametrize(
    ("suffix", "head", "row"),
    [
        (".toml", "[words]\n", '"語{}" = "ゴ"\n'),
        (".toml", "", '[[word]]\nsurface = "語{}"\nreading = "ゴ"\n'),
        (".csv", "", "語{},ゴ\n"),
    ],
)
def test_the_work_of_a_dictionary_grows_with_its_words(suffix: str, head: str, row: str) -> None:
    def run(words: str) -> object:
        return parse_dictionary(head + "".join(row.format(n) for n in range(len(words))), suffix)

    run("あ")
    assert growth(run, "あ") < LARGEST


WORD: Final = (
    "<w:p><w:r><w:t>あ</w:t></w:r></w:p>",
    "<w:p>",
    "<w:r><w:t>あ</w:t></w:r>",
    "<w:r><w:br/></w:r>",
    "<w:tbl><w:tr><w:tc><w:p/></w:tc></w:tr></w:tbl>",
    "<w:r><w:ruby><w:rt><w:r><w:t>い</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>雨</w:t></w:r></w:rubyBase></w:ruby></w:r>",
    '<w:p><w:pPr><w:pStyle w:val="1"/></w:pPr><w:r><w:t>章</w:t></w:r></w:p>',
    "&amp;",
)


def zipped(name: str, text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, text)
        archive.writestr("word/styles.xml", STYLES)
    return out.getvalue()


def book(kind: Format, data: bytes) -> object:
    return parse_script(source_from(data, kind, explicit=True), Voice("mei"))


def test_the_work_of_a_page_of_an_epub_grows_with_it(tmp_path: Path) -> None:
    def run(text: str) -> object:
        path = epub(tmp_path / "a.epub", {"OEBPS/two.xhtml": f"<html><body><p>い</p>{text}</body></html>"})
        return book("epub", path.read_bytes())

    run("<p>あ</p>")  # imports
    found = {
        shape: growth(run, shape) for shape in (*XML, *SHAPES["html"], " ", "　", "\n", "あ", '<h2 id="x">あ</h2>')
    }
    assert {shape: ratio for shape, ratio in found.items() if ratio > LARGEST} == {}


@pytest.mark.parametrize("place", ["metadata", "manifest", "spine", "contents"])
def test_the_work_of_an_epubs_own_lists_grows_with_them(tmp_path: Path, place: str) -> None:
    shape = {
        "metadata": "<dc:creator>某</dc:creator>",
        "manifest": '<item id="x" href="one.xhtml" media-type="application/xhtml+xml"/>',
        "spine": '<itemref idref="two"/>',
        "contents": '<li><a href="two.xhtml#second">章</a></li>',
    }[place]
    package_of = files_with(place)

    def run(text: str) -> object:
        path = epub(tmp_path / "a.epub", package_of(text))
        return book("epub", path.read_bytes())

    run(shape)
    assert growth(run, shape) < LARGEST


def files_with(place: str) -> Callable[[str], dict[str, str | bytes | None]]:
    """Files of a book of which one list holds more."""
    if place == "contents":
        return lambda text: {"OEBPS/nav.xhtml": NAV.replace('<li><a href="two', text + '<li><a href="two')}
    if place == "metadata":
        return lambda text: {"OEBPS/package.opf": package(NAV_ITEM, metadata=text)}
    if place == "spine":
        return lambda text: {"OEBPS/package.opf": package(NAV_ITEM, spine='<itemref idref="one"/>' + text)}
    return lambda text: {"OEBPS/package.opf": package(NAV_ITEM + text)}


def test_the_work_of_a_docx_grows_with_its_text() -> None:
    def run(text: str) -> object:
        body = f"<w:document {W}><w:body><w:p><w:r><w:t>い</w:t></w:r></w:p>{text}</w:body></w:document>"
        return book("docx", zipped("word/document.xml", body))

    run(WORD[0])
    found = {shape: growth(run, shape) for shape in WORD}
    assert {shape: ratio for shape, ratio in found.items() if ratio > LARGEST} == {}


@pytest.mark.parametrize("across", [True, False])
def test_the_work_of_a_pdf_grows_with_its_pages_and_lines(tmp_path: Path, across: bool) -> None:
    def run(text: str) -> object:
        lines = [(50.0, 580.0 - n % 50 * 11, 10.0, line) for n, line in enumerate(text.split())]
        pages = [lines[at : at + 50] for at in range(0, len(lines), 50)] if across else [lines]
        return book("pdf", pdf(tmp_path / "a.pdf", pages).read_bytes())

    run("雨が降る。")
    assert growth(run, "雨が降る。 ") < LARGEST


SLOW: Final = ("front end", "doubts")


@pytest.mark.parametrize("stage", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in STAGES])
def test_the_work_of_the_front_end_grows_with_its_text(stage: str) -> None:
    run = STAGES[stage]
    work(run, "あ")
    found = {shape: growth(run, shape) for shape in SHARED}
    assert {shape: ratio for shape, ratio in found.items() if ratio > LARGEST} == {}


def modules() -> Iterator[ModuleType]:
    for room in (koebin.engine.text, koebin.producers.formats, koebin.producers.briefings):
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if not found.name.endswith("__main__"):
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


SIGNS: Final = frozenset(
    [chr(code) for code in range(0x20, 0x7F)]
    + list("\t\n　あアヴー漢一々、。「」《》｜［］※（）０Ａ①…—〜！？\u0301\u3099🙂")
)
"""One of each kind that patterns tell apart."""
ALONE: Final = ("match", "fullmatch")
"""Ways to use a pattern that begin at one place."""
BOUNDED: Final = {
    r"(.*?)<rt[^<>]*>(.*?)(?:</rt>|(?=<rt)|$)": "is given at most 200 characters",
    r"-(.*?)\+": "is given labels of our own",
    r" ?\(at .*\)$": "is given errors of tomllib",
}
"""Patterns that may look again and again, and why."""


def taken(item: Any, flags: int) -> frozenset[str] | None:
    """Which of the signs an item of a pattern takes; None if it is not one character."""
    operation, argument = item
    if operation is sre.LITERAL:
        return frozenset((chr(argument), chr(argument).swapcase()) if flags & re.IGNORECASE else chr(argument))
    if operation is sre.NOT_LITERAL:
        return SIGNS - {chr(argument)}
    if operation is sre.ANY:
        return SIGNS if flags & re.DOTALL else SIGNS - {"\n"}
    return _of_a_set(repr(item), tuple(argument), flags) if operation is sre.IN else None


@cache
def _of_a_set(_key: str, within: tuple[Any, ...], flags: int) -> frozenset[str]:
    state = parser.State()
    state.flags, state.str = flags, ""
    pattern = compiler.compile(parser.SubPattern(state, [(sre.IN, list(within))]), flags)
    return frozenset(sign for sign in SIGNS if pattern.match(sign))


def ways(items: Any, flags: int) -> list[list[tuple[str, Any, int, bool]]]:
    """Sequences that a pattern may take: kind, what, least times, whether without end. A group is taken once."""
    found: list[list[tuple[str, Any, int, bool]]] = [[]]
    for operation, arguments in items:
        signs = taken((operation, arguments), flags)
        if signs is not None:
            added = [[("take", signs, 1, False)]]
        elif operation in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            least, most, inner = arguments
            single = taken(inner[0], flags) if len(inner) == 1 else None
            if single is not None:
                added = [[("take", single, least, most is sre.MAXREPEAT)]]
            else:
                added = ways(inner, flags) + ([[]] if least == 0 else [])
        elif operation is sre.SUBPATTERN:
            added = ways(arguments[3], flags | arguments[1])
        elif operation is sre.ATOMIC_GROUP:
            added = ways(arguments, flags)
        elif operation is sre.BRANCH:
            added = [way for branch in arguments[1] for way in ways(branch, flags)]
        elif operation is sre.AT:
            added = [[("edge", arguments, 1, False)]]
        elif operation in (sre.ASSERT, sre.ASSERT_NOT):
            added = [[("before" if arguments[0] < 0 else "ahead", _allowed(operation, arguments[1], flags), 1, False)]]
        else:
            added = [[]]
        found = [way + more for way in found for more in added][:100]
    return found


def _allowed(operation: Any, items: Any, flags: int) -> frozenset[str]:
    """Signs beside which a look of one character lets a match begin or end; all, where it is of another kind."""
    sets = [signs for way in ways(items, flags) if way and (signs := way[-1][1]) and way[-1][0] == "take"]
    if operation is sre.ASSERT:
        return frozenset().union(*sets) if sets else SIGNS
    alone = [way[0][1] for way in ways(items, flags) if len(way) == 1 and way[0][0] == "take"]
    return SIGNS - frozenset().union(*alone)


def looks_again(pattern: re.Pattern[Any]) -> bool:
    """Whether a search looks through one run from each of its signs: ``\\s*x`` in white space costs the square."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    return any(_looks_again(way, pattern.flags) for way in ways(tree, pattern.flags))


def _looks_again(way: list[tuple[str, Any, int, bool]], flags: int) -> bool:
    may_precede, begun = SIGNS, []
    for at, (kind, what, least, endless) in enumerate(way):
        if kind == "edge" and what in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING) and not begun:
            lines = flags & re.MULTILINE and what is sre.AT_BEGINNING
            may_precede = may_precede & {"\n"} if lines else frozenset()
        if kind == "before" and not begun:
            may_precede &= what
        if kind != "take":
            continue
        starts_within = may_precede & what and all(signs & what for signs in begun)
        if endless and starts_within and any(_may_fail(step, what) for step in way[at + 1 :]):
            return True
        if least:
            begun.append(what)
    return False


def _may_fail(step: tuple[str, Any, int, bool], run: frozenset[str]) -> bool:
    kind, what, least, _ = step
    return kind == "edge" or (least > 0 and not what >= run)


def searched(module: ModuleType) -> Iterator[re.Pattern[Any]]:
    """Patterns of a module that it may search with: all but those that begin at one place."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    for name, value in vars(module).items():
        uses = set(re.findall(rf"\b{name}\.(\w+)\(", source))
        if not isinstance(value, re.Pattern) or not uses or uses - {*ALONE}:
            yield from patterns(value)
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args:
            text = call.args[0]
            written = isinstance(text, ast.Constant) and isinstance(text.value, str | bytes)
            if ast.unparse(call.func.value) == "re" and call.func.attr not in (*ALONE, "compile", "escape") and written:
                yield re.compile(ast.literal_eval(text))


def test_no_search_looks_through_a_run_from_each_of_its_signs() -> None:
    found = {
        f"{module.__name__}: {pattern.pattern!r}"
        for module in modules()
        for pattern in searched(module)
        if pattern.pattern not in BOUNDED and looks_again(pattern)
    }
    assert found == set()


@pytest.mark.parametrize(
    "pattern",
    [
        r"\s*<\?xml",
        r"(\d+(?:\.\d+)?)\s?°F",
        r"[A-Za-z]+'[a-z]",
        r"\s+\Z",
        r"<!DOCTYPE[^>]*\[",
        r"-->[^\n]*\n",
        r"(?m)^\s*x",
    ],
)
def test_the_judgement_of_searches_sees_what_it_is_for(pattern: str) -> None:
    assert looks_again(re.compile(pattern))


@pytest.mark.parametrize(
    "pattern",
    [
        r"\A\s*<\?xml",
        r"(?<!\d)(\d+(?:\.\d+)?)°F",
        r"(?<![A-Za-z])[A-Za-z]+'",
        r"(?<!\s)\s+\Z",
        r'"[^"]*"',
        r"(?m)^ *x",
        r"a\d+x",
    ],
)
def test_the_judgement_of_searches_lets_others_pass(pattern: str) -> None:
    assert not looks_again(re.compile(pattern))


def test_counted_work_sees_what_grows_with_the_square() -> None:
    def square(text: str) -> None:
        for start in range(len(text)):
            for _ in range(start):
                len(text)

    assert growth(square, "a" * 5) > 1.8
