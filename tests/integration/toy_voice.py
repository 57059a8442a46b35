"""A voice that makes half a second of anything at once, and a runtime of a worker that has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, cast

import numpy as np
from redis import Redis

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.request import Request
from koebin.engine.speaker import Speaker
from koebin.tasks.broker import fleet
from koebin.tasks.broker.delayed_messages import Message
from koebin.tasks.broker.leases import Leases
from koebin.tasks.contracts import PlannedSpeaker
from koebin.tasks.jobs.ledger import Ledger
from koebin.tasks.jobs.planning import Target
from koebin.tasks.running.runtime import Runtime, install
from koebin.tasks.stores.uri import open_store

RATE: Final = 24_000
TARGET: Final = Target(PlannedSpeaker(model_revision="m1", sample_rate_hz=RATE), "e1", ("Neutral",), 10.0)


class ToyVoice:
    """It has a defect: it raises what no engine should on a text with 「転」 in it."""

    name, revision, styles, sample_rate_hz = "mei", "m1", ("Neutral",), RATE

    def render(self, requests: Sequence[Request], go_on: Callable[[], bool] | None = None) -> Iterator[Audio]:
        for number, request in enumerate(requests):
            if number and go_on and not go_on():
                return
            if "転" in request.text:
                raise RuntimeError("an index is out of range")
            marks = (Mark(request.text, 0.0, 0.5, "mei"),)
            yield Audio(np.full(RATE // 2, 0.1, np.float32), RATE, Marks(marks, (), marks, marks))


def toy_runtime(redis: Redis, work_dir: Path, sent: list[Message]) -> Runtime:
    """Make it this process's own, and announce it; messages that it sends are laid into ``sent``."""
    made = Runtime(
        redis=redis,
        ledger=Ledger(redis),
        leases=Leases(redis, 30),
        speakers={"mei": cast(Speaker, ToyVoice())},
        engine_revision="e1",
        open_store=lambda uri: open_store(uri),
        send=sent.append,
        drain_deadline=lambda: None,
        work_dir=work_dir,
        worker="w",
    )
    install(made)
    announce_toy(redis)
    return made


def announce_toy(redis: Redis) -> None:
    """Say that a live worker has the voice."""
    served = (fleet.ServedSpeaker("mei", ("Neutral",), RATE, "m1", 10.0),)
    fleet.announce(redis, fleet.Announcement("w", "e1", 1, True, served))
