"""Voices of a pool process, fetched, loaded and warmed up before it takes work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from koebin.tasks.settings import Settings
from koebin.worker.requested_voices import voices

if TYPE_CHECKING:
    from koebin.engine.tts import TTS


def load_voices(settings: Settings, device: str) -> TTS:
    """Build and warm up the engine with all speakers of this worker, on a device of its own.

    Raises:
        ModelError, SourceError, SourceUnavailable: names the speaker.
    """
    from koebin.engine.tts import TTS

    tts = TTS(
        device=device,
        sources=settings.source_options(),
        bert_source=settings.bert,
        threads=settings.threads or None,
        max_loaded=settings.max_loaded or None,
        decoder=settings.decoder,
    )
    for voice in voices(settings):
        tts.load(voice.name, voice.source)
    return tts.prepare(warmup=True)
