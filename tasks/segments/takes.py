"""Choice among a segment's takes by the quality gate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from koebin.engine.errors import InferenceFailed, KoebinError
from koebin.tasks.contracts import Judged, PlannedSegment, SegmentSpec
from koebin.tasks.segments import store as segments
from koebin.tasks.segments.quality import QualityGate, SpokenSegment, Verdict
from koebin.tasks.stores.base import Store

if TYPE_CHECKING:
    from koebin.engine.audio.audio import Audio


@dataclass(frozen=True, slots=True)
class Take:
    """Judged take.

    Attributes:
        audio: None if the engine failed.
        stored: the store has it already.
    """

    spec: SegmentSpec
    audio: Audio | None
    verdict: Verdict
    stored: bool

    @property
    def good(self) -> bool:
        return self.verdict.good


def judge(
    gate: QualityGate | None, spec: SegmentSpec, speaker: str, made: Audio | KoebinError, *, stored: bool = False
) -> Take:
    """Judge an outcome of the engine; without a gate everything is good. An error of the engine counts as inaudible,
    unless it is the text's own fault.
    """
    if isinstance(made, KoebinError):
        failed = gate is not None and isinstance(made, InferenceFailed)
        return Take(spec, None, Verdict((str(made)[:200],), mute=True) if failed else Verdict(), stored)
    if gate is None:
        return Take(spec, made, Verdict(), stored)
    heard = made if stored else _as_stored(made)
    return Take(spec, made, gate.judge(SpokenSegment(spec.text, speaker, spec.synthesis_options(), heard)), stored)


def choose_take(store: Store, planned: PlannedSegment, speaker: str, first: Take, further: Iterable[Take]) -> Judged:
    """Choose the first good take, else the first audible one; it is in the store when this returns.

    Raises:
        InferenceFailed: none of them is audible.
    """
    tried = [first]
    for take in further:
        tried.append(take)
        if take.good and take.audio is not None:
            break
    audible = [take for take in tried if take.audio is not None and not take.verdict.mute]
    if not audible:
        reasons = "; ".join(dict.fromkeys(reason for take in tried for reason in take.verdict.reasons))
        raise InferenceFailed(f"none of {len(tried)} takes is audible: {reasons}", planned.segment.text)
    used = next((take for take in audible if take.good), audible[0])
    if not used.stored and used.audio is not None:
        segments.write(store, used.spec.key, used.audio)
    return Judged(
        key=planned.segment.key,
        used=used.spec.key,
        index=planned.place.index,
        line=planned.place.line,
        item=planned.place.item,
        speaker=speaker,
        text=planned.segment.text,
        takes=tuple(take.verdict.reasons for take in tried),
    )


def _as_stored(audio: Audio) -> Audio:
    """Samples in 24 bits: a verdict must not depend on whether a take was stored before."""
    from koebin.engine.audio.encoding import decode_segment, encode_segment

    return decode_segment(encode_segment(audio), audio.marks)
