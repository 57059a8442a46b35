"""JP-Extra voice in torch: padded batches on a GPU, one utterance after another on a CPU."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from koebin.engine import noise
from koebin.engine.audio.pitch import change_pitch
from koebin.engine.checked_names import DecoderMode
from koebin.engine.errors import EngineNotReady, InferenceFailed, InvalidOption
from koebin.engine.models.base import FloatArray, Rendering, Utterance
from koebin.engine.models.card import VoiceCard, read_card
from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.network_input import NetworkInput, network_input
from koebin.engine.models.jp_extra.receptive_field import receptive_field_frames
from koebin.engine.models.jp_extra.styles import Styles
from koebin.engine.models.jp_extra.timings import boundary, frames_between, marks_of
from koebin.engine.models.jp_extra.torch.batches import ON_CPU, ON_CUDA, BatchLimits, batches_within
from koebin.engine.models.jp_extra.torch.bert import TorchBert, expand
from koebin.engine.models.jp_extra.torch.checkpoint import checksum, find_weights, load_synthesizer
from koebin.engine.models.jp_extra.torch.devices import arithmetic, open_device
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer, sample_prior
from koebin.engine.observer import batched, stage
from koebin.engine.options import SynthesisOptions
from koebin.engine.text.prosody import Phonemes, join, phonemes

Tokenizer = Callable[[str], Sequence[int]]
"""Tokenizer: text to the ids of its characters, with [CLS] and [SEP] at the ends."""

_ARITHMETIC: Final = "torch 1"
"""Version, raised with every change that changes samples by more than rounding."""

_LONGEST_SECONDS: Final = 300.0
"""Longest utterance in seconds: a broken voice's durations must not exhaust memory."""


@dataclass(eq=False)
class _Job:
    """Utterance on its way through the network.

    Attributes:
        style: [256].
        noise: its generator, drawn from in the order of the network.
        durations: [T] int64, on the CPU.
        m, logs: [C, T].
    """

    utterance: Utterance
    phonemes: Phonemes
    ids: NetworkInput
    style: Tensor
    noise: np.random.Generator
    durations: Tensor = field(init=False)
    m: Tensor = field(init=False)
    logs: Tensor = field(init=False)

    @property
    def options(self) -> SynthesisOptions:
        return self.utterance.options

    @property
    def frames(self) -> int:
        return int(self.durations.sum())


class JpExtraTorch:
    """``AcousticModel`` over the torch network.

    Args:
        folder: ``config.json``, ``style_vectors.npy`` and a safetensors file.
        bert: on the same device; shared by the voices of a process and closed by whoever opened it.
        tokens: for ``bert``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        decoder: arithmetic of the decoder on CUDA. What comes before it is always float32.
        limits: of a padded batch; None is ``ON_CUDA`` or ``ON_CPU``.

    Raises:
        InvalidCheckpoint: files that do not fit.
        BackendMissing: a device that is not there.
    """

    def __init__(
        self,
        folder: Path,
        bert: TorchBert,
        tokens: Tokenizer,
        device: str = "cpu",
        decoder: DecoderMode = "float32",
        limits: BatchLimits | None = None,
    ) -> None:
        self._device = open_device(device)
        self._sizes = HyperParameters.load(folder / "config.json")
        self._styles = Styles.load(folder / "style_vectors.npy", self._sizes)
        self._card = read_card(folder)
        self._weights = find_weights(folder)
        self._bert = bert
        self._tokens = tokens
        self._decoder = decoder if self._device.type == "cuda" else "float32"
        self._limits = limits or (ON_CUDA if self._device.type == "cuda" else ON_CPU)
        self._loaded: Synthesizer | None = load_synthesizer(self._weights, self._sizes).to(self._device)
        self._loaded.dec.to(torch.float16 if self._decoder == "float16" else torch.float32)
        self._overlap = receptive_field_frames(self._sizes)

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
        return self._sizes.n_speakers

    @cached_property
    def revision(self) -> str:
        parts = [_ARITHMETIC, self._decoder, checksum(self._weights), self._bert.revision, repr(self._sizes)]
        digest = hashlib.sha256("\n".join(parts).encode())
        digest.update(self._styles.vectors.tobytes())
        return digest.hexdigest()[:16]

    @property
    def parallel(self) -> int:
        return 1

    @property
    def batch_size(self) -> int:
        return self._limits.utterances

    @torch.inference_mode()
    def synthesize(self, utterances: Sequence[Utterance]) -> list[Rendering]:
        jobs = [self._prepare(utterance, phonemes(utterance.analysis)) for utterance in utterances]
        for batch in self._batches([len(job.ids) for job in jobs], self._limits.phones):
            self._encode([jobs[index] for index in batch])
        samples: dict[int, FloatArray] = {}
        for batch in self._batches([job.frames for job in jobs], self._limits.frames):
            batched("utterances", len(batch), self.batch_size)
            samples |= zip(batch, self._speak([jobs[index] for index in batch]), strict=True)
        return [self._finish(job, samples[index]) for index, job in enumerate(jobs)]

    @torch.inference_mode()
    def predict_pause(self, first: Utterance, second: Utterance) -> float | None:
        before, after = phonemes(first.analysis), phonemes(second.analysis)
        ends = boundary(before, after)
        if ends is None:
            return None
        job = self._prepare(first, join(before, after))
        self._encode([job])
        frames = frames_between(job.durations.numpy(), len(job.phonemes.phones), ends)
        return frames * self._frame_seconds

    def close(self) -> None:
        self._loaded = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _synchronize(self) -> None:
        """Wait for the device, so that a step's time is its own."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def _prepare(self, utterance: Utterance, spoken: Phonemes) -> _Job:
        options = utterance.options
        if options.speaker_id >= self.speaker_count:
            hint = f"Use 0 to {self.speaker_count - 1}"
            raise InvalidOption("the voice has no such speaker", str(options.speaker_id), hint)
        style = torch.from_numpy(self._styles.vector(options.style, options.style_weight))  # [256]
        ids = network_input(spoken, self._sizes.add_blank)
        return _Job(utterance, spoken, ids, style, noise.generator(utterance.seed))

    def _batches(self, lengths: Sequence[int], budget: int) -> list[list[int]]:
        return batches_within(lengths, budget, self.batch_size)

    def _encode(self, jobs: Sequence[_Job]) -> None:
        """Durations, and mean and log scale per phone, of a padded batch."""
        with arithmetic(self._device):
            with stage("bert", self._synchronize):
                bert = self._bert_features(jobs)  # [T, 1024] each
            draws = [torch.from_numpy(noise.sdp_noise(job.noise, len(job.ids)).T) for job in jobs]  # [T, 2] each
            with stage("encoder", self._synchronize):
                frames, m, logs = self._network.encode(
                    phone_ids=self._padded([torch.from_numpy(job.ids.phone_ids) for job in jobs]),  # [B, T]
                    tone_ids=self._padded([torch.from_numpy(job.ids.tone_ids) for job in jobs]),  # [B, T]
                    language_ids=self._padded([torch.from_numpy(job.ids.language_ids) for job in jobs]),  # [B, T]
                    lengths=torch.tensor([len(job.ids) for job in jobs], device=self._device),  # [B]
                    bert=self._padded(bert).transpose(1, 2),  # [B, 1024, T]
                    style=torch.stack([job.style for job in jobs]).to(self._device),  # [B, 256]
                    speaker_id=self._speakers(jobs),  # [B]
                    sdp_noise=self._padded(draws).transpose(1, 2),  # [B, 2, T]
                    noise_scale_w=self._scales([job.options.noise_scale_w for job in jobs]),  # [B]
                    sdp_ratio=self._scales([job.options.sdp_ratio for job in jobs]),  # [B]
                    length_scale=self._scales([1 / job.options.speed for job in jobs]),  # [B]
                )
        frames = frames.cpu()  # [B, T]
        for row, job in enumerate(jobs):
            phones = len(job.ids)
            job.durations = self._durations(frames[row, :phones], job)  # [T]
            job.m, job.logs = m[row, :, :phones], logs[row, :, :phones]  # [C, T] each

    def _bert_features(self, jobs: Sequence[_Job]) -> list[Tensor]:
        """[T, 1024] each, weighted by the options' accent strength."""
        tokens = [self._tokens(job.phonemes.bert_text) for job in jobs]
        features = []
        for job, ids, hidden in zip(jobs, tokens, self._bert.hidden(tokens), strict=True):
            if len(ids) != len(job.phonemes.word2ph):
                raise InferenceFailed("BERT's tokens are not one per character", job.phonemes.bert_text)
            weight = job.options.bert_weight
            weighted = hidden if weight == 1 else hidden * weight
            features.append(expand(weighted, job.ids.phones_per_token))
        return features

    def _durations(self, frames: Tensor, job: _Job) -> Tensor:
        """Checked, whole durations: [T] float -> [T] int64, at least one frame in all."""
        text = job.utterance.analysis.text
        if not torch.isfinite(frames).all() or (frames < 0).any():
            raise InferenceFailed("the network gave an invalid duration", text)
        seconds = float(frames.sum()) * self._frame_seconds
        if seconds > _LONGEST_SECONDS:
            raise InferenceFailed(f"the network predicts {seconds:.0f} seconds of speech, which is too long", text)
        durations = frames.long()
        durations[-1] += 0 if durations.any() else 1
        return durations

    def _speak(self, jobs: Sequence[_Job]) -> list[FloatArray]:
        """Samples of a padded batch."""
        frames = torch.tensor([job.frames for job in jobs], device=self._device)  # [B]
        speakers = self._speakers(jobs)  # [B]
        with arithmetic(self._device):
            draws = [torch.from_numpy(noise.prior_noise(job.noise, len(job.m), job.frames).T) for job in jobs]
            z_p = sample_prior(
                self._padded([job.durations for job in jobs]),  # [B, T]
                self._padded([job.m.T for job in jobs]).transpose(1, 2),  # [B, C, T]
                self._padded([job.logs.T for job in jobs]).transpose(1, 2),  # [B, C, T]
                self._padded(draws).transpose(1, 2),  # [B, C, F]
                self._scales([job.options.noise_scale for job in jobs]),  # [B]
            )  # [B, C, F]
            with stage("flow", self._synchronize):
                z = self._network.transform(z_p, frames, speakers)  # [B, C, F]
        with arithmetic(self._device, tf32=self._decoder != "float32"), stage("decoder"):
            audio = self._decode(z, frames if len(jobs) > 1 else None, speakers).cpu()  # [B, F * hop]
        hop = self._sizes.hop_length
        return [audio[row, : job.frames * hop].numpy().copy() for row, job in enumerate(jobs)]

    def _decode(self, z: Tensor, frames: Tensor | None, speakers: Tensor) -> Tensor:
        """Audio from windows of the latent, each with the context of its edges: memory does not grow with the text.

        z [B, C, F] -> audio [B, F * hop], on the device.
        """
        hop, total = self._sizes.hop_length, z.shape[2]
        width = max(1, self._limits.window_frames // len(z))
        parts = []
        for start in range(0, total, width):
            end, left = min(start + width, total), max(0, start - self._overlap)
            right = min(end + self._overlap, total)
            inside = None if frames is None else (frames - left).clamp(0, right - left)  # [B]
            part = self._network.decode(z[:, :, left:right], inside, speakers)  # [B, (right - left) * hop]
            parts.append(part[:, (start - left) * hop : (end - left) * hop])
        return torch.cat(parts, dim=1)

    def _finish(self, job: _Job, samples: FloatArray) -> Rendering:
        if not np.isfinite(samples).all():
            raise InferenceFailed("the network gave samples that are not numbers", job.utterance.analysis.text)
        samples = change_pitch(samples, self.sample_rate_hz, job.options.pitch, job.options.intonation)
        seconds = len(samples) / self.sample_rate_hz
        return Rendering(samples, marks_of(job.phonemes, job.durations.numpy(), self._frame_seconds, seconds))

    @property
    def _network(self) -> Synthesizer:
        if self._loaded is None:
            raise EngineNotReady("the voice was closed", "", "Load it again")
        return self._loaded

    @property
    def _frame_seconds(self) -> float:
        return self._sizes.hop_length / self._sizes.sampling_rate

    def _padded(self, items: Sequence[Tensor]) -> Tensor:
        """[T, ...] each -> [B, longest T, ...] on the device, 0 where padded; moved at once."""
        return pad_sequence(list(items), batch_first=True).to(self._device)

    def _speakers(self, jobs: Sequence[_Job]) -> Tensor:
        return torch.tensor([job.options.speaker_id for job in jobs], device=self._device)

    def _scales(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=self._device)
