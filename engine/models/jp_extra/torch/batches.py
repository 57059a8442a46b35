"""Batching of utterances by length, for padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Limits of one padded batch.

    Attributes:
        utterances: most of them.
        phones: most positions of the text encoder, padding counted.
        frames: most positions of the flow, padding counted.
        window_frames: most frames, over all utterances, in one call of the decoder.
    """

    utterances: int = 64
    phones: int = 16_384
    frames: int = 24_576
    window_frames: int = 16_384


ON_CUDA: Final = BatchLimits()
ON_CPU: Final = BatchLimits(utterances=1, window_frames=512)
"""On a CPU padding only costs, and a window is to stay in its caches."""


def batches_within(lengths: Sequence[int], budget: int, most: int) -> list[list[int]]:
    """Group items of similar length, so that little is padding.

    A fixed function of the lengths: a retry forms the same batches, and so gives the same audio.

    Args:
        lengths: of each item.
        budget: most positions of a batch, padding counted; an item longer than that gets a batch of its own.
        most: items of a batch.

    Returns:
        Indices into ``lengths``, the longest items first, so that memory that suffices for the first batch suffices.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        batch = batches[-1] if batches else []
        if batch and len(batch) < most and lengths[batch[0]] * (len(batch) + 1) <= budget:
            batch.append(index)
        else:
            batches.append([index])
    return batches
