"""Length of sentences and lines in the documentation."""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob("deploy/**/*.md")]
)
ENGLISH = [page for page in PAGES if not page.name.endswith(".ja.md")]
GENERATED = {"configuration.md", "formats.md"}

_FENCE = re.compile(r"^(\s*)(`{3,}|~{3,}).*?^\s*\2\s*$", re.MULTILINE | re.DOTALL)
_ITEM = re.compile(r"([-*+]|\d+\.)\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”)\]*]*\s+(?=[\"“(\[*]?[A-Z0-9])")


def blocks(text: str) -> list[str]:
    """Paragraphs and list items as single lines; no code, tables, headings, front matter or directives."""
    found: list[str] = []
    current: list[str] = []
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    for line in [*_FENCE.sub("\n", text).splitlines(), ""]:
        stripped = line.strip()
        skipped = not stripped or stripped.startswith(("#", "|", ":::", "options:", "!["))
        if skipped or _ITEM.match(stripped):
            if current:
                found.append(" ".join(current))
            current = []
        if not skipped:
            current.append(_ITEM.sub("", stripped, count=1))
    return found


def sentence_lengths(text: str) -> list[int]:
    """Words of each sentence. A code span is one word; what has fewer than three words is no sentence."""
    lengths: list[int] = []
    for block in blocks(text):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"`[^`]*`", "code", block))
        words = [len(re.findall(r"\w[\w’'.,-]*", sentence)) for sentence in _SENTENCE_END.split(plain)]
        lengths += [count for count in words if count >= 3]
    return lengths


def test_sentences_are_counted_as_people_count_them() -> None:
    text = "# A heading of five words\n\nOne two three. Four `a b c` six, e.g. that\ngoes on! 7 eight nine?\n\n"
    text += "- an item here\n- another [item here](x.md) too\n\n| a | table |\n\n```sh\nno sentence in here.\n```\n"
    assert sentence_lengths(text) == [3, 7, 3, 3, 4]


def test_the_median_sentence_of_the_documentation_is_short() -> None:
    lengths = sorted(length for page in ENGLISH for length in sentence_lengths(page.read_text(encoding="utf-8")))
    assert len(lengths) > 500
    assert statistics.median(lengths) <= 18
    assert lengths[len(lengths) * 9 // 10] <= 25


@pytest.mark.parametrize("page", ENGLISH, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_is_dense(page: Path) -> None:
    lengths = sentence_lengths(page.read_text(encoding="utf-8"))
    if len(lengths) >= 10:
        assert statistics.median(lengths) <= 20


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in GENERATED], ids=lambda page: str(page.relative_to(ROOT))
)
def test_lines_are_wrapped(page: Path) -> None:
    """Table rows, code, links and single long words may be longer."""
    prose = _FENCE.sub("\n", page.read_text(encoding="utf-8"))
    prose = re.sub(r"<!-- figures: .*?<!-- figures end -->", "", prose, flags=re.DOTALL)
    long = [
        line
        for line in prose.splitlines()
        if not line.startswith("|") and len(re.sub(r"\]\([^)]*\)|`[^`]*`", "", line)) > 120
    ]
    assert long == []
