"""Text encoder: phones, tones, BERT features and style -> hidden text, and the prior's mean and log scale per phone."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from koebin.engine.models.jp_extra.hyper_parameters import (
    BERT_DIMENSION,
    LANGUAGES,
    STYLE_DIMENSION,
    SYMBOLS,
    TONES,
    HyperParameters,
)
from koebin.engine.models.jp_extra.torch.attention import Encoder


def table(rows: int, size: int) -> nn.Embedding:
    """Embedding without initialisation: drawing random rows would import torch's compiler, two seconds at every
    start."""
    return nn.Embedding.from_pretrained(torch.zeros(rows, size))  # type: ignore[no-any-return,no-untyped-call]


class TextEncoder(nn.Module):
    """The prior encoder of VITS, with BERT features and a style vector."""

    def __init__(self, sizes: HyperParameters) -> None:
        super().__init__()
        hidden = sizes.hidden_channels
        self.scale = math.sqrt(hidden)
        self.emb = table(SYMBOLS, hidden)
        self.tone_emb = table(TONES, hidden)
        self.language_emb = table(LANGUAGES, hidden)
        self.bert_proj = nn.Conv1d(BERT_DIMENSION, hidden, 1)
        self.style_proj = nn.Linear(STYLE_DIMENSION, hidden)
        self.encoder = Encoder(
            hidden, sizes.filter_channels, sizes.n_heads, sizes.n_layers, sizes.kernel_size, sizes.gin_channels
        )
        self.proj = nn.Conv1d(hidden, 2 * sizes.inter_channels, 1)

    def forward(
        self,
        phone_ids: Tensor,
        tone_ids: Tensor,
        language_ids: Tensor,
        bert: Tensor,
        style: Tensor,
        mask: Tensor,
        g: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Encode phones.

        Args:
            phone_ids, tone_ids, language_ids: [B, T].
            bert: [B, 1024, T], each character's features repeated over its phones.
            style: [B, 256].
            mask: [B, 1, T].
            g: [B, G, 1], the speaker.

        Returns:
            hidden text [B, H, T], prior mean [B, C, T], prior log scale [B, C, T].
        """
        x = self.emb(phone_ids) + self.tone_emb(tone_ids) + self.language_emb(language_ids)  # [B, T, H]
        x = x + self.bert_proj(bert).transpose(1, 2) + self.style_proj(style).unsqueeze(1)  # [B, T, H]
        x = (x * self.scale).transpose(1, 2)  # [B, H, T]
        hidden = self.encoder(x, mask, g)  # [B, H, T]
        m, logs = (self.proj(hidden) * mask).chunk(2, dim=1)  # [B, C, T] each
        return hidden, m, logs
