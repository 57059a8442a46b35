"""Loading of any kind of voice: from a speaker's name and source to its acoustic model."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from koebin.engine.checked_names import BUILTIN_SPEAKERS, DecoderMode
from koebin.engine.models.base import AcousticModel
from koebin.engine.models.remote.address import is_remote
from koebin.engine.sources.base import DEFAULT_SOURCE, SourceOptions

BUILTIN: Final = BUILTIN_SPEAKERS
"""Speakers that need no files; see ``koebin.engine.models.hts.voice``."""


class VoiceLoader(Protocol):
    """Interface of one kind of voice: fetching its files, and opening its model.

    A loader belongs to one ``TTS``; what its voices share (a BERT) it holds until ``close``.
    """

    def fetch(self, name: str, source: str, device: str) -> Path | None:
        """Make the files local for that device, without touching it; None if there are none.

        Raises:
            SourceError, SourceUnavailable: they cannot be fetched.
        """
        ...

    def open(self, name: str, source: str, device: str) -> AcousticModel:
        """Load the voice, fetching it if necessary.

        Raises:
            ModelError, SourceError, SourceUnavailable: it cannot be loaded.
        """
        ...

    def close(self) -> None:
        """Release what the voices shared."""
        ...


class VoiceLoaders:
    """Fetches and opens voices of every kind for one device.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        sources: options of the sources and their cache.
        bert_source: has the language model for voices whose own source has none.
        threads: number of utterances that a CPU voice speaks at once.
        decoder: arithmetic of a JP-Extra voice's decoder on CUDA.
    """

    def __init__(
        self, device: str, sources: SourceOptions, bert_source: str, threads: int, decoder: DecoderMode
    ) -> None:
        self._bert_source = bert_source
        self._device = device
        self._sources = sources
        self._threads = threads
        self._decoder = decoder
        self._jp_extra: VoiceLoader | None = None
        self._remote: VoiceLoader | None = None

    def fetch(self, name: str, source: str | None, device: str) -> None:
        """Make the voice's files local for a device; as ``VoiceLoader.fetch``."""
        if not is_builtin(name, source):
            self._loader(source).fetch(name, source or DEFAULT_SOURCE, device)

    def open(self, name: str, source: str | None) -> AcousticModel:
        """Load the voice; as ``VoiceLoader.open``. The built-in voice runs on the CPU whatever the device."""
        if is_builtin(name, source):
            from koebin.engine.models.hts.voice import BuiltinVoice

            return BuiltinVoice(name, self._threads)
        return self._loader(source).open(name, source or DEFAULT_SOURCE, self._device)

    def close(self) -> None:
        """Release what the voices share; voices opened later share anew."""
        for loader in (self._jp_extra, self._remote):
            if loader is not None:
                loader.close()
        self._jp_extra = self._remote = None

    def _loader(self, source: str | None) -> VoiceLoader:
        if is_remote(source):
            if self._remote is None:
                from koebin.engine.models.remote.voices import RemoteVoices

                self._remote = RemoteVoices(self._sources)
            return self._remote
        if self._jp_extra is None:
            from koebin.engine.models.jp_extra.voices import JpExtraVoices

            self._jp_extra = JpExtraVoices(self._sources, self._bert_source, self._threads, self._decoder)
        return self._jp_extra


def is_builtin(name: str, source: str | None) -> bool:
    """Whether a speaker is built in; with a source of its own it is another one."""
    return source is None and name in BUILTIN
