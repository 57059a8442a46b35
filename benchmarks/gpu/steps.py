"""Steps of the network with inputs of one shape: encoder, flow and decoder of a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.gpu.material import Material
from benchmarks.voices import NAMES
from koebin.engine.models.jp_extra.hyper_parameters import LANGUAGES, SYMBOLS, TONES, HyperParameters
from koebin.engine.models.jp_extra.torch.checkpoint import find_weights, load_synthesizer
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer


@dataclass(frozen=True)
class Step:
    """A step of the network.

    Attributes:
        call: on ``inputs``.
        audio_seconds: that the batch amounts to.
    """

    name: str
    call: Callable[..., object]
    inputs: tuple[Tensor, ...]
    audio_seconds: float


def load_network(material: Material) -> Synthesizer:
    """The first random voice's network, on the measured device."""
    folder = material.voice_folder(NAMES[0])
    return load_synthesizer(find_weights(folder), HyperParameters.load(folder / "config.json")).to(
        material.torch_device
    )


def steps_of(network: Synthesizer, device: torch.device, utterances: int, frames: int) -> list[Step]:
    """Encoder, flow and decoder with random inputs of a full batch: utterances of ``frames`` frames."""
    draws = torch.Generator().manual_seed(0)
    symbols = max(1, round(frames / 4.5))
    batch, speakers = (utterances,), torch.zeros(utterances, dtype=torch.int64)

    def ids(size: int) -> Tensor:
        return torch.randint(0, size, (utterances, symbols), generator=draws)

    def normal(*shape: int) -> Tensor:
        return torch.randn(utterances, *shape, generator=draws)

    given = [
        ids(SYMBOLS), ids(TONES), ids(LANGUAGES), torch.full(batch, symbols), normal(1024, symbols), normal(256) * 0.3,
        speakers, normal(2, symbols), *(torch.full(batch, value) for value in (0.8, 0.2, 1.0)),
    ]  # fmt: skip
    latent = normal(network.sizes.inter_channels, frames)
    lengths = torch.full(batch, frames)
    seconds = utterances * frames * network.sizes.hop_length / network.sizes.sampling_rate

    def step(name: str, call: Callable[..., object], *inputs: Tensor) -> Step:
        return Step(name, call, tuple(tensor.to(device) for tensor in inputs), seconds)

    return [
        step("encoder", network.encode, *given),
        step("flow", network.transform, latent, lengths, speakers),
        step("decoder", network.decode, latent, lengths, speakers),
    ]
