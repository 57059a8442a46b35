"""The quality gate on sounds that are known, and the choice among takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from koebin.engine.audio.audio import Audio
from koebin.engine.errors import BackendMissing, InferenceFailed, InvalidText
from koebin.engine.options import SynthesisOptions
from koebin.tasks.contracts import Placement, PlannedSegment, Quality
from koebin.tasks.segment_key import plan_segment
from koebin.tasks.segments import store as segments
from koebin.tasks.segments.quality import QualityGate, SpokenSegment, Verdict, check_samples
from koebin.tasks.segments.takes import Take, choose_take, judge
from koebin.tasks.stores.uri import open_store

RATE = 48000
TEXT = "これは普通の長さの文です。"


def tone(seconds: float = 2.0, peak: float = 0.3) -> Audio:
    wave = peak * np.sin(2 * np.pi * 220 * np.arange(int(seconds * RATE)) / RATE)
    return Audio(wave.astype(np.float32), RATE)


def verdict(audio: Audio, text: str = TEXT, **options: float) -> Verdict:
    return check_samples(SpokenSegment(text, "mei", SynthesisOptions(**options), audio))


def test_speech_passes() -> None:
    assert verdict(tone()).good
    assert verdict(tone(4.0), speed=0.5).good
    assert verdict(tone(peak=0.0003), volume=-50.0).good, "as quiet as was asked for"
    assert verdict(tone(peak=1.0)).good, "a peak at full scale is no clipping"


def test_silence_is_mute() -> None:
    for audio in (tone(peak=0.0), tone(peak=0.001), tone(0.0)):
        assert verdict(audio).mute
        assert "silence" in verdict(audio).reasons[0]


def test_clipping_is_doubted() -> None:
    clipped = verdict(Audio(np.clip(tone(peak=3.0).samples, -1, 1), RATE))
    assert "clipped" in clipped.reasons[0]
    assert not clipped.mute


@pytest.mark.parametrize(("seconds", "speed"), [(0.2, 1.0), (30.0, 1.0), (0.1, 2.0), (13.0, 2.0)])
def test_absurd_durations_are_doubted(seconds: float, speed: float) -> None:
    assert "expected" in verdict(tone(seconds), speed=speed).reasons[0]


def test_a_recogniser_that_is_not_installed_is_named() -> None:
    with pytest.raises(BackendMissing, match="nobody"):
        QualityGate(Quality(recognisers=("nobody",)))


def take(number: int, audio: Audio | None, *reasons: str, mute: bool = False) -> Take:
    spec = plan_segment(
        TEXT,
        "mei",
        SynthesisOptions(take=number),
        (),
        dictionary_revision="",
        model_revision="m",
        engine_revision="e",
    )
    return Take(spec, audio, Verdict(reasons, mute=mute), stored=False)


def planned() -> PlannedSegment:
    return PlannedSegment(segment=take(0, None).spec, place=Placement(index=3, line=7))


def test_the_first_good_take_is_used_and_the_only_one_stored(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    takes = [take(0, tone(), "bad"), take(1, tone(), "worse"), take(2, tone()), take(3, tone())]
    judged = choose_take(store, planned(), "mei", takes[0], iter(takes[1:]))
    assert judged.used == takes[2].spec.key
    assert judged.takes == (("bad",), ("worse",), ())
    assert (judged.takes[-1], judged.line, judged.index) == ((), 7, 3)
    assert segments.stored(store, [each.spec.key for each in takes]) == {judged.used}


def test_where_none_is_good_the_first_that_can_be_heard_is_used(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    takes = [take(0, tone(), "silence", mute=True), take(1, tone(), "odd"), take(2, tone(), "odd")]
    judged = choose_take(store, planned(), "mei", takes[0], iter(takes[1:]))
    assert judged.used == takes[1].spec.key
    assert judged.takes == (("silence",), ("odd",), ("odd",))


def test_where_nothing_can_be_heard_the_segment_is_given_up(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    takes = [take(0, None, "NaN", mute=True), take(1, tone(), "silence", mute=True)]
    with pytest.raises(InferenceFailed, match="none of 2 takes is audible: NaN; silence"):
        choose_take(store, planned(), "mei", takes[0], iter(takes[1:]))
    assert not list(store.list("segments/"))


def test_the_engine_s_errors_are_for_the_gate_and_the_text_s_are_not() -> None:
    gate, spec = QualityGate(Quality()), planned().segment
    assert judge(gate, spec, "mei", InferenceFailed("NaN")).verdict.mute
    assert judge(gate, spec, "mei", InvalidText("empty")).good
    assert judge(None, spec, "mei", InferenceFailed("NaN")).good, "without a gate as ever"
    assert judge(gate, spec, "mei", tone()).good


def test_a_verdict_does_not_depend_on_having_been_stored(tmp_path: Path) -> None:
    store, gate, spec = open_store(tmp_path.as_uri()), QualityGate(Quality()), planned().segment
    audio = tone(peak=0.0025)
    segments.write(store, spec.key, audio)
    fresh = judge(gate, spec, "mei", audio)
    stored = judge(gate, spec, "mei", segments.read(store, spec.key), stored=True)
    assert fresh.verdict == stored.verdict
