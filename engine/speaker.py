"""Speaker: text in, audio out."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.checked_names import known_style, nearest
from koebin.engine.content_id import content_id
from koebin.engine.errors import InvalidOption, InvalidText, UnknownStyle
from koebin.engine.models.base import AcousticModel, Begun, PiecewiseModel, Rendering, Utterance
from koebin.engine.models.card import VoiceCard, card_of
from koebin.engine.observer import stage
from koebin.engine.options import SynthesisOptions
from koebin.engine.permits import Errand, Permits
from koebin.engine.reading import Reading
from koebin.engine.request import Request, merge_options, split_request
from koebin.engine.seeds import utterance_seed
from koebin.engine.sentence_pauses import SpokenSentence, join_utterances, predict_with, with_pauses
from koebin.engine.sentence_threads import Job, SentenceThreads
from koebin.engine.text.checks import check_text, has_speech
from koebin.engine.text.given_readings import check_readings
from koebin.engine.text.unreadable import find_unreadable

if TYPE_CHECKING:
    from koebin.engine.text.dictionary import Dictionary

_WINDOW_BATCHES: Final = 4
"""Batches among which utterances are sorted by length: enough to fill them evenly, few enough for memory."""


@dataclass(frozen=True, slots=True)
class SpeakerInfo:
    """Properties of a prepared voice, known also while it is not in memory; see ``AcousticModel``."""

    name: str
    sample_rate_hz: int
    styles: tuple[str, ...]
    speaker_count: int
    revision: str
    parallel: int
    batch_size: int
    card: VoiceCard = field(default_factory=VoiceCard)

    @classmethod
    def of(cls, name: str, model: AcousticModel) -> SpeakerInfo:
        return cls(
            name,
            model.sample_rate_hz,
            model.styles,
            model.speaker_count,
            model.revision,
            model.parallel,
            model.batch_size,
            card_of(model),
        )


class Speaker:
    """Prepared voice. Any thread may use it; created by ``TTS``, not by hand.

    At most ``parallel`` threads compute at once, the others wait; nothing is held between two sentences.

    Args:
        info: the voice's properties.
        lease: context with the loaded model, held during computation.
        executor: for awaited calls; it belongs to the ``TTS``.
    """

    def __init__(
        self,
        info: SpeakerInfo,
        lease: Callable[[], AbstractContextManager[AcousticModel]],
        executor: Callable[[], Executor],
    ) -> None:
        self._info = info
        self._lease = lease
        self._executor = executor
        self._permits = Permits(info.parallel)
        self._threads: SentenceThreads[SpokenSentence] = SentenceThreads(
            info.parallel, f"koebin-{info.name}", self._permits
        )

    @property
    def name(self) -> str:
        return self._info.name

    @property
    def sample_rate_hz(self) -> int:
        return self._info.sample_rate_hz

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the styles, the default first."""
        return self._info.styles

    @property
    def speaker_count(self) -> int:
        return self._info.speaker_count

    @property
    def card(self) -> VoiceCard:
        """What the voice's maker says of it; an empty one where nothing is said."""
        return self._info.card

    @property
    def revision(self) -> str:
        """Revision of the model; part of a stored segment's key."""
        return self._info.revision

    def __repr__(self) -> str:
        return f"Speaker({self.name!r}, {self.sample_rate_hz} Hz, styles {', '.join(self.styles)})"

    def generate(
        self,
        text: str,
        options: SynthesisOptions | None = None,
        *,
        dictionary: Dictionary | None = None,
        readings: Sequence[Reading] = (),
        **changes: Any,
    ) -> Audio:
        """Speak a text of any length.

        Args:
            text: Japanese; sentence marks in the result repeat it unchanged.
            options: synthesis options; ``changes`` replaces single ones: ``generate("…", speed=1.2)``.
            dictionary: the user's words, for this call only.
            readings: given readings of spans of ``text``.

        Raises:
            InvalidText, InvalidOption, UnknownStyle: an impossible request.
            EngineNotReady: the speaker was unloaded, or this is a forked child.
            InferenceFailed: the model's output is not speech.
        """
        return self._generate(self._sentences(text, options, dictionary, readings, changes), threading.Event())

    def stream(
        self,
        text: str,
        options: SynthesisOptions | None = None,
        *,
        dictionary: Dictionary | None = None,
        readings: Sequence[Reading] = (),
        **changes: Any,
    ) -> Iterator[Audio]:
        """Speak a text part by part, each computed on demand.

        Arguments and errors are those of ``generate``; bad input is refused here, before the first part. A part is a
        sentence, with the pause before it at its head; but where the voice can begin before it has finished, the first
        sentence comes in several. The first of them has all marks of the sentence, also beyond its own end, and those
        that go on with it have none. The parts joined are what ``generate`` gives.
        """
        return self._stream(self._sentences(text, options, dictionary, readings, changes), threading.Event())

    async def agenerate(
        self,
        text: str,
        options: SynthesisOptions | None = None,
        *,
        dictionary: Dictionary | None = None,
        readings: Sequence[Reading] = (),
        **changes: Any,
    ) -> Audio:
        """``generate`` without blocking the event loop; a cancellation takes effect after the sentences in progress."""
        requests = self._sentences(text, options, dictionary, readings, changes)
        cancelled = threading.Event()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor(), self._generate, requests, cancelled)
        finally:
            cancelled.set()

    async def astream(
        self,
        text: str,
        options: SynthesisOptions | None = None,
        *,
        dictionary: Dictionary | None = None,
        readings: Sequence[Reading] = (),
        **changes: Any,
    ) -> AsyncIterator[Audio]:
        """``stream`` without blocking the event loop."""
        requests = self._sentences(text, options, dictionary, readings, changes)
        cancelled = threading.Event()
        parts = self._stream(requests, cancelled)
        loop = asyncio.get_running_loop()
        try:
            while (part := await loop.run_in_executor(self._executor(), next, parts, None)) is not None:
                yield part
        finally:
            # A step still in its thread ends by itself; its generator holds nothing then.
            cancelled.set()

    def render(self, requests: Sequence[Request], go_on: Callable[[], bool] | None = None) -> Iterator[Audio]:
        """Speak sentences that are stored one by one, in order, without pauses between them.

        A model that batches is given batches which depend on ``requests`` alone; any other speaks ``parallel``
        sentences at once, each as if it were the only one. Bad input is refused here, before anything is computed.

        Args:
            go_on: called before anything but the first is begun, and ten times a second while a thread's sentence is
                awaited. After False only what has ended is given. A batch that has begun is finished, and batches of
                what is left are those that it would have been in. Threads end their sentences in the background, and
                the next render of one of them takes it over. None: always True, and what others have left takes no
                thread of this one's.

        Raises:
            As ``generate``.
        """
        checked = [self._checked(request) for request in requests]
        return (spoken.audio for spoken in self._render(checked, threading.Event(), go_on))

    def predict_pause(self, first: Request, second: Request) -> float:
        """Seconds between the last sound of one sentence and the first of the next.

        ``first.options.pause`` if it is given, else what the voice's duration model predicts, else 0.3 s.
        """
        if first.options.pause is not None:
            return first.options.pause
        return self._pause(self._utterances(first)[-1], self._utterances(second)[0])

    def _sentences(
        self,
        text: str,
        options: SynthesisOptions | None,
        dictionary: Dictionary | None,
        readings: Sequence[Reading],
        changes: dict[str, Any],
    ) -> list[Request]:
        whole = self._checked(Request(text, merge_options(options, changes), tuple(readings), dictionary))
        if find_unreadable(text) and not has_speech(text):
            raise InvalidText("nothing of the text can be read", text.strip(), "Give at least one word", 1, 1)
        return split_request(whole)

    def _checked(self, request: Request) -> Request:
        check_text(request.text, allow_mute=True)
        check_readings(request.text, request.readings)
        style, row = request.options.style, request.options.speaker_id
        if style and not known_style(style, self.styles):
            close = nearest(style, self.styles) or self.styles
            raise UnknownStyle(f"speaker {self.name} has no such style", style, f"Use {', '.join(close)}")
        if row >= self.speaker_count:
            raise InvalidOption(f"speaker {self.name} has no such row", str(row), f"Use 0 to {self.speaker_count - 1}")
        return request

    def _generate(self, requests: list[Request], cancelled: threading.Event) -> Audio:
        spoken = self._render(requests, cancelled, pauses=True)
        return Audio.joined(list(with_pauses(spoken, requests, self._pause)))

    def _stream(self, requests: list[Request], cancelled: threading.Event) -> Iterator[Audio]:
        first, *others = requests
        sentences = (self._speak(request, cancelled) for request in others)
        utterances = self._utterances(first)
        begun = self._begin(utterances)
        if begun is None:
            spoken = self._speak_utterances(first, utterances, cancelled)
            yield from with_pauses(chain([spoken], sentences), requests, self._pause)
            return
        # Pauses are decided by marks and lengths, so they can be put around silence in the sentence's stead.
        silence = Rendering(np.zeros(begun.length, np.float32), begun.marks)
        stand_in = self._finish(first, utterances, [silence])
        parts = with_pauses(chain([stand_in], sentences), requests, self._pause)
        yield from self._in_pieces(begun, next(parts), cancelled)
        yield from parts

    def _begin(self, utterances: tuple[Utterance, ...]) -> Begun | None:
        """Sentence without its samples, if the voice supports that."""
        if len(utterances) > 1:
            return None
        with self._model() as model:
            return model.begin(utterances[0]) if isinstance(model, PiecewiseModel) else None

    def _in_pieces(self, begun: Begun, shape: Audio, cancelled: threading.Event) -> Iterator[Audio]:
        """Samples in place of the silence in ``shape``, which may have lost some of its end."""
        marks, left = shape.marks, len(shape)
        for number in range(len(begun.pieces)):
            if number and not left:
                return
            _stop_if(cancelled)
            with self._model() as model:
                samples = cast("PiecewiseModel", model).piece(begun, number)[:left]
            yield Audio(samples, self.sample_rate_hz, marks).with_gain(begun.utterance.options.volume)
            marks, left = Marks(), left - len(samples)

    @contextmanager
    def _model(self, errand: Errand | None = None) -> Iterator[AcousticModel]:
        lease = self._lease()  # refuses a forked child, before a lock that no thread would ever release there
        with self._permits.hold(errand or Errand()), lease as model:
            yield model

    def _pause(self, first: Utterance, second: Utterance) -> float:
        with self._model() as model:
            return predict_with(model, first, second)

    def _render(
        self,
        requests: Sequence[Request],
        cancelled: threading.Event,
        go_on: Callable[[], bool] | None = None,
        pauses: bool = False,
    ) -> Iterator[SpokenSentence]:
        if self._info.batch_size > 1:
            return self._render_batches(requests, cancelled, go_on or (lambda: True))
        if self._info.parallel > 1 and (len(requests) > 1 or go_on):
            return self._threads.speak(self._jobs(requests, cancelled, pauses), go_on)
        return self._render_singly(requests, cancelled, go_on or (lambda: True))

    def _jobs(
        self, requests: Sequence[Request], cancelled: threading.Event, pauses: bool
    ) -> Iterator[Job[SpokenSentence]]:
        """Jobs for threads.

        Where ``pauses`` are wanted, each thread predicts the one before its sentence: the consumer would predict the
        last of them alone, when the sentences are spoken and the threads idle.
        """
        for before, request in zip([None, *requests], requests, strict=False):
            after = before if pauses and request.options.pause is None else None
            yield Job(request, partial(self._speak, request, cancelled, after))

    def _render_singly(
        self, requests: Sequence[Request], cancelled: threading.Event, go_on: Callable[[], bool]
    ) -> Iterator[SpokenSentence]:
        for number, request in enumerate(requests):
            if number and not go_on():
                return
            yield self._speak(request, cancelled)

    def _render_batches(
        self, requests: Sequence[Request], cancelled: threading.Event, go_on: Callable[[], bool]
    ) -> Iterator[SpokenSentence]:
        """Windows of sentences; in each, utterances of similar length share a batch. Reads ahead by one window."""
        size = self._info.batch_size * _WINDOW_BATCHES
        windows = [requests[start : start + size] for start in range(0, len(requests), size)]
        with ThreadPoolExecutor(1, f"koebin-{self.name}-text") as pool:
            plans = [pool.submit(self._plan, window) for window in windows[:1]]
            for index, window in enumerate(windows):
                if index and not go_on():
                    return
                plan = plans.pop().result()
                plans = [pool.submit(self._plan, after) for after in windows[index + 1 : index + 2]]
                _stop_if(cancelled)
                renderings = self._compute_batches([utterance for utterances in plan for utterance in utterances])
                for request, utterances in zip(window, plan, strict=True):
                    yield self._finish(request, utterances, [renderings.popleft() for _ in utterances])

    def _plan(self, requests: Sequence[Request]) -> list[tuple[Utterance, ...]]:
        return [self._utterances(request) for request in requests]

    def _compute_batches(self, utterances: Sequence[Utterance]) -> deque[Rendering]:
        by_length = sorted(range(len(utterances)), key=lambda index: (-_length(utterances[index]), index))
        done: dict[int, Rendering] = {}
        for start in range(0, len(by_length), self._info.batch_size):
            batch = by_length[start : start + self._info.batch_size]
            with self._model() as model:
                done.update(zip(batch, model.synthesize([utterances[index] for index in batch]), strict=True))
        return deque(done[index] for index in range(len(utterances)))

    def _speak(
        self, request: Request, cancelled: threading.Event, after: Request | None = None, errand: Errand | None = None
    ) -> SpokenSentence:
        """Spoken sentence, with the pause before it if its predecessor is given."""
        utterances = self._utterances(request)
        pause = None if after is None else self._pause(self._utterances(after)[-1], utterances[0])
        return replace(self._speak_utterances(request, utterances, cancelled, errand), pause=pause)

    def _speak_utterances(
        self,
        request: Request,
        utterances: tuple[Utterance, ...],
        cancelled: threading.Event,
        errand: Errand | None = None,
    ) -> SpokenSentence:
        renderings = []
        for utterance in utterances:
            _stop_if(cancelled)
            with self._model(errand) as model:
                renderings += model.synthesize([utterance])
        return self._finish(request, utterances, renderings)

    def _utterances(self, request: Request) -> tuple[Utterance, ...]:
        from koebin.engine.text.frontend import analyze_utterances

        # No other word decides how the sentence is read, so none may decide its noise.
        words = request.dictionary.within(request.text) if request.dictionary else None
        with stage("front_end"):
            analyses = analyze_utterances(request.text, readings=request.readings, dictionary=words)
        revision = words.revision if words else ""
        content = content_id(request.text, self.name, request.options, request.readings, revision)
        return tuple(
            Utterance(analysis, request.options, utterance_seed(content, index))
            for index, analysis in enumerate(analyses)
        )

    def _finish(
        self, request: Request, utterances: tuple[Utterance, ...], renderings: list[Rendering]
    ) -> SpokenSentence:
        """Join the utterances of a sentence, apply the volume, and add the sentence's mark."""
        parts = [Audio(rendering.samples, self.sample_rate_hz, rendering.marks) for rendering in renderings]
        audio = join_utterances(parts, utterances, self._pause).with_gain(request.options.volume)
        sentence = Mark(request.text, 0.0, audio.duration_seconds, self.name)
        return SpokenSentence(replace(audio, marks=replace(audio.marks, sentences=(sentence,))), utterances)


def _stop_if(cancelled: threading.Event) -> None:
    if cancelled.is_set():
        raise CancelledError


def _length(utterance: Utterance) -> int:
    """Approximate duration; punctuation does not count."""
    return sum(len(node.pron) for node in utterance.analysis.nodes if node.pos != "記号")
