"""Transformer of the text encoder and of the flow: post-norm, with relative positions in a short window.

Sources: Vaswani et al., arXiv 1706.03762; relative positions: Shaw et al., arXiv 1803.02155; VITS, arXiv 2106.06103.
"""

from __future__ import annotations

import math
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WINDOW: Final = 4
"""Phones or frames on each side that have a relative position of their own."""

SPEAKER_LAYER: Final = 2
"""The layer before which the speaker enters."""


class ChannelNorm(nn.Module):
    """Layer normalisation over the channel axis of [B, C, T]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)  # [B, T, C]
        x = F.layer_norm(x, self.gamma.shape, self.gamma, self.beta, 1e-5)  # [B, T, C]
        return x.transpose(1, 2)  # [B, C, T]


class RelativeAttention(nn.Module):
    """Multi-head self-attention with relative positions up to ``WINDOW`` apart."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.size = channels // heads  # D
        self.conv_q = nn.Conv1d(channels, channels, 1)
        self.conv_k = nn.Conv1d(channels, channels, 1)
        self.conv_v = nn.Conv1d(channels, channels, 1)
        self.conv_o = nn.Conv1d(channels, channels, 1)
        self.emb_rel_k = nn.Parameter(torch.zeros(1, 2 * WINDOW + 1, self.size))  # shared by the heads
        self.emb_rel_v = nn.Parameter(torch.zeros(1, 2 * WINDOW + 1, self.size))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, C, T], mask [B, 1, T] -> [B, C, T]."""
        q = self._split(self.conv_q(x)) / math.sqrt(self.size)  # [B, H, T, D]
        k = self._split(self.conv_k(x))  # [B, H, T, D]
        v = self._split(self.conv_v(x))  # [B, H, T, D]
        scores = q @ k.transpose(2, 3)  # [B, H, T, T]
        scores = scores + matrix_of_band(q @ self.emb_rel_k.transpose(1, 2))  # [B, H, T, T]
        pairs = mask.unsqueeze(2) * mask.unsqueeze(3)  # [B, 1, T, T]
        weights = torch.softmax(scores.masked_fill(pairs == 0, -1e4), dim=3)  # [B, H, T, T]
        heads = weights @ v + band_of_matrix(weights) @ self.emb_rel_v  # [B, H, T, D]
        joined = heads.transpose(2, 3).reshape(x.shape)  # [B, C, T]
        return self.conv_o(joined)  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        batch, _, time = x.shape
        return x.view(batch, self.heads, self.size, time).transpose(2, 3)  # [B, H, T, D]


def matrix_of_band(band: Tensor) -> Tensor:
    """Matrix with row t of ``band`` along its diagonal: out[..., t, t + d] = band[..., t, d + WINDOW], 0 elsewhere.

    Rows that are one number longer than the matrix is wide, read again at the matrix's width, move one column to the
    right per row: what was a column becomes a diagonal.

    Args:
        band: [B, H, T, 2 * WINDOW + 1].

    Returns:
        [B, H, T, T].
    """
    batch, heads, time, _ = band.shape
    rows = F.pad(band, (0, time))  # [B, H, T, T + 9]
    skewed = rows.reshape(batch, heads, time * (time + 9))[:, :, : time * (time + 8)]  # [B, H, T * (T + 8)]
    return skewed.view(batch, heads, time, time + 8)[..., WINDOW : WINDOW + time]  # [B, H, T, T]


def band_of_matrix(matrix: Tensor) -> Tensor:
    """Diagonals about the main one as columns: out[..., t, d + WINDOW] = matrix[..., t, t + d], 0 outside.

    The reverse of ``matrix_of_band``.

    Args:
        matrix: [B, H, T, T].

    Returns:
        [B, H, T, 2 * WINDOW + 1].
    """
    batch, heads, time, _ = matrix.shape
    rows = F.pad(matrix, (WINDOW, WINDOW))  # [B, H, T, T + 8]
    skewed = F.pad(rows.reshape(batch, heads, time * (time + 8)), (0, time))  # [B, H, T * (T + 9)]
    return skewed.view(batch, heads, time, time + 9)[..., : 2 * WINDOW + 1]  # [B, H, T, 9]


class FeedForward(nn.Module):
    """Convolution, ReLU, convolution."""

    def __init__(self, channels: int, filter_channels: int, kernel: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(channels, filter_channels, kernel, padding="same")
        self.conv_2 = nn.Conv1d(filter_channels, channels, kernel, padding="same")

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, C, T], mask [B, 1, T] -> [B, C, T]."""
        hidden = torch.relu(self.conv_1(x * mask))  # [B, filter, T]
        return self.conv_2(hidden * mask) * mask  # type: ignore[no-any-return]  # [B, C, T]


class Encoder(nn.Module):
    """Layers of attention and feed-forward; the speaker is added before layer ``SPEAKER_LAYER``."""

    def __init__(self, channels: int, filter_channels: int, heads: int, layers: int, kernel: int, speaker: int) -> None:
        super().__init__()
        self.spk_emb_linear = nn.Linear(speaker, channels)
        self.attn_layers = nn.ModuleList(RelativeAttention(channels, heads) for _ in range(layers))
        self.norm_layers_1 = nn.ModuleList(ChannelNorm(channels) for _ in range(layers))
        self.ffn_layers = nn.ModuleList(FeedForward(channels, filter_channels, kernel) for _ in range(layers))
        self.norm_layers_2 = nn.ModuleList(ChannelNorm(channels) for _ in range(layers))

    def forward(self, x: Tensor, mask: Tensor, g: Tensor) -> Tensor:
        """x [B, C, T], mask [B, 1, T], speaker g [B, G, 1] -> [B, C, T]."""
        x = x * mask
        layers = zip(self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2, strict=True)
        for index, (attention, norm_1, feed_forward, norm_2) in enumerate(layers):
            if index == SPEAKER_LAYER:
                x = (x + self.spk_emb_linear(g.transpose(1, 2)).transpose(1, 2)) * mask  # [B, C, T]
            x = norm_1(x + attention(x, mask))  # [B, C, T]
            x = norm_2(x + feed_forward(x, mask))  # [B, C, T]
        return x * mask
