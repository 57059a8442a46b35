"""Remote voices from their address to a model: the ``VoiceLoader`` that needs no files and no device."""

from __future__ import annotations

from pathlib import Path

from koebin.engine.models.base import AcousticModel
from koebin.engine.models.remote.address import parse_remote
from koebin.engine.sources.base import SourceOptions


class RemoteVoices:
    """``VoiceLoader`` for voices behind HTTP.

    Args:
        sources: has the keys.
    """

    def __init__(self, sources: SourceOptions) -> None:
        self._sources = sources

    def fetch(self, name: str, source: str, device: str) -> Path | None:  # noqa: ARG002 - there is nothing to fetch
        """Check the address. Raises: SourceError: it has another form."""
        parse_remote(source)
        return None

    def open(self, name: str, source: str, device: str) -> AcousticModel:  # noqa: ARG002 - it computes elsewhere
        """Ask the server who it is, and let it say a word."""
        from koebin.engine.models.remote.openai_client import OpenAiVoice
        from koebin.engine.models.remote.voicevox_client import VoicevoxVoice

        address = parse_remote(source)
        kind = OpenAiVoice if address.protocol == "openai" else VoicevoxVoice
        return kind(address, self._sources.keys)

    def close(self) -> None:
        """Nothing is shared."""
