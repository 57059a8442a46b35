"""Decoder mode accuracy, ``python -m benchmarks.decoder_modes TREE``: error of the faster modes against float32.

TREE is made by ``benchmarks.voices``. The signal-to-noise ratio is that of the audio without its mean, of which random
voices have much. On a CPU TensorFloat-32 is imitated: what a convolution is given is rounded to 10 bits of mantissa.
So is bfloat16 in the wide stages, as a CPU that has units for it computes them.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.onnx.rewrite.decoder import WIDE
from koebin.engine.models.jp_extra.torch.checkpoint import find_weights, load_synthesizer
from koebin.engine.models.jp_extra.torch.devices import arithmetic
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer

_FRAMES: Final = 200
_DROPPED_BITS: Final = 13
"""Of float32's 23 bits of mantissa."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoder_modes", description=__doc__)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    for name in ("first", "second"):
        for mode, decibels in measure(chosen.tree / "pytorch/speakers" / name, torch.device(chosen.device)).items():
            print(f"{name}: {mode}: {decibels:.1f} dB")


@torch.inference_mode()
def measure(voice: Path, device: torch.device) -> dict[str, float]:
    """Signal-to-noise ratio of each mode against float32, dB."""
    sizes = HyperParameters.load(voice / "config.json")
    network = load_synthesizer(find_weights(voice), sizes).to(device)
    z = torch.randn(1, sizes.inter_channels, _FRAMES, generator=torch.Generator().manual_seed(0)).to(
        device
    )  # [1, C, F]
    with arithmetic(device):
        exact = _decode(network, z)
    found = {}
    for mode in ("tf32", "float16"):
        coarse = copy.deepcopy(network)
        if mode == "float16":
            coarse.dec.to(torch.float16)
        elif device.type == "cpu":
            _imitate_tf32(coarse.dec)
        with arithmetic(device, tf32=True):
            found[mode] = signal_to_noise(exact, _decode(coarse, z))
    if device.type == "cpu":
        found["bfloat16"] = signal_to_noise(exact, mixed_bfloat16(network, z))
    return found


def _decode(network: Synthesizer, z: Tensor) -> Tensor:
    return network.decode(z, None, torch.zeros(1, dtype=torch.int64, device=z.device))


def mixed_bfloat16(network: Synthesizer, z: Tensor, least_channels: int = WIDE) -> Tensor:
    """Audio [B, F * hop] as if stages of ``least_channels`` and more were computed in bfloat16, z [B, C, F].

    Their weights are rounded, and all that flows between their operations; sums within one are exact.
    """
    decoder, speaker = network.dec, network.emb_g.weight[:1, :, None]  # [1, G, 1]
    rounded = copy.deepcopy(decoder)
    for module in rounded.modules():
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            module.weight.data = _bfloat16(module.weight.data)
    x = _bfloat16(rounded.conv_pre(_bfloat16(z)) + rounded.cond(_bfloat16(speaker)))  # [B, W, F]
    for number, exact in enumerate(decoder.ups):
        wide = exact.out_channels >= least_channels
        part, kept = (rounded, _bfloat16) if wide else (decoder, _as_it_is)
        x = kept(part.ups[number](kept(leaky_relu(x, 0.1))))  # [B, W / 2, S]: W halves, S grows by the rate
        first = number * part.blocks_per_stage
        ends = [_block(block, x, kept) for block in part.resblocks[first : first + part.blocks_per_stage]]
        x = kept(reduce(lambda one, other: kept(one + other), ends) / len(ends))
    part, kept = (rounded, _bfloat16) if least_channels <= 1 else (decoder, _as_it_is)
    return torch.tanh(part.conv_post(kept(leaky_relu(x, 0.01)))).squeeze(1)


def _block(block: Any, x: Tensor, kept: Callable[[Tensor], Tensor]) -> Tensor:
    for dilated, plain in zip(block.convs1, block.convs2, strict=True):
        y = kept(dilated(kept(leaky_relu(x, 0.1))))
        x = kept(x + kept(plain(kept(leaky_relu(y, 0.1)))))
    return x


def _bfloat16(x: Tensor) -> Tensor:
    return x.to(torch.bfloat16).to(torch.float32)


def _as_it_is(x: Tensor) -> Tensor:
    return x


def signal_to_noise(exact: Tensor, coarse: Tensor) -> float:
    """Decibels of the exact audio, without its mean, above the error of the coarse one."""
    signal = exact - exact.mean()
    return float(10 * torch.log10(signal.square().sum() / (exact - coarse).square().sum()))


def _imitate_tf32(decoder: nn.Module) -> None:
    def rounded_input(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (_rounded(inputs[0]), *inputs[1:])

    for module in decoder.modules():
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            module.weight.data = _rounded(module.weight.data)
            module.register_forward_pre_hook(rounded_input)


def _rounded(x: Tensor) -> Tensor:
    """To the nearest number of 10 bits of mantissa, ties to even."""
    bits: Any = x.contiguous().view(torch.int32)
    half = (1 << (_DROPPED_BITS - 1)) - 1
    bits = (bits + half + ((bits >> _DROPPED_BITS) & 1)) & ~((1 << _DROPPED_BITS) - 1)
    return bits.view(torch.float32)  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
