"""Rows of the table, with their targets."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Literal


@dataclass(frozen=True, slots=True)
class Target:
    """Bound on our figure, or on its ratio to the peer's."""

    sense: Literal["≥", "≤"]
    bound: float
    of: Literal["peer", "figure"] = "peer"

    def reached(self, value: float) -> bool:
        return (operator.ge if self.sense == "≥" else operator.le)(value, self.bound)

    def __str__(self) -> str:
        return f"{self.sense} {self.bound:g}{' ×' if self.of == 'peer' else ''}"


@dataclass(frozen=True, slots=True)
class Row:
    """Line of the table.

    Attributes:
        key: what ``--only`` names.
        quiet: other processes on the machine make the figure worthless.
    """

    key: str
    what: str
    unit: str
    target: Target | None = None
    quiet: bool = True


ROWS: Final = (
    Row("chapter_speed", "chapter, all cores: audio seconds per wall second", "×", Target("≥", 1.5)),
    Row("chapter_cpu", "chapter: CPU seconds per audio second", "s", Target("≤", 0.7)),
    *(
        Row(f"stage_{stage}", f"of that, ours: {what}", "s")
        for stage, what in (
            ("bert", "BERT"),
            ("encoder", "text encoder and durations"),
            ("flow", "flow"),
            ("decoder", "decoder"),
            ("rest", "front end, noise, joining, and all else"),
        )
    ),
    Row("paragraph", "a paragraph: seconds until it is spoken", "s"),
    Row("sentence", "one short sentence: seconds until it is spoken", "s", Target("≤", 0.7)),
    Row("first_audio", "first audio of a stream, chapter", "s", Target("≤", 0.25)),
    Row("front_end", "front end: CPU time per sentence (median)", "ms", Target("≤", 0.5), quiet=False),
    Row(
        "load", "from the start of the process until the first sentence is spoken, files cached", "s", Target("≤", 0.5)
    ),
    Row("load_cpu", "the same in CPU seconds", "s", quiet=False),
    Row("memory", "peak resident memory, one speaker, chapter", "MiB", Target("≤", 0.6), quiet=False),
    Row("memory_long", "the same, text ten times as long: growth", "%", Target("≤", 5, "figure"), quiet=False),
    Row("speaker", "each further speaker: memory by size of its weights", "×", Target("≤", 1.1, "figure"), quiet=False),
    Row("overhead_stored_p50", "queue: a chunk whose segments are all stored, p50", "ms", Target("≤", 10, "figure")),
    Row("overhead_stored_p99", "the same, p99", "ms", Target("≤", 50, "figure")),
    Row(
        "overhead_p50", "queue: a chunk beyond rendering and storing its segments, p50", "ms", Target("≤", 10, "figure")
    ),
    Row("overhead_p99", "the same, p99", "ms", Target("≤", 50, "figure")),
    Row("producer", "producer: segments planned and queued per second", "/s", Target("≥", 2000, "figure")),
    Row("producer_memory", "the same: memory beyond the script itself", "MiB", quiet=False),
    Row(
        "rerun",
        "one changed line in a script: seconds until the programme is there again",
        "s",
        Target("≤", 5, "figure"),
    ),
    Row("rerun_queue", "of that: planning, queueing, finding what is stored, rendering the line", "s"),
    Row("horizontal_builtin", "2 workers on 2 cores by 1 on 1, built-in voice", "×", Target("≥", 1.8, "figure")),
    Row("horizontal_jp_extra", "2 workers on 2 cores by 1 on 1, JP-Extra", "×", Target("≥", 1.8, "figure")),
    Row("gpu_speed", "GPU, chapter in batches: audio seconds per wall second", "×", Target("≥", 500, "figure")),
    Row("gpu_peer", "the same by the peer on the same GPU", "×", Target("≥", 20)),
    Row("gpu_worker", "GPU, through a worker by the engine alone", "%", Target("≥", 80, "figure")),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """Measured figure of a row.

    Attributes:
        ours, peer: medians, in the row's unit; None where nothing was measured.
        ratio: median over pairs of ours by the peer's.
        runs: how many pairs.
        load: cores that others kept busy just before.
        note: what one must know to read it.
    """

    ours: float | None = None
    peer: float | None = None
    ratio: float | None = None
    runs: int = 0
    load: float = 0.0
    note: str = ""

    @classmethod
    def of(cls, ours: list[float], peer: list[float] | None = None, *, load: float = 0.0, note: str = "") -> Figure:
        """From one value per run; those of both sides belong together in pairs."""
        ratio = median(a / b for a, b in zip(ours, peer, strict=True)) if peer else None
        return cls(median(ours), median(peer) if peer else None, ratio, len(ours), load, note)

    def judged(self, target: Target | None) -> bool | None:
        """Whether the target is reached; None if nobody can tell."""
        value = self.ratio if target and target.of == "peer" else self.ours
        return None if target is None or value is None else target.reached(value)


def figures_from(document: dict[str, dict[str, Any]]) -> dict[str, Figure]:
    """What ``dataclasses.asdict`` made of them, as it is kept between runs."""
    return {key: Figure(**fields) for key, fields in document.items()}
