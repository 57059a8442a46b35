"""Queues that a worker consumes: one for each speaker of ``--speakers``, and that of assembly."""

from __future__ import annotations

from koebin.tasks.redis_keys import ASSEMBLE_QUEUE, speaker_queue
from koebin.tasks.settings import Settings
from koebin.worker.requested_voices import voices


def queues(settings: Settings) -> tuple[str, ...]:
    """Names of the queues. Raises: as ``voices``."""
    speakers = tuple(speaker_queue(voice.name) for voice in voices(settings))
    return (*speakers, ASSEMBLE_QUEUE) if settings.assemble else speakers
