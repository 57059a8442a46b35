"""JP-Extra voice on ONNX Runtime: the ``AcousticModel`` of a CPU, without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from koebin.engine import noise
from koebin.engine.audio.pitch import change_pitch
from koebin.engine.errors import EngineNotReady, InferenceFailed, InvalidOption
from koebin.engine.models.base import Begun, FloatArray, Rendering, Utterance
from koebin.engine.models.card import VoiceCard, read_card
from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.network_input import NetworkInput, network_input
from koebin.engine.models.jp_extra.onnx.bert import OnnxBert, expand
from koebin.engine.models.jp_extra.onnx.freed_memory import give_back
from koebin.engine.models.jp_extra.onnx.idle_threads import IdleThreads
from koebin.engine.models.jp_extra.onnx.mixed_decoder import MixedDecoder
from koebin.engine.models.jp_extra.onnx.network import (
    Control,
    IntArray,
    OnnxNetwork,
    at_least_one_frame,
    sample_prior,
    utterance_windows,
)
from koebin.engine.models.jp_extra.styles import Styles
from koebin.engine.models.jp_extra.timings import boundary, frames_between, marks_of
from koebin.engine.options import SynthesisOptions
from koebin.engine.text.prosody import Phonemes, join, phonemes

Tokenize = Callable[[str], Sequence[int]]
"""Tokenizer: text to the ids of its characters, with [CLS] and [SEP] at the ends."""

_LONGEST_SECONDS: Final = 300.0
"""Longest utterance in seconds: a broken voice's durations must not exhaust memory."""


class JpExtraOnnx:
    """JP-Extra voice on ONNX Runtime.

    ``parallel`` threads may call ``synthesize`` at once. Each utterance runs alone, in steps and windows that its own
    length decides, so it comes out the same to the bit whatever else runs; threads that have no utterance of their own
    decode windows of the others'.

    Args:
        folder: made by ``koebin.engine.models.jp_extra.export`` or
        ``koebin.engine.models.jp_extra.onnx.published.prepare``.
        bert: shared by all voices.
        tokenize: for ``bert``.
        idle: shared by all voices; ``parallel`` says how many threads it has.
        mixed: decodes in mixed precision; None decodes in float32.

    Raises:
        BackendMissing: a file or a package is missing.
        InvalidCheckpoint: a file is not what it should be.
    """

    def __init__(
        self, folder: Path, bert: OnnxBert, tokenize: Tokenize, idle: IdleThreads, mixed: MixedDecoder | None = None
    ) -> None:
        self._sizes = HyperParameters.load(folder / "config.json")
        self._styles = Styles.load(folder / "style_vectors.npy", self._sizes)
        self._card = read_card(folder)
        self._loaded: OnnxNetwork | None = OnnxNetwork(folder, mixed)
        self._speakers = self._loaded.speakers
        self._identity = f"{self._loaded.identity} {mixed.revision}" if mixed else self._loaded.identity
        self._bert = bert
        self._tokenize = tokenize
        self._idle = idle

    @property
    def card(self) -> VoiceCard:
        return self._card

    @property
    def sample_rate_hz(self) -> int:
        return self._sizes.sampling_rate

    @property
    def styles(self) -> tuple[str, ...]:
        return self._styles.names

    @property
    def speaker_count(self) -> int:
        return self._speakers

    @cached_property
    def revision(self) -> str:
        """Revision of the graphs and of BERT; ONNX Runtime's own version is part of the engine's revision."""
        return hashlib.sha256(f"onnx {self._identity} {self._bert.sha256}".encode()).hexdigest()[:16]

    @property
    def parallel(self) -> int:
        return self._idle.threads

    @property
    def batch_size(self) -> int:
        return 1

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Rendering]:
        controls = [self._control(utterance.options) for utterance in utterances]
        with self._idle.caller():
            return [self._speak(utterance, control) for utterance, control in zip(utterances, controls, strict=True)]

    def begin(self, utterance: Utterance) -> Begun | None:
        """Begun utterance; its pieces are the first window, and then as many as there are threads."""
        if utterance.options.pitch != 0 or utterance.options.intonation != 1:
            return None
        with self._idle.caller():
            return self._begin(utterance, self._control(utterance.options))

    def piece(self, begun: Begun, number: int) -> FloatArray:
        control = self._control(begun.utterance.options)
        with self._idle.caller():
            return self._network.decode(begun.latent, control, begun.pieces[number], self._idle.each)

    def predict_pause(self, first: Utterance, second: Utterance) -> float | None:
        """Pause from the duration predictors: length of the marks between both, read in one breath with the first's
        options.
        """
        one, other = phonemes(first.analysis), phonemes(second.analysis)
        ends = boundary(one, other)
        if ends is None:
            return None
        both = join(one, other)
        control = self._control(first.options)
        ids = network_input(both, self._sizes.add_blank)
        draws = noise.generator(first.seed)
        with self._idle.caller():
            bert = self._bert_features(both, ids, first.options)  # (1024, T)
            prior = self._network.encode(ids, bert, control, noise.sdp_noise(draws, len(ids)))
        return frames_between(prior.durations, len(both.phones), ends) * self._frame_seconds

    def close(self) -> None:
        self._loaded = None

    def _speak(self, utterance: Utterance, control: Control) -> Rendering:
        begun, options = self._begin(utterance, control), utterance.options
        samples = self._network.decode(begun.latent, control, each=self._idle.each)  # (F * hop,)
        samples = change_pitch(samples, self.sample_rate_hz, options.pitch, options.intonation)
        give_back()  # takes a millisecond; the heaps of the speaking threads would keep tens of MiB
        return Rendering(samples, begun.marks)

    def _begin(self, utterance: Utterance, control: Control) -> Begun:
        spoken = phonemes(utterance.analysis)
        ids = network_input(spoken, self._sizes.add_blank)
        draws = noise.generator(utterance.seed)
        bert = self._bert_features(spoken, ids, utterance.options)  # (1024, T)
        prior = self._network.encode(ids, bert, control, noise.sdp_noise(draws, len(ids)))
        durations = self._checked(at_least_one_frame(prior.durations), utterance)  # (T,)
        frames = int(durations.sum())
        prior_noise = noise.prior_noise(draws, self._network.channels, frames)  # (C, F)
        z_p = sample_prior(prior, control.noise_scale, prior_noise)  # (C, F)
        z = self._network.transform(z_p, control, self._idle.each)  # (C, F)
        length = frames * self._network.hop_length
        marks = marks_of(spoken, durations, self._frame_seconds, length / self.sample_rate_hz)
        first, *others = utterance_windows(frames)
        starts = range(0, len(others), self.parallel)
        pieces = ((first,), *(tuple(others[start : start + self.parallel]) for start in starts))
        return Begun(utterance, marks, length, z, pieces)

    def _control(self, options: SynthesisOptions) -> Control:
        if options.speaker_id >= self._speakers:
            raise InvalidOption(
                f"the voice has {self._speakers} speakers", str(options.speaker_id), f"Use 0 to {self._speakers - 1}"
            )
        return Control(
            style=self._styles.vector(options.style, options.style_weight),
            speaker_id=options.speaker_id,
            noise_scale=options.noise_scale,
            noise_scale_w=options.noise_scale_w,
            sdp_ratio=options.sdp_ratio,
            length_scale=1.0 / options.speed,
        )

    def _bert_features(self, spoken: Phonemes, ids: NetworkInput, options: SynthesisOptions) -> FloatArray:
        """Shape (1024, T), weighted by the options' accent strength."""
        tokens = self._tokenize(spoken.bert_text)
        if len(tokens) != len(ids.phones_per_token):
            raise InferenceFailed("BERT's tokens are not one per character", spoken.bert_text)
        features = self._bert.features(tokens)
        if options.bert_weight != 1:
            features = features * np.float32(options.bert_weight)
        return expand(features, ids.phones_per_token)

    def _checked(self, durations: IntArray, utterance: Utterance) -> IntArray:
        seconds = float(durations.sum(dtype=np.float64)) * self._frame_seconds
        if seconds > _LONGEST_SECONDS:
            raise InferenceFailed(
                f"the network predicts {seconds:.0f} seconds of speech, which is too long", utterance.analysis.text
            )
        return durations

    @property
    def _frame_seconds(self) -> float:
        return self._network.hop_length / self.sample_rate_hz

    @property
    def _network(self) -> OnnxNetwork:
        if self._loaded is None:
            raise EngineNotReady("the voice was closed", "", "Load it again")
        return self._loaded
