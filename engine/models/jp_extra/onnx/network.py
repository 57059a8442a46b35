"""Network of a JP-Extra voice on ONNX Runtime, one utterance at a time.

The graphs and their inputs are described in ``koebin.engine.models.jp_extra.export``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from koebin.engine.errors import InferenceFailed, InvalidCheckpoint
from koebin.engine.models.jp_extra.network_input import NetworkInput
from koebin.engine.models.jp_extra.onnx.flow import Flow
from koebin.engine.models.jp_extra.onnx.mapped_weights import mapped
from koebin.engine.models.jp_extra.onnx.mixed_decoder import MixedDecoder
from koebin.engine.models.jp_extra.onnx.session import Session, sha256, shared_session
from koebin.engine.models.jp_extra.voice_format import (
    DECODER,
    DECODER_INPUTS,
    DECODER_OUTPUTS,
    ENCODER,
    ENCODER_INPUTS,
    ENCODER_OUTPUTS,
    ENCODER_WEIGHTS,
    FILES,
    TRIM,
    positive,
    read_description,
)
from koebin.engine.models.jp_extra.windows import Each, Window, one_by_one, windows
from koebin.engine.observer import stage

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

LONGEST_WINDOW: Final = 128
"""Most frames in one call of the decoder, without overlaps: about 1.5 s, and 58 MiB of memory."""
SHORTEST_WINDOW: Final = 64
"""A longer utterance is decoded in at least two windows, so that two threads can share it."""
FIRST_WINDOW: Final = 40
"""Frames of a long utterance's first window, half a second: a streaming listener hears it early."""
_OVERLAPS: Final = 4
"""Frames whose decoding takes as long as the overlaps of one more window, halved: the first half has one more."""


@dataclass(frozen=True, slots=True)
class Control:
    """Control inputs of the graphs for one utterance.

    Attributes:
        style: shape (256,), float32.
        speaker_id: row of the speaker embedding.
    """

    style: FloatArray
    speaker_id: int
    noise_scale: float
    noise_scale_w: float
    sdp_ratio: float
    length_scale: float


@dataclass(frozen=True, slots=True)
class Prior:
    """Output of the text encoder.

    Attributes:
        durations: shape (T,), int64, >= 0: frames per phone.
        m: shape (C, T), float32: mean per phone.
        logs: shape (C, T), float32: logarithm of the standard deviation per phone.
    """

    durations: IntArray
    m: FloatArray
    logs: FloatArray


class OnnxNetwork:
    """Graphs of one voice. Any number of threads may use it at once.

    Args:
        folder: ``voice.json`` and the graphs.
        mixed: speaks in the decoder graph's stead.

    Raises:
        BackendMissing: a file is missing.
        InvalidCheckpoint: a file is not what it should be.
    """

    def __init__(self, folder: Path, mixed: MixedDecoder | None = None) -> None:
        self.description = read_description(folder)
        self.identity = check_files(folder, self.description)
        self.hop_length = positive(self.description, "hop_length")
        self.channels = positive(self.description, "channels")
        self.speakers = positive(self.description, "speakers")
        self._overlap = positive(self.description, "receptive_field_frames")
        self._encoder, self._encoder_weights = shared_session(folder / ENCODER), mapped(folder / ENCODER_WEIGHTS)
        self._encoder.require((*ENCODER_INPUTS, *self._encoder_weights), ENCODER_OUTPUTS)
        self._flow = Flow(folder)
        self._decoder = mixed or _whole_decoder(folder)

    @stage("encoder")
    def encode(self, ids: NetworkInput, bert: FloatArray, control: Control, sdp_noise: FloatArray) -> Prior:
        """Text encoder and durations.

        Args:
            ids: T symbols.
            bert: shape (1024, T).
            control: control inputs.
            sdp_noise: shape (2, T), standard normal.

        Raises:
            InferenceFailed: the graph fails, or a duration is negative.
        """
        durations, m, logs = self._encoder.run(
            ENCODER_OUTPUTS,
            {**encoder_feeds(ids, bert, control, sdp_noise), **self._encoder_weights},
        )
        if durations.min(initial=0) < 0:
            raise InferenceFailed("the network gave a negative duration", str(int(durations.min())))
        return Prior(durations[0], m[0], logs[0])

    @stage("flow")
    def transform(self, z_p: FloatArray, control: Control, each: Each = one_by_one) -> FloatArray:
        """Flow: a sample of the prior, shape (C, F), to the latent, shape (C, F)."""
        return self._flow.run(z_p, control.speaker_id, each)

    @stage("decoder")
    def decode(
        self, z: FloatArray, control: Control, places: Sequence[Window] = (), each: Each = one_by_one
    ) -> FloatArray:
        """Decoder: the latent, shape (C, F), to samples, shape (frames * hop_length,), within [-1, 1].

        Long latents are decoded window by window, each with as many frames more on both sides as its samples depend
        on: memory does not grow with F, and the result is that of a whole pass but for rounding. Who decodes a window
        changes nothing.

        Args:
            z: the latent.
            control: control inputs.
            places: windows of z, each beginning where the one before ends; ``utterance_windows`` if none are given.
            each: decodes them, the longest first.
        """
        places = places or utterance_windows(z.shape[1])
        frames, speaker, origin = z.shape[1], np.array([control.speaker_id], np.int64), places[0][0]
        audio = np.empty((places[-1][1] - origin) * self.hop_length, np.float32)

        def decode_window(place: Window) -> None:
            start, stop = place
            low, high = max(0, start - self._overlap), min(frames, stop + self._overlap)
            trim = np.array([start - low, high - stop])
            feeds: dict[str, NDArray[Any]] = dict(
                zip((*DECODER_INPUTS, TRIM), (z[None, :, low:high], speaker, trim), strict=True)
            )
            (part,) = self._decoder.run(DECODER_OUTPUTS, feeds)
            audio[(start - origin) * self.hop_length : (stop - origin) * self.hop_length] = part[0]

        each(decode_window, sorted(places, key=lambda place: place[0] - place[1]))
        return audio


def _whole_decoder(folder: Path) -> Session:
    session = Session(folder / DECODER)
    session.require((*DECODER_INPUTS, TRIM), DECODER_OUTPUTS)
    return session


def utterance_windows(frames: int) -> list[Window]:
    """Windows of the decoder for an utterance: a function of its length alone, like its samples.

    Two threads can share them evenly, and the first of a long utterance is short.
    """
    half = frames // 2 - _OVERLAPS
    if half < FIRST_WINDOW + SHORTEST_WINDOW // 2:
        return windows(frames, max(SHORTEST_WINDOW, -(-frames // 2)))
    first = windows(half - FIRST_WINDOW, LONGEST_WINDOW)
    second = windows(frames - half, LONGEST_WINDOW)
    return [
        (0, FIRST_WINDOW),
        *((start + FIRST_WINDOW, stop + FIRST_WINDOW) for start, stop in first),
        *((start + half, stop + half) for start, stop in second),
    ]


def encoder_feeds(
    ids: NetworkInput, bert: FloatArray, control: Control, sdp_noise: FloatArray
) -> dict[str, NDArray[Any]]:
    """Inputs of the encoder for one utterance, by name; arguments as ``OnnxNetwork.encode``."""
    values: tuple[NDArray[Any], ...] = (
        *(ids.phone_ids[None], ids.tone_ids[None], ids.language_ids[None], np.array([len(ids)], np.int64)),
        *(bert[None], control.style[None], np.array([control.speaker_id], np.int64), sdp_noise[None]),
        *(np.array([scale], np.float32) for scale in (control.noise_scale_w, control.sdp_ratio, control.length_scale)),
    )
    return dict(zip(ENCODER_INPUTS, values, strict=True))


def sample_prior(prior: Prior, noise_scale: float, noise: FloatArray) -> FloatArray:
    """Sample of the prior, with phones repeated for their frames: ``m + noise * exp(logs) * noise_scale``.

    Args:
        prior: T phones.
        noise_scale: >= 0.
        noise: shape (C, F), standard normal, F = ``at_least_one_frame(prior.durations).sum()``.

    Returns:
        Shape (C, F), float32.

    Source: VITS, arXiv 2106.06103, section 2.2.
    """
    repeats = at_least_one_frame(prior.durations)
    m, logs = np.repeat(prior.m, repeats, axis=1), np.repeat(prior.logs, repeats, axis=1)
    return m + noise * np.exp(logs) * np.float32(noise_scale)


def at_least_one_frame(durations: IntArray) -> IntArray:
    """Durations, shape (T,), with one frame of the last phone if all are 0."""
    if durations.any():
        return durations
    last = np.zeros_like(durations)
    last[-1] = 1
    return last


def check_files(folder: Path, description: dict[str, Any]) -> str:
    """Verify the checksum of every file, so that no graph of another voice slips in; returns one over all of them.

    Raises:
        InvalidCheckpoint: a file differs, or is not listed.
        BackendMissing: a file is missing.
    """
    digest, files = hashlib.sha256(), description.get("files")
    for name in FILES:
        expected = files.get(name) if isinstance(files, dict) else None
        found = sha256(folder / name)
        if found != expected:
            raise InvalidCheckpoint(
                "a file of the voice does not match its checksum", str(folder / name), "Fetch or export it again"
            )
        digest.update(f"{name} {found}\n".encode())
    return digest.hexdigest()
