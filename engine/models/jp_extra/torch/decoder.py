"""Decoder from latent to audio: the generator of HiFi-GAN, 512 samples per frame in the published voices.

Source: HiFi-GAN, arXiv 2010.05646, section 2.2 and appendix A.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters


class ResidualBlock(nn.Module):
    """Pairs of convolutions, a dilated one and a plain one."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_same(channels, kernel, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_same(channels, kernel, 1) for _ in dilations)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """x [B, C, S], mask [B, 1, S] -> [B, C, S]."""
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            y = dilated(_masked(F.leaky_relu(x, 0.1), mask))  # [B, C, S]
            y = plain(_masked(F.leaky_relu(y, 0.1), mask))  # [B, C, S]
            x = x + y
        return x


class Decoder(nn.Module):
    """Stages of up-sampling, each followed by the mean of its residual blocks.

    Biases and the speaker make padded frames sound, and convolutions carry that into the last frames of the shorter
    items of a batch: a mask before every convolution keeps each item as it is alone.
    """

    def __init__(self, sizes: HyperParameters) -> None:
        super().__init__()
        width = sizes.upsample_initial_channel
        self.rates = sizes.upsample_rates
        self.blocks_per_stage = len(sizes.resblock_kernel_sizes)
        self.conv_pre = nn.Conv1d(sizes.inter_channels, width, 7, padding=3)
        self.cond = nn.Conv1d(sizes.gin_channels, width, 1)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for rate, kernel in zip(sizes.upsample_rates, sizes.upsample_kernel_sizes, strict=True):
            self.ups.append(nn.ConvTranspose1d(width, width // 2, kernel, rate, padding=(kernel - rate) // 2))
            width //= 2
            for block_kernel, dilations in zip(sizes.resblock_kernel_sizes, sizes.resblock_dilation_sizes, strict=True):
                self.resblocks.append(ResidualBlock(width, block_kernel, dilations))
        self.conv_post = nn.Conv1d(width, 1, 7, padding=3, bias=False)

    def forward(self, z: Tensor, mask: Tensor | None, g: Tensor) -> Tensor:
        """Decode.

        Args:
            z: [B, C, F].
            mask: [B, 1, F]; None where no item is padded, which saves the multiplications.
            g: [B, G, 1], the speaker.

        Returns:
            [B, 1, F * hop], within (-1, 1), 0 where padded.
        """
        x = _masked(self.conv_pre(_masked(z, mask)) + self.cond(g), mask)  # [B, W, F]
        for stage, (rate, up) in enumerate(zip(self.rates, self.ups, strict=True)):
            x = up(_masked(F.leaky_relu(x, 0.1), mask))  # [B, W / 2, S]: W halves, S grows by the rate
            mask = None if mask is None else mask.repeat_interleave(rate, dim=-1)  # [B, 1, S]
            x = _masked(x, mask)
            x = self._mean_of_blocks(stage, x, mask)  # [B, W / 2, S]
        x = self.conv_post(_masked(F.leaky_relu(x, 0.01), mask))  # [B, 1, S]
        return _masked(torch.tanh(x), mask)

    def _mean_of_blocks(self, stage: int, x: Tensor, mask: Tensor | None) -> Tensor:
        first = stage * self.blocks_per_stage
        total = self.resblocks[first](x, mask)  # [B, W, S]
        for index in range(first + 1, first + self.blocks_per_stage):
            total = total + self.resblocks[index](x, mask)
        return total / self.blocks_per_stage  # type: ignore[no-any-return]


def _same(channels: int, kernel: int, dilation: int) -> nn.Conv1d:
    return nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=(kernel - 1) // 2 * dilation)


def _masked(x: Tensor, mask: Tensor | None) -> Tensor:
    return x if mask is None else x * mask
