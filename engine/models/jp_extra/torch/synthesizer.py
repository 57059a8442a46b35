"""Synthesizer network of JP-Extra, in three steps: encode, transform, decode.

Inference only. Noises are inputs, so the network is a pure function. Every step takes padded batches; each item comes
out as it would alone, up to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.torch.decoder import Decoder
from koebin.engine.models.jp_extra.torch.durations import DurationPredictor, StochasticDurationPredictor
from koebin.engine.models.jp_extra.torch.flow import Flow
from koebin.engine.models.jp_extra.torch.text_encoder import TextEncoder, table


class Synthesizer(nn.Module):
    """Style-Bert-VITS2 JP-Extra: VITS with BERT features, a style vector and transformer couplings.

    Axes: B utterances, T phones with blanks, F frames, C ``inter_channels``, G ``gin_channels``.
    """

    def __init__(self, sizes: HyperParameters) -> None:
        super().__init__()
        self.sizes = sizes
        self.emb_g = table(sizes.n_speakers, sizes.gin_channels)
        self.enc_p = TextEncoder(sizes)
        self.dp = DurationPredictor(sizes.hidden_channels, sizes.gin_channels)
        self.sdp = StochasticDurationPredictor(sizes.hidden_channels, sizes.gin_channels)
        self.flow = Flow(sizes)
        self.dec = Decoder(sizes)

    def encode(
        self,
        phone_ids: Tensor,
        tone_ids: Tensor,
        language_ids: Tensor,
        lengths: Tensor,
        bert: Tensor,
        style: Tensor,
        speaker_id: Tensor,
        sdp_noise: Tensor,
        noise_scale_w: Tensor,
        sdp_ratio: Tensor,
        length_scale: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Text encoder: durations, and mean and log scale of the prior per phone.

        Args:
            phone_ids, tone_ids, language_ids: [B, T] int64.
            lengths: [B] int64, phones of each item.
            bert: [B, 1024, T].
            style: [B, 256].
            speaker_id: [B] int64.
            sdp_noise: [B, 2, T], standard normal.
            noise_scale_w, sdp_ratio, length_scale: [B].

        Returns:
            frames per phone [B, T] as float, 0 where padded; prior mean [B, C, T]; prior log scale [B, C, T].
        """
        mask = sequence_mask(lengths, phone_ids.shape[1])  # [B, 1, T]
        g = self._speaker(speaker_id)  # [B, G, 1]
        hidden, m, logs = self.enc_p(phone_ids, tone_ids, language_ids, bert, style, mask, g)
        noise = sdp_noise * noise_scale_w[:, None, None]  # [B, 2, T]
        ratio = sdp_ratio[:, None, None]  # [B, 1, 1]
        log_frames = self.sdp(hidden, mask, g, noise) * ratio + self.dp(hidden, mask, g) * (1 - ratio)  # [B, 1, T]
        frames = torch.ceil(torch.exp(log_frames) * mask * length_scale[:, None, None])  # [B, 1, T]
        return frames.squeeze(1), m, logs

    def transform(self, z_p: Tensor, frame_lengths: Tensor, speaker_id: Tensor) -> Tensor:
        """Flow: prior sample z_p [B, C, F], frames of each item [B], speaker [B] -> latent z [B, C, F], 0 where
        padded."""
        mask = sequence_mask(frame_lengths, z_p.shape[2])  # [B, 1, F]
        return self.flow(z_p * mask, mask, self._speaker(speaker_id)) * mask  # type: ignore[no-any-return]

    def decode(self, z: Tensor, frame_lengths: Tensor | None, speaker_id: Tensor) -> Tensor:
        """Latent z [B, C, F] -> audio [B, F * hop], 0 where padded; no lengths means that nothing is padded.

        In the precision of the decoder's weights, which need not be that of the rest; the audio is float32.
        """
        dtype = self.dec.conv_pre.weight.dtype
        mask = None if frame_lengths is None else sequence_mask(frame_lengths, z.shape[2]).to(dtype)  # [B, 1, F]
        audio = self.dec(z.to(dtype), mask, self._speaker(speaker_id).to(dtype))  # [B, 1, F * hop]
        return audio.squeeze(1).float()  # type: ignore[no-any-return]

    def _speaker(self, speaker_id: Tensor) -> Tensor:
        return self.emb_g(speaker_id).unsqueeze(2)  # type: ignore[no-any-return]  # [B, G, 1]


def sample_prior(durations: Tensor, m: Tensor, logs: Tensor, noise: Tensor, noise_scale: Tensor) -> Tensor:
    """Sample of the prior: each phone repeated for its frames.

    Args:
        durations: [B, T] int64, frames per phone.
        m, logs: [B, C, T].
        noise: [B, C, F], standard normal; F is the longest item's number of frames.
        noise_scale: [B].

    Returns:
        z_p [B, C, F]; beyond an item's end it holds values that a mask must remove.
    """
    phone = phone_of_frame(durations, noise.shape[2])  # [B, F]
    index = phone.unsqueeze(1).expand(-1, m.shape[1], -1)  # [B, C, F]
    mean, scale = m.gather(2, index), torch.exp(logs.gather(2, index))  # [B, C, F] each
    return mean + noise * scale * noise_scale[:, None, None]


def phone_of_frame(durations: Tensor, frames: int) -> Tensor:
    """Index of the phone in each frame, the last one after the end.

    [B, T] int64 frames per phone -> [B, frames] int64.
    """
    ends = durations.cumsum(dim=1)  # [B, T]
    frame = torch.arange(frames, device=durations.device).expand(len(durations), -1).contiguous()  # [B, F]
    return torch.searchsorted(ends, frame, right=True).clamp(max=durations.shape[1] - 1)


def sequence_mask(lengths: Tensor, longest: int) -> Tensor:
    """[B] int64 -> [B, 1, longest] float32, 1 within an item and 0 beyond its end."""
    positions = torch.arange(longest, device=lengths.device)  # [longest]
    return (positions < lengths.unsqueeze(1)).unsqueeze(1).float()
