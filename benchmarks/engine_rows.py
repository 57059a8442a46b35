"""Engine rows: ours and the peer's on the same voice files, in turn."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.processes import Answer, Probe, ours, peer
from benchmarks.rows import Figure
from benchmarks.texts import Texts
from koebin.engine.checked_names import DecoderMode


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured with.

    Attributes:
        tree: made by ``benchmarks.voices``.
        work: folder for caches.
        peer: a Python with hayakoe 1.3.1; None measures ours alone.
        texts: what is spoken.
        pairs: how often both are asked for the chapter; short things are asked more often.
        decoder: arithmetic of our decoder on CUDA.
    """

    tree: Path
    work: Path
    peer: Path | None
    texts: Texts
    device: str = "cpu"
    pairs: int = 3
    decoder: DecoderMode = "float32"

    def start_ours(self) -> Probe:
        return Probe(ours(self.decoder), self.tree, self.work / "cache", self.device, self.texts.sentence)

    def start_peer(self) -> Probe | None:
        if self.peer is None:
            return None
        return Probe(peer(self.peer), self.tree, self.work / "peer-cache", self.device, self.texts.sentence)


Pairs = tuple[list[Answer], list[Answer] | None]


def load_rows(setting: Setting) -> Iterator[tuple[str, Figure]]:
    """A process of each, one after the other."""
    load = busy()
    ours_ready, peer_ready = [], []
    for _ in range(max(1, setting.pairs - 1)):
        with setting.start_ours() as probe:
            ours_ready.append(probe.ready)
        other = setting.start_peer()
        if other is not None:
            with other:
                peer_ready.append(other.ready)
    pairs: Pairs = (ours_ready, peer_ready or None)
    yield "load", _figure(pairs, lambda answer: float(answer["wall"]), load)
    yield "load_cpu", _figure(pairs, lambda answer: float(answer["cpu"]), load)


def speaking_rows(setting: Setting, wanted: set[str]) -> Iterator[tuple[str, Figure]]:
    """Both are kept loaded and asked in turn; the idle one takes nothing."""
    load = busy()
    text = setting.texts.chapter
    with ExitStack() as stack:
        mine = stack.enter_context(setting.start_ours())
        other = setting.start_peer()
        if other is not None:
            stack.enter_context(other)

        def ask(do: str, text: str, times: int) -> Pairs:
            return _in_turn(mine, other, do, text, times)

        if "sentence" in wanted:
            yield "sentence", _figure(ask("speak", setting.texts.sentence, 5 * setting.pairs), _wall, load)
        if "front_end" in wanted:
            yield "front_end", _figure(ask("front_end", text, 5 * setting.pairs), _milliseconds, load)
        if "first_audio" in wanted:
            yield "first_audio", _figure(ask("first", text, setting.pairs), _wall, load)
        if "paragraph" in wanted:
            yield "paragraph", _figure(ask("speak", setting.texts.paragraph, setting.pairs), _wall, load)
        if wanted & {"chapter_speed", "chapter_cpu", "memory", "gpu_speed", "gpu_peer"}:
            pairs = ask("speak", text, setting.pairs)
            length = f"{len(text)} characters, {pairs[0][0]['audio']:.0f} s of audio"
            if setting.device == "cpu":
                yield "chapter_speed", _figure(pairs, lambda a: float(a["audio"] / a["wall"]), load, length)
                yield "chapter_cpu", _figure(pairs, lambda a: float(a["cpu"] / a["audio"]), load)
                yield "memory", _figure(pairs, lambda a: float(a["peak"]), load)
            else:
                figure = _figure(pairs, lambda a: float(a["audio"] / a["wall"]), load, length)
                yield "gpu_speed", figure
                if figure.peer is not None:
                    yield "gpu_peer", figure


def stage_rows(setting: Setting) -> Iterator[tuple[str, Figure]]:
    """Where the CPU seconds of ours go."""
    load = busy()
    with setting.start_ours() as probe:
        answer = probe.ask("stages", speaker="first", text=setting.texts.chapter)
    spent: dict[str, float] = answer["spent"]
    for stage, seconds in {**spent, "rest": answer["cpu"] - sum(spent.values())}.items():
        yield f"stage_{stage}", Figure.of([seconds / answer["audio"]], load=load)


def memory_rows(setting: Setting) -> Iterator[tuple[str, Figure]]:
    """Ours alone: a text ten times as long, spoken as a worker speaks it."""
    load = busy()
    text = setting.texts.chapter
    with setting.start_ours() as probe:
        short = probe.ask("render", speaker="first", text=text)
        long = probe.ask("render", speaker="first", text="\n".join([text] * 10))
    growth = 100 * (long["peak"] / short["peak"] - 1)
    at_first, at_last = (f"{answer['peak']:.0f} MiB at {answer['audio']:.0f} s of audio" for answer in (short, long))
    note = f"from {at_first} to {at_last}"
    yield "memory_long", Figure.of([growth], load=load, note=note)


def speaker_rows(setting: Setting) -> Iterator[tuple[str, Figure]]:
    """How much a second voice adds, each in a process of its own whose working memory has grown to its size."""
    load = busy()
    text = setting.texts.chapter
    weights = (setting.tree / "onnx/speakers/second/synthesizer.onnx").stat().st_size / 2**20
    grown: list[list[float]] = []
    for start in (setting.start_ours, setting.start_peer):
        probe = start()
        if probe is None:
            continue
        with probe:
            probe.ask("load", speaker="second")  # its files are made ready, which takes memory of another kind
        grown.append([_grown_by_second(start(), text) / weights for _ in range(setting.pairs)])
    mine, theirs = grown[0], grown[1] if len(grown) > 1 else None
    yield "speaker", Figure.of(mine, theirs, load=load, note=f"weights of {weights:.0f} MiB")


def _grown_by_second(probe: Probe | None, text: str) -> float:
    """MiB, after both have spoken the text: what the first has used for it, the second uses again.

    Working memory has its size only after the first voice has spoken the text more than once.
    """
    if probe is None:
        raise RuntimeError("the process did not start")
    with probe:
        before = max(probe.ask("speak", speaker="first", text=text)["resident"] for _ in range(3))
        probe.ask("load", speaker="second")
        return float(probe.ask("speak", speaker="second", text=text)["resident"] - before)


def busy(seconds: float = 2.0) -> float:
    """How many cores others keep busy now."""
    before = _ticks()
    time.sleep(seconds)
    idle, total = (after - then for after, then in zip(_ticks(), before, strict=True))
    return round((os.cpu_count() or 1) * (1 - idle / max(1, total)), 2)


def _ticks() -> tuple[int, int]:
    """Idle and all ticks of all cores since the machine started."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def _in_turn(mine: Probe, other: Probe | None, do: str, text: str, times: int) -> Pairs:
    """The same order to both; who begins changes with every pair."""
    first: list[Answer] = []
    second: list[Answer] = []
    for number in range(times):
        turns = [(mine, first), (other, second)]
        for probe, answers in turns if number % 2 == 0 else reversed(turns):
            if probe is not None:
                answers.append(probe.ask(do, speaker="first", text=text))
    return first, second or None


def _figure(pairs: Pairs, value: Callable[[Answer], float], load: float, note: str = "") -> Figure:
    mine, theirs = pairs
    return Figure.of(
        [value(a) for a in mine], None if theirs is None else [value(a) for a in theirs], load=load, note=note
    )


def _wall(answer: Answer) -> float:
    return float(answer["wall"])


def _milliseconds(answer: Answer) -> float:
    return float(median(answer["milliseconds"]))
