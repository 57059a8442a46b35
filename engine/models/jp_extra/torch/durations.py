"""Duration predictors: a deterministic one, and a stochastic one that is a small flow.

Source: VITS, arXiv 2106.06103, section 2.2.2 and appendix A; splines: Durkan et al., arXiv 1906.04032.
"""

from __future__ import annotations

import math
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from koebin.engine.models.jp_extra.torch.attention import ChannelNorm

_FILTER: Final = 256
_BINS: Final = 10
_BOUND: Final = 5.0
_SMALLEST: Final = 1e-3


class DurationPredictor(nn.Module):
    """Two convolutions. In training it is fitted to the logarithm of the aligned durations."""

    def __init__(self, channels: int, speaker: int) -> None:
        super().__init__()
        self.cond = nn.Conv1d(speaker, channels, 1)
        self.conv_1 = nn.Conv1d(channels, _FILTER, 3, padding="same")
        self.norm_1 = ChannelNorm(_FILTER)
        self.conv_2 = nn.Conv1d(_FILTER, _FILTER, 3, padding="same")
        self.norm_2 = ChannelNorm(_FILTER)
        self.proj = nn.Conv1d(_FILTER, 1, 1)

    def forward(self, hidden: Tensor, mask: Tensor, g: Tensor) -> Tensor:
        """hidden [B, H, T], mask [B, 1, T], g [B, G, 1] -> log frames [B, 1, T]."""
        x = hidden + self.cond(g)  # [B, H, T]
        x = self.norm_1(torch.relu(self.conv_1(x * mask)))  # [B, 256, T]
        x = self.norm_2(torch.relu(self.conv_2(x * mask)))  # [B, 256, T]
        return self.proj(x * mask) * mask  # type: ignore[no-any-return]  # [B, 1, T]


class DilatedConvolutions(nn.Module):
    """Three residual layers, each a dilated depthwise and a pointwise convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convs_sep = nn.ModuleList(
            nn.Conv1d(channels, channels, 3, groups=channels, dilation=3**i, padding=3**i) for i in range(3)
        )
        self.convs_1x1 = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in range(3))
        self.norms_1 = nn.ModuleList(ChannelNorm(channels) for _ in range(3))
        self.norms_2 = nn.ModuleList(ChannelNorm(channels) for _ in range(3))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, H, T], mask [B, 1, T] -> [B, H, T]."""
        for separable, norm_1, pointwise, norm_2 in zip(
            self.convs_sep, self.norms_1, self.convs_1x1, self.norms_2, strict=True
        ):
            y = F.gelu(norm_1(separable(x * mask)))  # [B, H, T]
            x = x + F.gelu(norm_2(pointwise(y)))  # [B, H, T]
        return x * mask


class SplineCoupling(nn.Module):
    """Coupling: one of two channels passes an inverse spline, shaped by the other one and by the text."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = math.sqrt(channels)
        self.pre = nn.Conv1d(1, channels, 1)
        self.convs = DilatedConvolutions(channels)
        self.proj = nn.Conv1d(channels, 3 * _BINS - 1, 1)

    def forward(self, z: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """z [B, 2, T], text [B, H, T], mask [B, 1, T] -> [B, 2, T]."""
        a, b = z.chunk(2, dim=1)  # [B, 1, T] each
        shape = self.proj(self.convs(self.pre(a) + text, mask)) * mask  # [B, 29, T]
        widths, heights, slopes = shape.transpose(1, 2).split([_BINS, _BINS, _BINS - 1], dim=2)  # [B, T, ...]
        b = inverse_spline(b[:, 0], widths / self.scale, heights / self.scale, slopes).unsqueeze(1)  # [B, 1, T]
        return torch.cat([a, b], dim=1) * mask


def inverse_spline(y: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor) -> Tensor:
    """Inverse of a monotonic rational-quadratic spline: the x for y; outside [-5, 5] it is the identity.

    Args:
        y: [B, T].
        widths, heights: [B, T, 10], before the softmax that makes them shares of the interval.
        slopes: [B, T, 9], at the inner knots, before the softplus; the slope at both ends is 1.

    Returns:
        [B, T].

    Source: arXiv 1906.04032, section 3.1; the quadratic is equations 6 to 8.
    """
    inside = (y >= -_BOUND) & (y <= _BOUND)  # [B, T]
    y_in = y.clamp(-_BOUND, _BOUND).unsqueeze(2)  # [B, T, 1]
    knots_x = _knots(widths)  # [B, T, 11]
    knots_y = _knots(heights)  # [B, T, 11]
    inner = _SMALLEST + F.softplus(slopes)  # [B, T, 9]
    ends = torch.ones_like(inner[..., :1])  # [B, T, 1]
    slopes_at_knots = torch.cat([ends, inner, ends], dim=2)  # [B, T, 11]

    # The last knot is left out: y = 5 belongs to the last bin.
    bin_ = (y_in >= knots_y[..., :_BINS]).sum(dim=2, keepdim=True) - 1  # [B, T, 1]
    x_low, x_high = knots_x.gather(2, bin_), knots_x.gather(2, bin_ + 1)  # [B, T, 1] each
    y_low, y_high = knots_y.gather(2, bin_), knots_y.gather(2, bin_ + 1)
    d_low, d_high = slopes_at_knots.gather(2, bin_), slopes_at_knots.gather(2, bin_ + 1)

    width, height = x_high - x_low, y_high - y_low  # [B, T, 1] each
    slope = height / width
    q = y_in - y_low
    bend = d_low + d_high - 2 * slope
    a = height * (slope - d_low) + q * bend
    b = height * d_low - q * bend
    c = -slope * q
    # Rounding alone can make the discriminant negative.
    root = 2 * c / (-b - torch.sqrt((b * b - 4 * a * c).clamp(min=0)))  # [B, T, 1], 0 to 1 within the bin
    x = (root * width + x_low).squeeze(2)  # [B, T]
    return torch.where(inside, x, y)


def _knots(shares: Tensor) -> Tensor:
    """[B, T, 10] -> the 11 borders of the bins, from -5 to 5 exactly."""
    shares = _SMALLEST + (1 - _SMALLEST * _BINS) * torch.softmax(shares, dim=2)  # [B, T, 10]
    inner = 2 * _BOUND * shares.cumsum(dim=2)[..., :-1] - _BOUND  # [B, T, 9]
    end = torch.full_like(inner[..., :1], _BOUND)  # [B, T, 1]
    return torch.cat([-end, inner, end], dim=2)  # [B, T, 11]


class Affine(nn.Module):
    """Inverse of a scale and a shift per channel."""

    def __init__(self) -> None:
        super().__init__()
        self.m = nn.Parameter(torch.zeros(2, 1))
        self.logs = nn.Parameter(torch.zeros(2, 1))

    def forward(self, z: Tensor, mask: Tensor) -> Tensor:
        """z [B, 2, T], mask [B, 1, T] -> [B, 2, T]."""
        return (z - self.m) * torch.exp(-self.logs) * mask


class StochasticDurationPredictor(nn.Module):
    """Durations drawn by running a flow backwards from noise."""

    def __init__(self, channels: int, speaker: int) -> None:
        super().__init__()
        self.pre = nn.Conv1d(channels, channels, 1)
        self.cond = nn.Conv1d(speaker, channels, 1)
        self.convs = DilatedConvolutions(channels)
        self.proj = nn.Conv1d(channels, channels, 1)
        # Named as in the checkpoint. Flow 1 is trained too, but left out when speaking.
        self.flows = nn.ModuleDict({"0": Affine(), **{str(i): SplineCoupling(channels) for i in (3, 5, 7)}})

    def forward(self, hidden: Tensor, mask: Tensor, g: Tensor, noise: Tensor) -> Tensor:
        """hidden [B, H, T], mask [B, 1, T], g [B, G, 1], scaled noise [B, 2, T] -> log frames [B, 1, T]."""
        text = self.pre(hidden) + self.cond(g)  # [B, H, T]
        text = self.proj(self.convs(text, mask)) * mask  # [B, H, T]
        z = noise * mask  # [B, 2, T]
        for name in ("7", "5", "3"):
            z = self.flows[name](z.flip(1), text, mask)  # [B, 2, T]
        z = self.flows["0"](z.flip(1), mask)  # [B, 2, T]
        log_frames: Tensor = z[:, :1]  # [B, 1, T]
        return log_frames
