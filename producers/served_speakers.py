"""Speakers that live workers serve: what a job is planned with, and the errors where one is missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from koebin.engine.checked_names import check_speaker, nearest
from koebin.engine.errors import SpeakerNotServed, UnknownSpeaker
from koebin.tasks.broker.fleet import Fleet
from koebin.tasks.contracts import PlannedSpeaker, VoiceCredit
from koebin.tasks.jobs.planning import Target
from koebin.tasks.script import Script

_POLL_SECONDS: Final = 0.25


def find_targets(
    fleet: Callable[[], Fleet], names: Iterable[str], wait_seconds: float, *, some: bool = False
) -> tuple[Fleet, dict[str, Target]]:
    """Targets of speakers, with the workers among which they were found.

    Args:
        fleet: looks which workers live.
        wait_seconds: seconds to wait for a worker that serves them.
        some: be content with those that are served, if any is.

    Raises:
        UnknownSpeaker: no live worker serves one, and its name looks like another's.
        SpeakerNotServed: no live worker serves one.
    """
    wanted = sorted({check_speaker(name) for name in names})
    deadline = time.monotonic() + wait_seconds
    while True:
        now = fleet()
        alike = now.of_one_engine(wanted)
        missing = [name for name in wanted if name not in alike.speakers()]
        late = time.monotonic() >= deadline
        if not missing or (some and late and len(missing) < len(wanted)):
            return now, {name: _target(alike, name) for name in wanted if name not in missing}
        if time.monotonic() >= deadline:
            raise _not_served(missing[0], now)
        time.sleep(_POLL_SECONDS)


def without_unserved(script: Script, targets: Mapping[str, Target]) -> Script:
    """The script; of a list without the items whose speaker or style is not there, each its own error."""
    if not script.items:
        return script
    refused: dict[str, str] = {}
    for passage in script.passages:
        target, style = targets.get(passage.speaker), passage.options.style
        if target is None:
            refused[passage.item] = f"no live worker serves this speaker: {passage.speaker!r}"
        elif style and style not in target.styles:
            known = ", ".join(target.styles)
            refused[passage.item] = f"{passage.speaker} has no such style: {style!r}. Use {known}"
    if all(passage.item in refused for passage in script.passages):
        return script  # planning says what is wrong with the first
    return script.without_items(refused)


def _target(now: Fleet, name: str) -> Target:
    """The announcement of most processes if workers differ; chunks run only where the revisions are the same."""
    worker, served = max(now.speakers()[name], key=lambda found: (found[0].children, found[0].worker))
    planned = PlannedSpeaker(
        model_revision=served.model_revision,
        sample_rate_hz=served.sample_rate_hz,
        credit=VoiceCredit(display_name=served.display_name, licence=served.licence, creators=served.creators),
    )
    return Target(planned, worker.engine_revision, served.styles, served.speed_factor)


def _not_served(name: str, now: Fleet) -> UnknownSpeaker | SpeakerNotServed:
    served = sorted(now.speakers())
    if name in served:
        hint = "A job is planned for one: wait until all workers are of the same release, or --wait"
        return SpeakerNotServed("no workers of one engine revision serve all speakers", name, hint)
    close = nearest(name, served)
    if close:
        return UnknownSpeaker("no live worker serves this speaker", name, f"Did you mean {' or '.join(close)}?")
    live = f"Live speakers: {', '.join(served)}" if served else "No worker is ready"
    return SpeakerNotServed(
        "no live worker serves this speaker",
        name,
        f"{live}. Start one with: koebin worker --speakers {name}, or --wait",
    )
