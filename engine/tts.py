"""TTS: entry point of the engine."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from koebin.engine.checked_names import DecoderMode, check_decoder, check_device, check_speaker, nearest
from koebin.engine.cpu_quota import cpu_quota
from koebin.engine.errors import EngineNotReady, InvalidOption, KoebinError, UnknownSpeaker
from koebin.engine.home import expanded
from koebin.engine.models.base import AcousticModel, Utterance
from koebin.engine.models.pool import ModelPool
from koebin.engine.models.registry import BUILTIN, VoiceLoaders
from koebin.engine.options import SynthesisOptions
from koebin.engine.sources.base import DEFAULT_SOURCE, SourceOptions
from koebin.engine.speaker import Speaker, SpeakerInfo

_WARM_UP: Final = (
    "はい。",
    "今日はとても良い天気ですね。",
    "この文章は、声を出す前に、どんな長さの文でもすぐに話せるように、準備をしておくためのものです。",
)


class TTS:
    """Set of voices, loaded and ready.

    ::

        with TTS(device="cpu").load("mei").prepare() as tts:
            tts.speakers["mei"].generate("こんにちは。").save("hello.wav")

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        cache: folder for fetched voices; ``~/.cache/koebin`` if none is given.
        sources: options of the sources: credentials, endpoints, offline.
        bert_source: has the language model for voices whose own source has none.
        threads: number of utterances that a CPU voice speaks at once; by default the available cores.
        max_loaded: most voices in memory, the least recently used one is closed; None keeps all.
        decoder: arithmetic of a JP-Extra voice's decoder: ``float32``, or on CUDA ``tf32`` or ``float16``, or on a CPU
            that has units for it ``bfloat16``. Those are less exact (docs/performance.md has their errors). Where a
            mode has no units it is float32, as is everything before the decoder.

    Raises:
        InvalidOption: an argument out of range.

    Objects share nothing. Everything is created in ``prepare`` and belongs to that process: a forked child is refused.
    """

    def __init__(
        self,
        device: str = "cpu",
        *,
        cache: Path | str | None = None,
        sources: SourceOptions | None = None,
        bert_source: str = DEFAULT_SOURCE,
        threads: int | None = None,
        max_loaded: int | None = None,
        decoder: DecoderMode = "float32",
    ) -> None:
        self.device = check_device(device)
        self._threads = _at_least_one("threads", threads) or available_cores()
        self._voices: dict[str, str | None] = {}
        self._speakers: dict[str, Speaker] = {}
        self._registry = VoiceLoaders(
            self.device, _source_options(cache, sources), bert_source, self._threads, check_decoder(decoder, device)
        )
        self._max_loaded = _at_least_one("max_loaded", max_loaded)
        self._pool = ModelPool(self._open, self._max_loaded)
        self._executor: ThreadPoolExecutor | None = None
        self._preparing = threading.RLock()
        self._executor_lock = threading.Lock()
        self._pid: int | None = None

    def load(self, name: str, source: str | Path | None = None) -> Self:
        """Register a speaker; ``prepare`` loads it.

        Args:
            name: the speaker's name, also in a source with many.
            source: ``hf://user/repo[@revision]``, ``s3://bucket/prefix``, ``file:///path`` or an absolute path; without
                one ``mei``, ``ken`` and ``hina`` are built in and others come from ``hf://lemondouble/hayakoe``.

        Raises:
            InvalidName: not a speaker's name.
            InvalidOption: the speaker is registered with another source.
        """
        check_speaker(name)
        source = str(source) if isinstance(source, Path) else source
        self._check_process()
        with self._preparing:
            if name in self._voices and self._voices[name] != source:
                hint = f"Call unload({name!r}) first"
                raise InvalidOption(f"speaker {name} is loaded from another source", source or "", hint)
            self._voices[name] = source
        return self

    def pre_download(self, device: str | None = None) -> Self:
        """Fetch the files of all registered speakers, for ``device`` if given; touches no device.

        Raises:
            SourceError, SourceUnavailable: with the speaker's name.
        """
        target = check_device(device) if device else self.device
        for name, source in tuple(self._voices.items()):
            with _naming(name):
                self._registry.fetch(name, source, target)
        return self

    def prepare(self, warmup: bool = True) -> Self:
        """Load every registered speaker that is not ready yet, and warm it up.

        All or nothing: if one fails, it is named in the error, none of the new ones becomes ready, and those that were
        ready stay so. ``unload`` the bad one and call again.

        Raises:
            ModelError, SourceError, SourceUnavailable: a speaker cannot be loaded.
        """
        self._check_process()
        with self._preparing:
            opened: dict[str, AcousticModel] = {}
            infos: dict[str, SpeakerInfo] = {}
            try:
                for name in self._voices:
                    if name in self._speakers:
                        continue
                    self._make_room(opened)
                    with _naming(name):
                        opened[name] = self._open(name)
                        infos[name] = SpeakerInfo.of(name, opened[name])
                        if warmup:
                            warm_up(opened[name])
            except BaseException:
                for model in opened.values():
                    model.close()
                raise
            self._pid = os.getpid()
            for name, model in opened.items():
                self._pool.add(name, model)
            for name, info in infos.items():
                self._speakers[name] = Speaker(info, partial(self._lease, name), self._async_executor)
        return self

    @property
    def speakers(self) -> Speakers:
        """Ready speakers by name."""
        return Speakers(self._speakers, self._voices)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of the speakers whose models are in memory, the most recently used one last."""
        return self._pool.loaded

    def unload(self, name: str) -> Self:
        """Remove a speaker and release its memory, once nobody uses it.

        Raises:
            UnknownSpeaker: no such speaker was loaded.
        """
        self._check_process()
        with self._preparing:
            if name not in self._voices:
                raise _unknown(name, self._voices)
            del self._voices[name]
            self._speakers.pop(name, None)
            self._pool.remove(name)
        return self

    def close(self) -> None:
        """Release everything; speakers of this object cannot be used afterwards. In a forked child, do nothing."""
        if self._pid not in (None, os.getpid()):
            return
        with self._preparing:
            self._voices.clear()
            self._speakers.clear()
            self._pool.clear()
            self._registry.close()
            if self._executor is not None:
                self._executor.shutdown(wait=False, cancel_futures=True)
                self._executor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, name: str) -> AcousticModel:
        if name not in self._voices:
            raise EngineNotReady("the speaker was unloaded", name, "Call load() and prepare() again")
        model = self._registry.open(name, self._voices[name])
        ready = self._speakers.get(name)
        if ready is not None and ready.revision != model.revision:
            model.close()
            raise EngineNotReady("the voice's files have changed since prepare()", name, "Unload it and load it again")
        return model

    def _lease(self, name: str) -> AbstractContextManager[AcousticModel]:
        self._check_process()
        return self._pool.lease(name)

    def _make_room(self, opened: dict[str, AcousticModel]) -> None:
        """Close models so that the limit holds during preparation, too."""
        if self._max_loaded is not None and len(opened) >= self._max_loaded:
            opened.pop(next(iter(opened))).close()

    def _async_executor(self) -> Executor:
        self._check_process()
        with self._executor_lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(2 * self._threads + 2, "koebin-async")
            return self._executor

    def _check_process(self) -> None:
        if self._pid not in (None, os.getpid()):
            raise EngineNotReady(
                "this TTS was prepared in another process", str(self._pid), "Create and prepare a TTS after the fork"
            )


class Speakers(Mapping[str, Speaker]):
    """Ready speakers of a ``TTS``; an unknown name raises an error with the next step."""

    def __init__(self, ready: Mapping[str, Speaker], registered: Mapping[str, str | None]) -> None:
        self._ready = ready
        self._registered = registered

    def __getitem__(self, name: str) -> Speaker:
        """The speaker.

        Raises:
            EngineNotReady: it is registered, but ``prepare`` was not called since.
            UnknownSpeaker: it was never loaded; names the nearest.
        """
        if name in self._ready:
            return self._ready[name]
        if name in self._registered or not self._ready:
            raise EngineNotReady("the speaker is not ready", name, "Call load() and prepare() first")
        raise _unknown(name, self._registered)

    def __contains__(self, name: object) -> bool:
        return name in self._ready

    def __iter__(self) -> Iterator[str]:
        return iter(self._ready)

    def __len__(self) -> int:
        return len(self._ready)

    def __repr__(self) -> str:
        return f"Speakers({', '.join(self._ready)})"


def available_cores() -> int:
    """Number of cores that this process may use: its affinity, and its container's quota, rounded up."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, math.ceil(cpu_quota() or cores)))


def warm_up(model: AcousticModel) -> None:
    """Speak a little; a batching model speaks sentences of several lengths, alone and together."""
    from koebin.engine.text import frontend

    frontend.warm_up()
    utterances = [Utterance(frontend.analyze(text), SynthesisOptions(), seed=0) for text in _WARM_UP]
    batches = model.batch_size > 1
    # A graph on a CPU does not depend on lengths: after one word it has its full speed.
    for utterance in utterances if batches else utterances[:1]:
        model.synthesize([utterance])
    if batches:
        model.synthesize((utterances * model.batch_size)[: model.batch_size])
    model.predict_pause(utterances[0], utterances[1])


@contextmanager
def _naming(speaker: str) -> Iterator[None]:
    """Add the speaker's name to an error."""
    try:
        yield
    except KoebinError as error:
        what = f"speaker {speaker} cannot be loaded: {error.what}"
        raise type(error)(what, error.value, error.hint, error.line, error.column) from error
    except Exception as error:
        error.add_note(f"while loading speaker {speaker}")
        raise


def _unknown(name: str, known: Mapping[str, str | None]) -> UnknownSpeaker:
    close = nearest(name, {*known, *BUILTIN})
    hint = f"Did you mean {' or '.join(close)}?" if close else f"Loaded speakers: {', '.join(sorted(known)) or 'none'}"
    return UnknownSpeaker("no such speaker", name, hint)


def _source_options(cache: Path | str | None, sources: SourceOptions | None) -> SourceOptions:
    folder = Path(cache) if cache is not None else None
    if sources is None:
        return SourceOptions(folder or expanded("~/.cache/koebin"))
    return replace(sources, cache_root=folder) if folder else sources


def _at_least_one(name: str, value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or value < 1:
        raise InvalidOption(f"{name} is out of range", str(value), "Use 1 or more, or None")
    return value
