"""Joints of segments: the requested pause lies between the sounds."""

from __future__ import annotations

import pytest

from koebin.engine.audio.silence import KEPT_SECONDS
from koebin.tasks.segments.joints import Ends, Joint, joints

VOICE = Ends(before=0.3, after=0.3, spoken=True)


def meet(*pauses: float, ends: tuple[Ends, ...] | None = None) -> list[Joint]:
    return list(joints(ends or (VOICE,) * (len(pauses) + 1), [*pauses, 9.0]))


@pytest.mark.parametrize("pause", [0.1, 0.2, 0.35, 0.5, 0.6, 0.8, 2.0])
def test_the_pause_between_two_sounds_is_the_one_asked_for(pause: float) -> None:
    first, second = meet(pause)
    between = VOICE.after - first.tail + first.silence + VOICE.before - second.head
    assert between == pytest.approx(pause)


def test_a_sound_keeps_a_little_silence_beside_it() -> None:
    first, second = meet(0.0)
    assert VOICE.after - first.tail == pytest.approx(KEPT_SECONDS)
    assert VOICE.before - second.head == pytest.approx(KEPT_SECONDS)


def test_nothing_is_cut_from_the_programmes_ends() -> None:
    first, *_, last = meet(0.1, 0.1)
    assert first.head == 0.0
    assert (last.tail, last.silence) == (0.0, 0.0)


def test_a_segment_without_a_sound_is_left_whole() -> None:
    mute = Ends(before=0.5, after=0.0, spoken=False)
    one, two, three = meet(0.1, 0.1, ends=(VOICE, mute, VOICE))
    assert (two.head, two.tail) == (0.0, 0.0)
    assert one.head == three.tail == 0.0


def test_no_segments_no_joints() -> None:
    assert list(joints([], [])) == []
