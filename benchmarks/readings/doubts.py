"""``python -m benchmarks.readings.doubts FOLDER``: what ``koebin check`` lists, of sentences read wrongly and rightly.

FOLDER holds ``NAME.jsonl`` files with ``text`` and ``kana`` in each line, as for ``python -m benchmarks.readings``.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from benchmarks.readings.morae import norm_kana
from benchmarks.readings.score import interval
from koebin.engine.text.doubts import doubts
from koebin.engine.text.frontend import analyze_utterances
from koebin.engine.text.sentences import split_sentences


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.readings.doubts", description=__doc__)
    parser.add_argument("folder", type=Path)
    pooled: Counter[tuple[bool, bool]] = Counter()
    print("| set | wrong, of them listed % (95 %) | right, of them listed % (95 %) |\n|---|--|--|")
    for path in sorted(parser.parse_args().folder.glob("*.jsonl")):
        counts = Counter(_case(json.loads(line)) for line in path.read_text("utf-8").splitlines())
        pooled += counts
        print(_row(path.stem, counts), flush=True)
    print(_row("all", pooled))


def _case(case: dict[str, str]) -> tuple[bool, bool]:
    """Whether the sentence is read right, and whether any of its words is listed."""
    sentences = [sentence.text for sentence in split_sentences(case["text"])]
    nodes = [node for text in sentences for part in analyze_utterances(text) for node in part.nodes]
    right = norm_kana("".join(node.pron for node in nodes)) == norm_kana(case["kana"])
    return right, any(doubts(text) for text in sentences)


def _row(name: str, counts: Counter[tuple[bool, bool]]) -> str:
    cells = []
    for right in (False, True):
        listed, every = counts[right, True], counts[right, True] + counts[right, False]
        low, high = interval(listed, every) if every else (0.0, 0.0)
        cells.append(f"{every}, {100 * listed / max(1, every):.1f} ({low:.1f} to {high:.1f})")
    return f"| {name} | {cells[0]} | {cells[1]} |"


if __name__ == "__main__":
    main()
