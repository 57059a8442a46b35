"""The graphs against the torch network, from both kinds of files."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from koebin.engine.errors import InferenceFailed
from koebin.engine.models.jp_extra.network_input import NetworkInput
from koebin.engine.models.jp_extra.onnx.network import (
    FIRST_WINDOW,
    LONGEST_WINDOW,
    Control,
    OnnxNetwork,
    Prior,
    at_least_one_frame,
    sample_prior,
    utterance_windows,
)
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer
from koebin.engine.models.jp_extra.windows import windows


def draw(phones: int) -> SimpleNamespace:
    """Random inputs of an utterance."""
    draws = np.random.default_rng(phones)
    ids = [draws.integers(0, rows, phones) for rows in (112, 12, 3)]
    style = draws.standard_normal(256, np.float32) * np.float32(0.3)
    return SimpleNamespace(
        ids=NetworkInput(ids[0], ids[1], ids[2], (phones,)),
        bert=draws.standard_normal((1024, phones), np.float32),
        control=Control(style, phones % 2, noise_scale=0.6, noise_scale_w=0.8, sdp_ratio=0.3, length_scale=1.2),
        sdp_noise=draws.standard_normal((2, phones), np.float32),
        latent=draws.standard_normal((8, 150), np.float32),
        draws=draws,
    )


@pytest.mark.parametrize("phones", [1, 2, 23])
@torch.inference_mode()
def test_the_graphs_speak_as_torch_does(network: OnnxNetwork, synthesizer: Synthesizer, phones: int) -> None:
    given = draw(phones)
    control, speaker = given.control, torch.tensor([given.control.speaker_id])
    prior = network.encode(given.ids, given.bert, control, given.sdp_noise)
    frames, m, logs = synthesizer.encode(
        *(torch.from_numpy(ids)[None] for ids in (given.ids.phone_ids, given.ids.tone_ids, given.ids.language_ids)),
        torch.tensor([phones]),
        *(torch.from_numpy(part)[None] for part in (given.bert, control.style)),
        speaker,
        torch.from_numpy(given.sdp_noise)[None],
        *(torch.tensor([value]) for value in (control.noise_scale_w, control.sdp_ratio, control.length_scale)),
    )
    assert (prior.durations == frames[0].numpy()).all()
    assert np.abs(prior.m - m[0].numpy()).max() < 1e-4
    assert np.abs(prior.logs - logs[0].numpy()).max() < 1e-4
    z_p = sample_prior(prior, 0.6, given.draws.standard_normal((8, int(frames.sum())), np.float32))
    z = network.transform(z_p, control)
    whole = synthesizer.transform(torch.from_numpy(z_p)[None], frames.sum(1).long(), speaker)
    assert np.abs(z - whole[0].numpy()).max() < 1e-4
    audio = network.decode(z, control)
    assert np.abs(audio).max() > 0.01
    assert np.abs(audio - synthesizer.decode(whole, None, speaker)[0].numpy()).max() < 1e-4


@pytest.mark.parametrize("window", [7, 20, 64])
def test_windows_of_the_decoder_equal_the_whole(network: OnnxNetwork, window: int) -> None:
    given = draw(1)
    whole = network.decode(given.latent, given.control, [(0, 150)])
    assert np.abs(network.decode(given.latent, given.control, windows(150, window)) - whole).max() < 1e-5


def test_windows_need_the_overlap(exported: Path) -> None:
    network, given = OnnxNetwork(exported), draw(1)
    whole = network.decode(given.latent, given.control, [(0, 150)])
    network._overlap = 1
    assert np.abs(network.decode(given.latent, given.control, windows(150, 20)) - whole).max() > 1e-4


def test_some_of_the_windows_are_decoded_as_all_are(network: OnnxNetwork) -> None:
    given, places = draw(1), utterance_windows(150)
    whole = network.decode(given.latent, given.control)
    parts = [network.decode(given.latent, given.control, part) for part in (places[:1], places[1:])]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_windows_are_of_nearly_one_length() -> None:
    assert windows(5, 10) == [(0, 5)]
    assert windows(21, 10) == [(0, 7), (7, 14), (14, 21)]
    for frames in (1, 255, 256, 257, 1000, 1025):
        cut = windows(frames, 256)
        assert cut[0][0] == 0
        assert cut[-1][1] == frames
        assert all(1 <= stop - start <= 256 for start, stop in cut)
        assert all(one[1] == other[0] for one, other in pairwise(cut))


def test_an_utterance_begins_with_a_short_window_and_has_two_even_halves() -> None:
    for frames in [*range(1, 400), 1000, 1675, 20_000]:
        cut = utterance_windows(frames)
        assert [start for start, _ in cut] == [0, *(stop for _, stop in cut[:-1])]
        assert cut[-1][1] == frames
        assert all(1 <= stop - start <= LONGEST_WINDOW for start, stop in cut)
        if frames > 64:
            assert cut[0][1] <= 76
            assert min(abs(stop - frames / 2) for _, stop in cut) < 5
        if frames > 151:
            assert cut[0] == (0, FIRST_WINDOW)


def test_a_negative_duration_is_an_error(network: OnnxNetwork) -> None:
    given = draw(5)
    with pytest.raises(InferenceFailed, match="negative"):
        network.encode(given.ids, given.bert, replace(given.control, length_scale=-1.0), given.sdp_noise)


def test_a_latent_that_is_not_a_number_is_an_error(network: OnnxNetwork) -> None:
    given = draw(5)
    with pytest.raises(InferenceFailed, match="not finite numbers"):
        network.decode(np.full_like(given.latent, np.nan), given.control)


def test_an_impossible_id_is_an_error_not_a_crash(network: OnnxNetwork) -> None:
    given = draw(5)
    ids = replace(given.ids, phone_ids=given.ids.phone_ids + 5000)
    with pytest.raises(InferenceFailed, match="ONNX Runtime failed"):
        network.encode(ids, given.bert, given.control, given.sdp_noise)


def test_something_is_spoken_where_all_durations_are_zero() -> None:
    prior = Prior(np.zeros(3, np.int64), np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((2, 3), np.float32))
    assert at_least_one_frame(prior.durations).tolist() == [0, 0, 1]
    assert sample_prior(prior, 0.5, np.ones((2, 1), np.float32)).tolist() == [[2.5], [5.5]]
