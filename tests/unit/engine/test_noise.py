"""Noise: the same for the same seed, whatever surrounds it."""

from __future__ import annotations

import numpy as np

from koebin.engine import noise
from koebin.engine.seeds import utterance_seed

SDP = [[-1.374834, -0.231097, 1.161724], [1.453676, -1.725673, 0.299268]]
PRIOR = [[0.11832, -1.311384], [0.769771, -0.819906]]


def test_the_noise_of_a_seed_never_changes() -> None:
    draws = noise.generator(utterance_seed("00" * 32, 0))
    sdp, prior = noise.sdp_noise(draws, 3), noise.prior_noise(draws, 2, 2)
    assert sdp.dtype == prior.dtype == np.float32
    np.testing.assert_allclose(sdp, SDP, atol=1e-6)
    np.testing.assert_allclose(prior, PRIOR, atol=1e-6)


def test_every_bit_of_the_seed_counts() -> None:
    first, second = (noise.sdp_noise(noise.generator(seed), 4) for seed in (1, 1 + 2**127))
    assert np.abs(first - second).max() > 0.1


def test_a_longer_take_begins_with_the_same_frames() -> None:
    short, long = (noise.prior_noise(noise.generator(5), 4, frames) for frames in (7, 9))
    np.testing.assert_array_equal(short, long[:, :7])


def test_it_is_standard_normal() -> None:
    drawn = noise.prior_noise(noise.generator(9), 64, 1000)
    assert drawn.shape == (64, 1000)
    assert abs(float(drawn.mean())) < 0.02
    assert abs(float(drawn.std()) - 1) < 0.02
