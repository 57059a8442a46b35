"""Batching of utterances by length, for padded batches."""

from __future__ import annotations

from collections.abc import Sequence


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
