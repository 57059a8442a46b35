"""Markdown table of the figures, put between two marks of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.rows import ROWS, Figure, Row

BEGIN: Final = "<!-- figures: written by python -m benchmarks -->"
END: Final = "<!-- figures end -->"
_QUIET_LOAD: Final = 0.5


def table(figures: Mapping[str, Figure], rows: Sequence[Row] = ROWS) -> str:
    """One line per row, also for what was not measured: ratios first."""
    lines = ["| | ratio | to reach | | ours | hayakoe 1.3.1 | runs |", "|---|--:|--:|---|--:|--:|--:|"]
    return "\n".join([*lines, *(_line(row, figures.get(row.key, Figure())) for row in rows)])


def _line(row: Row, figure: Figure) -> str:
    if figure.ours is None:
        return f"| {row.what} | | {row.target or ''} | not measured | | | |"
    verdict = {True: "reached", False: "**missed**", None: ""}[figure.judged(row.target)]
    if row.quiet and figure.load > _QUIET_LOAD:
        verdict = f"{verdict} (machine busy: {figure.load:.1f})".strip()
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} ×"
    ours, peer = (_with_unit(value, row.unit) for value in (figure.ours, figure.peer))
    return f"| {row.what} | {ratio} | {row.target or ''} | {verdict} | {ours} | {peer} | {figure.runs} |"


def _with_unit(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}{'' if unit == '/s' else ' '}{unit}"


def notes(figures: Mapping[str, Figure], rows: Sequence[Row] = ROWS) -> str:
    """What must be known to read the figures, one line per row that has something."""
    found = [(row, figures[row.key].note) for row in rows if row.key in figures and figures[row.key].note]
    return "\n".join(f"- *{row.what}*: {note}." for row, note in found)


def put_into(page: str, text: str) -> str:
    """The page with ``text`` between the marks; added at its end where it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not begin:
        before, after = page.rstrip() + "\n\n", "\n"
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"
