"""The network on padded batches, in windows, and its small parts against their definitions."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.receptive_field import receptive_field_frames
from koebin.engine.models.jp_extra.torch.attention import WINDOW, band_of_matrix, matrix_of_band
from koebin.engine.models.jp_extra.torch.decoder import Decoder
from koebin.engine.models.jp_extra.torch.durations import inverse_spline
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer, phone_of_frame, sample_prior


@torch.inference_mode()
def test_each_item_of_a_padded_batch_is_what_it_is_alone(
    network: Synthesizer, batch: dict[str, Tensor], items: list[dict[str, Tensor]]
) -> None:
    frames, m, logs = network.encode(**batch)
    durations = frames.long()
    frame_lengths = durations.sum(dim=1)
    longest = int(frame_lengths.max())
    noise = torch.randn(3, network.sizes.inter_channels, longest)
    scale = torch.tensor([0.6, 0.9, 0.0])
    z = network.transform(sample_prior(durations, m, logs, noise, scale), frame_lengths, batch["speaker_id"])
    audio = network.decode(z, frame_lengths, batch["speaker_id"])

    for row, item in enumerate(items):
        phones, length = item["phone_ids"].shape[1], int(frame_lengths[row])
        own_frames, own_m, own_logs = network.encode(**item)
        assert torch.equal(own_frames[0].long(), durations[row, :phones])
        assert durations[row, phones:].sum() == 0
        torch.testing.assert_close(own_m[0], m[row, :, :phones], atol=1e-5, rtol=0)
        torch.testing.assert_close(own_logs[0], logs[row, :, :phones], atol=1e-5, rtol=0)

        own_noise = noise[row : row + 1, :, :length]
        own_z_p = sample_prior(own_frames.long(), own_m, own_logs, own_noise, scale[row : row + 1])
        own_z = network.transform(own_z_p, torch.tensor([length]), item["speaker_id"])
        torch.testing.assert_close(own_z[0], z[row, :, :length], atol=1e-5, rtol=1e-5)

        own_audio = network.decode(own_z, None, item["speaker_id"])[0]
        samples = length * network.sizes.hop_length
        assert own_audio.shape == (samples,)
        assert own_audio.abs().max() > 0.01
        torch.testing.assert_close(own_audio, audio[row, :samples], atol=1e-5, rtol=0)
        assert not audio[row, samples:].any()


@torch.inference_mode()
def test_the_speaker_decides_the_audio(network: Synthesizer, items: list[dict[str, Tensor]]) -> None:
    z = torch.randn(1, network.sizes.inter_channels, 6)
    first, second = (network.decode(z, None, torch.tensor([speaker]))[0] for speaker in (0, 1))
    assert (first - second).abs().max() > 1e-3


@torch.inference_mode()
def test_windows_of_the_decoder_equal_the_whole_pass(network: Synthesizer) -> None:
    z = torch.randn(1, network.sizes.inter_channels, 90)
    speaker = torch.tensor([1])
    overlap, hop = receptive_field_frames(network.sizes), network.sizes.hop_length
    parts = []
    for start in range(0, 90, 20):
        end, left = min(start + 20, 90), max(0, start - overlap)
        part = network.decode(z[:, :, left : end + overlap], None, speaker)
        parts.append(part[:, (start - left) * hop : (end - left) * hop])
    whole = network.decode(z, None, speaker)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_the_receptive_field_is_as_wide_as_it_must_be_and_no_wider(network: Synthesizer) -> None:
    decoder = Decoder(network.sizes).double()
    decoder.load_state_dict(network.dec.state_dict())
    g = torch.randn(1, network.sizes.gin_channels, 1, dtype=torch.float64)
    reach, hop = receptive_field_frames(network.sizes), network.sizes.hop_length
    frames = 2 * reach + 5
    z = torch.randn(1, network.sizes.inter_channels, frames, dtype=torch.float64)
    touched = z.clone()
    touched[:, :, reach + 2] += 100.0
    changed = (decoder(touched, None, g) - decoder(z, None, g))[0, 0].view(frames, hop).abs().amax(dim=1) > 0
    heard = changed.nonzero().flatten() - (reach + 2)
    assert int(heard.abs().max()) == reach


def test_the_receptive_field_of_the_published_voices() -> None:
    assert receptive_field_frames(HyperParameters(version="2.7.0-JP-Extra")) == 13


def test_the_band_lies_along_the_diagonal() -> None:
    for time in (1, 2, 5, 13):
        band = torch.randn(2, 3, time, 2 * WINDOW + 1)
        expected = torch.zeros(2, 3, time, time)
        for t in range(time):
            for s in range(max(0, t - WINDOW), min(time, t + WINDOW + 1)):
                expected[:, :, t, s] = band[:, :, t, s - t + WINDOW]
        assert torch.equal(matrix_of_band(band), expected)


def test_the_band_is_read_from_the_diagonal() -> None:
    for time in (1, 2, 5, 13):
        matrix = torch.randn(2, 3, time, time)
        expected = torch.zeros(2, 3, time, 2 * WINDOW + 1)
        for t in range(time):
            for s in range(max(0, t - WINDOW), min(time, t + WINDOW + 1)):
                expected[:, :, t, s - t + WINDOW] = matrix[:, :, t, s]
        assert torch.equal(band_of_matrix(matrix), expected)


def test_the_spline_is_monotonic_within_and_the_identity_without() -> None:
    torch.manual_seed(5)
    widths, heights, slopes = (torch.randn(1, 1, n).expand(1, 2001, n) * 2 for n in (10, 10, 9))
    y = torch.linspace(-7, 7, 2001)[None]
    x = inverse_spline(y, widths, heights, slopes)
    outside = y.abs() > 5
    assert torch.equal(x[outside], y[outside])
    assert (x.diff() > 0).all()
    assert (x - y).abs().max() > 0.1
    ends = inverse_spline(torch.tensor([[-5.0, 5.0]]), widths[:, :2], heights[:, :2], slopes[:, :2])
    torch.testing.assert_close(ends, torch.tensor([[-5.0, 5.0]]), atol=1e-5, rtol=0)


def test_frames_know_their_phone() -> None:
    durations = torch.tensor([[2, 0, 3], [1, 1, 0]])
    assert phone_of_frame(durations, 5).tolist() == [[0, 0, 2, 2, 2], [0, 1, 2, 2, 2]]


@torch.inference_mode()
def test_the_decoder_may_be_less_precise_than_the_rest(network: Synthesizer) -> None:
    coarse = copy.deepcopy(network)
    coarse.dec.to(torch.float16)
    z, lengths, speaker = torch.randn(2, network.sizes.inter_channels, 12), torch.tensor([12, 7]), torch.tensor([0, 1])
    exact, audio = network.decode(z, lengths, speaker), coarse.decode(z, lengths, speaker)
    assert audio.dtype == torch.float32
    noise = (audio - exact).square().sum()
    assert 0 < noise < 1e-4 * (exact - exact.mean()).square().sum()  # 40 dB
