"""Plots of the figures; none if matplotlib is not installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from benchmarks.rows import ROWS, Figure

_OURS, _PEER = "#2563a8", "#9aa3ad"


def draw(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write the plots that the figures allow; returns their paths."""
    if importlib.util.find_spec("matplotlib") is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    compared = {key: figure for key, figure in figures.items() if figure.ratio is not None}
    return [*_ratios(compared, folder / "ratios.svg"), *_queue(figures, folder / "queue.svg")]


def _ratios(compared: Mapping[str, Figure], path: Path) -> list[Path]:
    """Ours by the peer's, one bar a row; the target as a line across it."""
    rows = [row for row in ROWS if row.key in compared]
    if not rows:
        return []
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "koebin"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 0.45 * len(rows) + 1))
    for place, row in enumerate(reversed(rows)):
        ratio = compared[row.key].ratio or 0.0
        axes.barh(place, ratio, color=_OURS, height=0.6)
        axes.text(ratio, place, f" {ratio:.2f}", va="center", fontsize=8)
        if row.target and row.target.of == "peer":
            axes.plot([row.target.bound] * 2, [place - 0.4, place + 0.4], color="black")
    axes.axvline(1.0, color=_PEER)
    axes.set_yticks(range(len(rows)), [row.what for row in reversed(rows)], fontsize=8)
    axes.set_xlabel("Koebin by hayakoe 1.3.1; black: to reach", fontsize=8)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    return [path]


def _queue(figures: Mapping[str, Figure], path: Path) -> list[Path]:
    """What a chunk costs beside its synthesis."""
    names = {"overhead_stored_p50": "all stored, p50", "overhead_stored_p99": "all stored, p99"}
    names |= {"overhead_p50": "rendered, p50", "overhead_p99": "rendered, p99"}
    shown = {text: figures[key].ours for key, text in names.items() if key in figures}
    if not shown:
        return []
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "koebin"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 2.2))
    axes.barh(list(shown), list(shown.values()), color=_OURS, height=0.6)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds a chunk beside its synthesis", fontsize=8)
    axes.tick_params(labelsize=8)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    return [path]
