"""Layout analysis of a PDF: characters with places to paragraphs: lines and columns, ruby, running heads, indents."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median
from typing import Final

from koebin.engine.reading import Reading
from koebin.engine.text.characters import is_japanese
from koebin.producers.formats.written_readings import MAX_WORD, parse_reading

_RUBY_SHARE: Final = 0.62
"""Print of at most this share of the body's size, close to a line, is ruby."""
_SAME_LINE: Final = 0.5
_GAP: Final = 2.2
"""Sizes of empty space that part two texts of one line."""
_INDENT: Final = 0.6
_SHORT: Final = 1.8
_NUMBER_CHARS: Final = 4
_FIGURES: Final = 2
"""Figures that stand side by side in a column."""
_REPEATED_PAGES: Final = 3
_OPENERS: Final = "「『（〈《"
_ENDS: Final = "。．.！？!?」』）)：:"
_NUMBER: Final = re.compile(
    r"[-–—‐・\s〔\[(（]*(?:[0-9０-９]{1,4}|[ivxlcdmIVXLCDM]{1,7}|[〇一二三四五六七八九十百]{1,5})"
    r"[-–—‐・\s〕\])）]*(?:[/／][ 　]*[0-9]{1,4})?"
)
_DIGITS: Final = re.compile(r"[0-9０-９〇一二三四五六七八九十百]+")


@dataclass(frozen=True, slots=True)
class Character:
    """A character with the middle of its box, in points from the page's lower left corner.

    Attributes:
        origin_x, origin_y: where the pen stands; the same across a whole line, whatever the shape of the character.
    """

    text: str
    x: float
    y: float
    width: float
    height: float
    size: float
    origin_x: float
    origin_y: float


_NOTHING: Final = Character("", 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0)


@dataclass(slots=True)
class Line:
    """Characters along one line or column.

    Attributes:
        start, end: its first and last point along the direction of reading; grow in that direction.
        across: its place across that direction; grows from one line to the next.
        readings: spans of the characters, with what their ruby says.
    """

    characters: list[Character]
    vertical: bool
    readings: list[tuple[int, int, str]] = field(default_factory=list)

    @property
    def size(self) -> float:
        return median(character.size for character in self.characters)

    @property
    def start(self) -> float:
        first = self.characters[0]
        return -(first.y + first.size / 2) if self.vertical else first.x - first.width / 2

    @property
    def end(self) -> float:
        last = self.characters[-1]
        return -(last.y - last.size / 2) if self.vertical else last.x + last.width / 2

    @property
    def across(self) -> float:
        middle = median(c.origin_x if self.vertical else c.origin_y for c in self.characters)
        return -middle

    @property
    def text(self) -> str:
        """Its characters, with a blank where Latin words are parted."""
        return spaced(self)[0]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of a page.

    Attributes:
        indented: it begins as a paragraph does.
        open: it does not end as one, and may go on overleaf.
    """

    text: str
    readings: tuple[Reading, ...]
    size: float
    indented: bool = False
    open: bool = False

    def goes_on_in(self, other: Paragraph) -> bool:
        """Whether the next paragraph is the rest of this one, parted from it by the end of a page."""
        return self.open and not other.indented and abs(self.size - other.size) < 0.12 * self.size

    def joined(self, other: Paragraph) -> Paragraph:
        """Both as one."""
        between = " " if _is_word(self.text[-1]) and _is_word(other.text[0]) else ""
        start = len(self.text) + len(between)
        moved = tuple(replace(each, start=each.start + start, end=each.end + start) for each in other.readings)
        text = self.text + between + other.text
        return Paragraph(text, self.readings + moved, self.size, self.indented, other.open)


def lines_of(characters: Sequence[Character]) -> list[Line]:
    """The lines of a page in the order of reading, with ruby put to its words."""
    if not characters:
        return []
    size = _body_size(characters)
    vertical = _is_vertical(characters)
    crossing = _horizontal_runs(characters) if vertical else []
    crossed = {id(each) for line in crossing for each in line.characters}
    characters = [each for each in characters if id(each) not in crossed]
    body = [each for each in characters if each.size > size * _RUBY_SHARE]
    small = [each for each in characters if each.size <= size * _RUBY_SHARE]
    lines = _ordered(_clustered(body, vertical), vertical, size)
    rest = _take_ruby(lines, small, vertical)
    if rest:
        lines += _ordered(_clustered(rest, vertical), vertical, size)
    middle = median(each.y for each in characters) if characters else 0.0
    above = [line for line in crossing if line.characters[0].y >= middle]
    return [*above, *lines, *(line for line in crossing if line.characters[0].y < middle)]


def _horizontal_runs(characters: Sequence[Character]) -> list[Line]:
    """Lines that run across a page of columns: three characters or more, each beside the one before it."""
    runs: list[list[Character]] = []
    for each in characters:
        last = runs[-1][-1] if runs else None
        step = each.origin_x - last.origin_x if last else 0.0
        if last and abs(each.origin_y - last.origin_y) < 0.3 * last.size and 0.2 * last.size < step < 2 * last.size:
            runs[-1].append(each)
        else:
            runs.append([each])
    return [Line(run, vertical=False) for run in runs if len(run) > _FIGURES]


def without_margins(pages: Sequence[list[Line]]) -> list[list[Line]]:
    """The pages without running heads, running feet and numbers, which stand at the same place on many pages."""
    seen: Counter[tuple[str, int]] = Counter()
    body = _body_size([each for lines in pages for line in lines for each in line.characters] or [_NOTHING])
    for lines in pages:
        seen.update({key for line in _outer(lines, body) for key in _keys(line)})
    cleaned = []
    for lines in pages:
        outer = {id(line) for line in _outer(lines, body)}
        cleaned.append(
            [
                line
                for line in lines
                if id(line) not in outer or line.size > 1.1 * body or not _is_margin(line, seen, len(pages))
            ]
        )
    return cleaned


def paragraphs_of(lines: Sequence[Line]) -> list[Paragraph]:
    """Lines joined: a new paragraph begins at an indent, after a short line, at a wide gap, or in another size."""
    found: list[list[Line]] = []
    left, right = _edges(lines)
    pitch = _pitch(lines)
    for line in lines:
        before = found[-1][-1] if found else None
        if before is None or _begins(
            line, before, left.get(id(line), line.start), right.get(id(before), before.end), pitch
        ):
            found.append([line])
        else:
            found[-1].append(line)
    return [paragraph for group in found if (paragraph := _paragraph(group, left, right)).text.strip()]


def spaced(line: Line) -> tuple[str, list[int]]:
    """The text of a line, and the offset of each of its characters in it."""
    parts: list[str] = []
    offsets: list[int] = []
    length = 0
    before: Character | None = None
    for character in line.characters:
        if before is not None and not line.vertical:
            gap = (character.x - character.width / 2) - (before.x + before.width / 2)
            latin = not is_japanese(before.text) or not is_japanese(character.text)
            if gap > 0.18 * line.size and latin and _is_word(before.text) and _is_word(character.text):
                parts.append(" ")
                length += 1
        offsets.append(length)
        parts.append(character.text)
        length += len(character.text)
        before = character
    return "".join(parts), offsets


def _is_word(character: str) -> bool:
    return unicodedata.east_asian_width(character) not in ("W", "F")


def _body_size(characters: Sequence[Character]) -> float:
    counts = Counter(round(each.size, 1) for each in characters)
    return counts.most_common(1)[0][0]


def _is_vertical(characters: Sequence[Character]) -> bool:
    """Whether most characters stand below the one before them."""
    down = along = 0
    for before, after in pairwise(characters):
        dx, dy = abs(after.origin_x - before.origin_x), before.origin_y - after.origin_y
        if 0.5 * before.size < dy < 2.5 * before.size and dx < 0.4 * before.size:
            down += 1
        elif dx > 0.3 * before.size and abs(dy) < 0.4 * before.size:
            along += 1
    return down > along


def _clustered(characters: Sequence[Character], vertical: bool) -> list[Line]:
    """Characters of one line or column together, in the order of reading along it, parted at wide gaps."""
    across = sorted(characters, key=lambda each: -each.origin_x if vertical else -each.origin_y)
    groups: list[list[Character]] = []
    middle = 0.0
    for each in across:
        place = each.origin_x if vertical else each.origin_y
        if groups and abs(place - middle) <= _SAME_LINE * max(each.size, groups[-1][-1].size):
            groups[-1].append(each)
            middle += (place - middle) / len(groups[-1])
        else:
            groups.append([each])
            middle = place
    lines: list[Line] = []
    for group in groups:
        ordered = _along(group, vertical)
        run = [ordered[0]]
        for before, after in pairwise(ordered):
            distance = before.y - after.y if vertical else after.x - before.x - (after.width + before.width) / 2
            if distance > (_GAP + (1.0 if vertical else 0.0)) * max(before.size, after.size):
                lines.append(Line(run, vertical))
                run = []
            run.append(after)
        lines.append(Line(run, vertical))
    return lines


def _along(group: list[Character], vertical: bool) -> list[Character]:
    if not vertical:
        return sorted(group, key=lambda each: each.x)
    # Two or three figures side by side stand at one height of a column.
    return sorted(group, key=lambda each: (-round(each.y / (0.4 * each.size)), each.x))


def _ordered(lines: list[Line], vertical: bool, size: float) -> list[Line]:
    """Lines in the order of reading: a gutter along the lines parts the page, else one line follows the other."""
    if len(lines) < 2:
        return lines
    gutter = _gutter([(line.start, line.end) for line in lines], 1.2 * size)
    if gutter is not None:
        first = [line for line in lines if line.end <= gutter]
        second = [line for line in lines if line.start >= gutter]
        if len(first) >= 3 and len(second) >= 3 and _beside(first, second, size):
            return _ordered(first, vertical, size) + _ordered(second, vertical, size)
    return sorted(lines, key=lambda line: (round(line.across / (0.5 * size)), line.start))


def _gutter(spans: Sequence[tuple[float, float]], width: float) -> float | None:
    """The middle of the first wide gap that no span crosses."""
    reach = float("-inf")
    for start, end in sorted(spans):
        if reach > float("-inf") and start - reach > width:
            return (start + reach) / 2
        reach = max(reach, end)
    return None


def _beside(first: Sequence[Line], second: Sequence[Line], size: float) -> bool:
    """Whether two groups of lines share their places across the page, as two columns of text do."""
    low = max(min(line.across for line in first), min(line.across for line in second))
    high = min(max(line.across for line in first), max(line.across for line in second))
    return high - low > 2 * size


def _take_ruby(lines: Sequence[Line], small: Sequence[Character], vertical: bool) -> list[Character]:
    """Give small print to the line that it stands beside; returns what stands beside none."""
    runs: dict[int, list[Character]] = {}
    rest: list[Character] = []
    for character in small:
        best, best_distance = None, 0.0
        for index, line in enumerate(lines):
            middle = -line.across
            distance = (character.origin_x if vertical else character.origin_y) - middle
            place = -character.y if vertical else character.x
            inside = line.start - line.size * 0.6 <= place <= line.end + line.size * 0.6
            if inside and 0.3 * line.size < distance < 1.3 * line.size and (best is None or distance < best_distance):
                best, best_distance = index, distance
        if best is None:
            rest.append(character)
        else:
            runs.setdefault(best, []).append(character)
    for index, characters in runs.items():
        rest += _read_ruby(lines[index], characters, vertical)
    return rest


def _read_ruby(line: Line, ruby: list[Character], vertical: bool) -> list[Character]:
    """Readings of a line's words from the small kana beside them; returns what is no reading."""
    ordered = _along(ruby, vertical)
    groups: list[list[Character]] = [[ordered[0]]]
    for before, after in pairwise(ordered):
        step = (before.y - after.y) if vertical else after.x - before.x
        if step > 1.9 * before.size:
            groups.append([])
        groups[-1].append(after)
    rest: list[Character] = []
    for group in groups:
        first, last = (-group[0].y, -group[-1].y) if vertical else (group[0].x, group[-1].x)
        half = group[0].size / 2
        span = [
            index
            for index, each in enumerate(line.characters)
            if first - half - 0.45 * each.size < (-each.y if vertical else each.x) < last + half + 0.45 * each.size
        ]
        span = [index for index in span if not _is_kana(line.characters[index].text)] or span
        kana = "".join(each.text for each in group)
        if span and parse_reading(kana) and span[-1] - span[0] < MAX_WORD:
            line.readings.append((span[0], span[-1] + 1, kana))
        elif span and all(each.text in "・﹅﹆•ヽ、" for each in group):
            continue  # dots of emphasis
        else:
            rest += group
    return rest


def _is_kana(character: str) -> bool:
    return "ぁ" <= character <= "ヿ"


def _outer(lines: Sequence[Line], body: float) -> list[Line]:
    """The lines that stand apart from the text: at the edges of the page, and smaller or farther off than a line is."""
    if not lines:
        return []
    vertical = sum(line.vertical for line in lines) * 2 > len(lines)
    if not vertical:
        down = sorted(lines, key=lambda line: line.across)
        pitch = _pitch(down)
        edges: list[tuple[Line, list[Line]]] = [(down[0], down[1:2]), (down[-1], down[-2:-1])]
        edges += [(line, []) for line in (*down[1:2], *down[-2:-1]) if line.size < 0.95 * body]
        return [line for line, inner in edges if _is_apart(line, inner, body, pitch)]
    columns = [line for line in lines if line.vertical and len(line.characters) > _NUMBER_CHARS]
    low = min((each.y for line in columns for each in line.characters), default=float("inf"))
    high = max((each.y for line in columns for each in line.characters), default=float("-inf"))
    outside = [line for line in lines if all(not low <= each.y <= high for each in line.characters)]
    sides = [min(lines, key=lambda line: line.across), max(lines, key=lambda line: line.across)]
    return [
        *(line for line in lines if not line.vertical),
        *(line for line in outside if line.vertical),
        *(line for line in sides if line.vertical and line.size < 0.95 * body),
    ]


def _is_apart(line: Line, inner: Sequence[Line], body: float, pitch: float) -> bool:
    return not inner or line.size < 0.95 * body or abs(line.across - inner[0].across) > 1.3 * pitch


def _keys(line: Line) -> list[tuple[str, int]]:
    """What a running head shares with those of other pages: its words, and about its height."""
    bare = _DIGITS.sub("#", "".join(line.text.split()))
    height = round(median(c.y for c in line.characters) / 10)
    return [(bare, height), (bare, height + 1)]


def _is_margin(line: Line, seen: Counter[tuple[str, int]], pages: int) -> bool:
    bare = "".join(line.text.split())
    times = max(seen[key] for key in _keys(line))
    if _NUMBER.fullmatch(bare):
        return times >= min(_REPEATED_PAGES, max(2, pages)) or (len(line.characters) <= _NUMBER_CHARS and pages > 1)
    return times >= _REPEATED_PAGES


def _edges(lines: Sequence[Line]) -> tuple[dict[int, float], dict[int, float]]:
    """For each line where the lines of its column of text begin and end."""
    left: dict[int, float] = {}
    right: dict[int, float] = {}
    for line in lines:
        beside = [line, *(other for other in lines if other.start < line.end and line.start < other.end)]
        left[id(line)] = min(other.start for other in beside)
        right[id(line)] = max(other.end for other in beside)
    return left, right


def _pitch(lines: Sequence[Line]) -> float:
    """The usual distance from one line to the next."""
    steps = [after.across - before.across for before, after in pairwise(lines)]
    return median([step for step in steps if step > 0] or [0.0])


def _begins(line: Line, before: Line, left: float, right: float, pitch: float) -> bool:
    size = line.size
    if abs(size - before.size) > 0.12 * size:
        return True
    step = line.across - before.across
    if pitch and step > 1.6 * pitch:
        return True
    short = right - before.end > _SHORT * size
    if line.start - left > _INDENT * size and not (before.start - left > _INDENT * size and not short):
        return True
    ended = before.characters[-1].text in _ENDS
    opens = line.characters[0].text in _OPENERS
    return (short and (ended or opens)) or (ended and opens and right - before.end > _INDENT * size)


def _paragraph(group: Sequence[Line], left: dict[int, float], right: dict[int, float]) -> Paragraph:
    parts: list[str] = []
    readings: list[Reading] = []
    length = 0
    for line in group:
        text, offsets = spaced(line)
        if parts and parts[-1].endswith("-") and parts[-1][:-1][-1:].isascii() and text[:1].islower():
            parts[-1] = parts[-1][:-1]
            length -= 1
        elif parts and _is_word(parts[-1][-1]) and _is_word(text[0]):
            parts.append(" ")
            length += 1
        for begin, end, kana in sorted(line.readings):
            if spoken := parse_reading(kana):
                start, stop = length + offsets[begin], length + offsets[end - 1] + len(line.characters[end - 1].text)
                if not readings or start >= readings[-1].end:
                    readings.append(Reading(start, stop, spoken.kana, spoken.accent))
        parts.append(text)
        length += len(text)
    first, last = group[0], group[-1]
    whole = "".join(parts)
    indented = first.start - left[id(first)] > _INDENT * first.size or whole[0] in _OPENERS
    goes_on = whole[-1] not in _ENDS and right[id(last)] - last.end < _SHORT * last.size
    return Paragraph(whole, tuple(readings), median(line.size for line in group), indented, goes_on)
