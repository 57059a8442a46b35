"""Probe process: speaks on orders from its standard input and reports the cost.

One JSON object a line: ``{"do": "load", "speaker": NAME}``, ``speak``, ``render``, ``first``, ``front_end`` or
``stages`` with ``text`` and ``speaker``; the answer is one line.
``python -m benchmarks.probe DECODER TREE CACHE DEVICE``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from koebin import TTS, Request
from koebin.engine.checked_names import check_decoder
from koebin.worker.child.memory import map_large_blocks


def main() -> None:
    map_large_blocks()  # as a worker does
    decoder, tree, cache, device = sys.argv[1:5]
    tts = TTS(device, cache=cache, bert_source=tree, decoder=check_decoder(decoder, device))
    voices = tts.speakers
    commands: dict[str, Callable[..., dict[str, Any]]] = {
        "load": lambda speaker, **_: _load(tts, speaker, tree),
        "speak": lambda speaker, text: {"audio": voices[speaker].generate(text).duration_seconds},
        "render": lambda speaker, text: {"audio": _render(tts, speaker, text)},
        "first": lambda speaker, text: {"audio": next(voices[speaker].stream(text)).duration_seconds},
        "stages": lambda speaker, text: _stages(tts, speaker, text),
        "front_end": lambda text, **_: _front_end(text, Path(tree)),
    }
    for line in sys.stdin:
        order = json.loads(line)
        print("\x1e" + json.dumps(measured(commands[order.pop("do")], order)), flush=True)


def measured(work: Callable[..., dict[str, Any]], order: dict[str, Any]) -> dict[str, Any]:
    """What ``work`` says, and what it took: seconds of wall and CPU, MiB resident at its end and at most so far."""
    wall, cpu = time.perf_counter(), time.process_time()
    said = work(**order)
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "cpu_total": time.process_time()}
    return {**took, **memory(os.getpid()), **said}


def memory(pid: int) -> dict[str, float]:
    """MiB of a process: resident now and at most so far; now without what belongs to files."""
    rows = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    names = {"resident": "VmRSS", "peak": "VmHWM", "anonymous": "RssAnon"}
    return {name: int(rows[row].split()[0]) / 1024 for name, row in names.items()}


def _load(tts: TTS, speaker: str, tree: str) -> dict[str, Any]:
    tts.load(speaker, tree).prepare(warmup=True)
    return {}


def _render(tts: TTS, speaker: str, text: str) -> float:
    """As a worker speaks: sentence by sentence, each dropped when it is finished."""
    from koebin.engine.text.sentences import split_sentences

    requests = [Request(sentence.text) for sentence in split_sentences(text)]
    return sum(audio.duration_seconds for audio in tts.speakers[speaker].render(requests))


def _stages(tts: TTS, speaker: str, text: str) -> dict[str, Any]:
    """CPU seconds in each graph."""
    from koebin.engine.models.jp_extra.onnx.session import Session

    spent: Counter[str] = Counter()
    compute = Session.compute

    def timed(session: Session, outputs: Any, inputs: Any) -> Any:
        started = time.thread_time()
        try:
            return compute(session, outputs, inputs)
        finally:
            stage, _, _ = session.name.removesuffix(".onnx").partition("_")
            spent[stage] += time.thread_time() - started

    Session.compute = timed  # type: ignore[method-assign]
    try:
        audio = _render(tts, speaker, text)
        return {"audio": audio, "spent": dict(spent)}
    finally:
        Session.compute = compute  # type: ignore[method-assign]


def _front_end(text: str, tree: Path) -> dict[str, Any]:
    """CPU milliseconds from each sentence to the network's ids and BERT's tokens."""
    from koebin.engine.models.jp_extra.network_input import network_input
    from koebin.engine.text.frontend import analyze
    from koebin.engine.text.prosody import phonemes
    from koebin.engine.text.sentences import split_sentences
    from koebin.engine.text.tokens import load_vocabulary, token_ids

    vocabulary = load_vocabulary(tree / "bert/tokenizer")
    milliseconds = []
    for sentence in islice(split_sentences(text), 100):
        started = time.process_time()
        spoken = phonemes(analyze(sentence.text))
        network_input(spoken, add_blank=True)
        token_ids(spoken.bert_text, vocabulary)
        milliseconds.append(1000 * (time.process_time() - started))
    return {"milliseconds": milliseconds}


if __name__ == "__main__":
    main()
