"""Receptive field of the decoder."""

from __future__ import annotations

import math

from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters


def receptive_field_frames(sizes: HyperParameters) -> int:
    """Frames on each side of a frame that its samples depend on: the overlap of exact windows.

    Followed backwards from a stretch of samples to the stretch of frames that it needs; the wider of both sides.
    """
    frames = 1 << 16
    low, high = frames * sizes.hop_length, (frames + 1) * sizes.hop_length - 1  # the samples of one frame
    low, high = low - 3, high + 3  # conv_post
    blocks = max(
        sum((kernel - 1) // 2 * (dilation + 1) for dilation in dilations)
        for kernel, dilations in zip(sizes.resblock_kernel_sizes, sizes.resblock_dilation_sizes, strict=True)
    )
    for rate, kernel in reversed(list(zip(sizes.upsample_rates, sizes.upsample_kernel_sizes, strict=True))):
        low, high = low - blocks, high + blocks
        padding = (kernel - rate) // 2
        # Output o of a transposed convolution takes the inputs i with 0 <= o + padding - i * rate < kernel.
        low, high = math.ceil((low + padding - kernel + 1) / rate), (high + padding) // rate
    low, high = low - 3, high + 3  # conv_pre
    return max(frames - low, high - frames)
