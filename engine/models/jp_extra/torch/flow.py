"""Flow from prior sample to latent: four couplings run backwards, each a transformer that shifts half of the channels.

Source: VITS, arXiv 2106.06103; transformers in the couplings: VITS2, arXiv 2307.16430.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.torch.attention import Encoder

_LAYERS: Final = 6
_KERNEL: Final = 5


class Coupling(nn.Module):
    """Shifts the second half of the channels; the scale is 1, so volume is kept."""

    def __init__(self, sizes: HyperParameters) -> None:
        super().__init__()
        half, hidden = sizes.inter_channels // 2, sizes.hidden_channels
        self.pre = nn.Conv1d(half, hidden, 1)
        self.enc = Encoder(hidden, sizes.filter_channels, sizes.n_heads, _LAYERS, _KERNEL, sizes.gin_channels)
        self.post = nn.Conv1d(hidden, half, 1)

    def forward(self, x: Tensor, mask: Tensor, g: Tensor) -> Tensor:
        """x [B, C, F], mask [B, 1, F], g [B, G, 1] -> [B, C, F]."""
        a, b = x.chunk(2, dim=1)  # [B, C / 2, F] each
        shift = self.post(self.enc(self.pre(a) * mask, mask, g)) * mask  # [B, C / 2, F]
        return torch.cat([a, (b - shift) * mask], dim=1)  # [B, C, F]


class Flow(nn.Module):
    """The couplings in reverse order, the channels turned around before each."""

    def __init__(self, sizes: HyperParameters) -> None:
        super().__init__()
        # Named as in the checkpoint, where the odd numbers are the turns.
        self.flows = nn.ModuleDict({str(i): Coupling(sizes) for i in (0, 2, 4, 6)})

    def forward(self, z_p: Tensor, mask: Tensor, g: Tensor) -> Tensor:
        """z_p [B, C, F], mask [B, 1, F], g [B, G, 1] -> z [B, C, F]."""
        x = z_p
        for name in ("6", "4", "2", "0"):
            x = self.flows[name](x.flip(1), mask, g)  # [B, C, F]
        return x
