"""Scores of one system on one set: sentences exactly right, lenient, mora errors, accents, and their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from benchmarks.readings.lenient import canon
from benchmarks.readings.morae import fold, norm_kana, phones_to_moras


@dataclass
class Score:
    """Counts over sentences; accents over those whose morae are right and whose set has them."""

    right: list[bool] = field(default_factory=list)
    lenient: int = 0
    accents: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("same", "ref", "hyp", "nucleus", "both", "phrases"), 0)
    )

    def add(self, case: Mapping[str, Any], said: Mapping[str, Any]) -> None:
        want, got = norm_kana(case["kana"]), norm_kana(said["kana"])
        exact = want == got
        self.right.append(exact)
        self.lenient += exact or norm_kana(canon(said["kana"], case["text"])) == norm_kana(
            canon(case["kana"], case["text"])
        )
        if exact and case.get("prosody"):
            self._add_accents(case["prosody"], said["phrases"])

    def _add_accents(self, want: Sequence[Any], got: Sequence[Any]) -> None:
        morae, ref = _layout(want)
        others, hyp = _layout(got)
        if morae != others:
            return
        here, there = {end for _, end, _ in ref[:-1]}, {end for _, end, _ in hyp[:-1]}
        known = {(start, end): accent for start, end, accent in hyp}
        pairs = [(accent, known[start, end]) for start, end, accent in ref if (start, end) in known]
        for name, count in {
            "same": len(here & there),
            "ref": len(here),
            "hyp": len(there),
            "nucleus": sum(one == other for one, other in pairs),
            "both": len(pairs),
            "phrases": len(ref),
        }.items():
            self.accents[name] += count

    def accent_rates(self) -> tuple[float, float, float]:
        """Boundary F1, nucleus of the phrases found whole, whole phrases; in percent."""
        counts = self.accents
        return (
            200 * counts["same"] / max(1, counts["ref"] + counts["hyp"]),
            100 * counts["nucleus"] / max(1, counts["both"]),
            100 * counts["nucleus"] / max(1, counts["phrases"]),
        )


def interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, in percent."""
    if not trials:
        return 0.0, 0.0
    share, z = successes / trials, 1.96
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return 100 * (middle - half), 100 * (middle + half)


def _layout(phrases: Sequence[Any]) -> tuple[list[str], list[tuple[int, int, int]]]:
    morae: list[str] = []
    spans: list[tuple[int, int, int]] = []
    for phones, accent, _ in phrases:
        part = phones_to_moras(list(phones))
        if part:
            spans.append((len(morae), len(morae) + len(part), accent if 0 < accent < len(part) else 0))
            morae += part
    return fold(morae), spans
