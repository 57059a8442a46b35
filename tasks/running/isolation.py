"""Isolation: a chunk's sentences spoken one by one, so that the one that fails or kills is known and fails alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from koebin.engine.errors import InferenceFailed, KoebinError
from koebin.tasks.broker.leases import Leases
from koebin.tasks.errors_table import Payer, payer
from koebin.tasks.running.cancellation import Guard
from koebin.tasks.running.process_doubts import speaks

if TYPE_CHECKING:
    from koebin.engine.audio.audio import Audio
    from koebin.engine.request import Request
    from koebin.engine.speaker import Speaker


def render_alone(
    leases: Leases,
    task_id: str,
    speaker: Speaker,
    requests: Iterable[tuple[str, Request]],
    guard: Guard,
    *,
    watched: bool,
) -> Iterator[tuple[str, Audio | KoebinError]]:
    """Each segment's key with its audio, or with an error of its own.

    Args:
        requests: keys of segments, and what is spoken for them.
        watched: whether Redis is told before each, so that one that kills the process is known.

    Raises:
        LeaseLost, JobCancelled, GiveBack: see ``Guard``. Any error that is not one segment's own.
    """
    for key, request in requests:
        guard.check()
        if watched:
            leases.alone(task_id, key)
        try:
            audios = list(speaker.render([request]))
        except Exception as error:
            own = own_error(speaker, error)
            if own is None:
                raise
            yield key, own
            continue
        if not audios:
            raise InferenceFailed("the engine returned nothing", request.text)
        yield key, audios[0]


def own_error(speaker: Speaker, error: Exception) -> KoebinError | None:
    """The error if it is a property of one segment, so that the others can still be spoken; None if it is not.

    What nobody foresaw is the segment's own if the process can speak otherwise: the job must end, and name it.
    """
    who = payer(error)
    if who is None and speaks(speaker):
        return InferenceFailed(f"the engine stumbled over it ({type(error).__name__})", str(error)[:200])
    return error if who is Payer.TEXT and isinstance(error, KoebinError) else None
