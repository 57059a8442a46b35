"""The torch network against a reference network's outputs on small random voices.

``jp_extra`` is one speaker in both published namings; ``jp_extra_other`` has float16 weights, three speakers, and
dimensions and strides that no published voice has.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.styles import Styles
from koebin.engine.models.jp_extra.torch.checkpoint import find_weights, load_synthesizer
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer, sample_prior
from koebin.engine.options import SynthesisOptions

GOLDEN = Path(__file__).parent
WEIGHTS = ("jp_extra/legacy_names", "jp_extra/newer_names", "jp_extra_other")
TOLERANCE = 1e-4

Case = dict[str, NDArray[np.generic]]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=WEIGHTS)
def voice(request: pytest.FixtureRequest) -> tuple[Path, Synthesizer]:
    """The folder of the cases, and the network."""
    folder = GOLDEN / request.param.split("/")[0]
    sizes = HyperParameters.load(folder / "config.json")
    return folder, load_synthesizer(find_weights(GOLDEN / request.param), sizes)


def load_case(folder: Path, number: int) -> Case:
    with np.load(folder / "cases.npz", allow_pickle=False) as cases:
        return {name.split("/")[1]: cases[name] for name in cases.files if name.startswith(f"{number}/")}


def batch_of_one(case: Case, name: str) -> torch.Tensor:
    value = case[name]
    return torch.from_numpy(np.asarray(value.astype(np.float32) if value.dtype.kind == "f" else value))[None]


@pytest.mark.parametrize("number", [0, 1, 2])
@torch.inference_mode()
def test_the_network_speaks_as_the_reference_does(voice: tuple[Path, Synthesizer], number: int) -> None:
    folder, network = voice
    case = load_case(folder, number)
    frames, m, logs = network.encode(
        batch_of_one(case, "phone_ids"),
        batch_of_one(case, "tone_ids"),
        batch_of_one(case, "language_ids"),
        torch.tensor([case["phone_ids"].size]),
        batch_of_one(case, "bert"),
        batch_of_one(case, "style_vector"),
        batch_of_one(case, "speaker_id"),
        batch_of_one(case, "sdp_noise"),
        batch_of_one(case, "noise_scale_w"),
        batch_of_one(case, "sdp_ratio"),
        batch_of_one(case, "length_scale"),
    )
    durations = frames.long()
    np.testing.assert_array_equal(durations[0].numpy(), case["durations"])

    np.testing.assert_allclose(m[0].repeat_interleave(durations[0], dim=1).numpy(), case["m"], atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(
        logs[0].repeat_interleave(durations[0], dim=1).numpy(), case["logs"], atol=TOLERANCE, rtol=0
    )

    z_p = sample_prior(durations, m, logs, batch_of_one(case, "prior_noise"), batch_of_one(case, "noise_scale"))
    z = network.transform(z_p, durations.sum(dim=1), batch_of_one(case, "speaker_id"))
    np.testing.assert_allclose(z[0].numpy(), case["z"], atol=TOLERANCE, rtol=0)

    for frame_lengths in (None, durations.sum(dim=1)):
        audio = network.decode(z, frame_lengths, batch_of_one(case, "speaker_id"))
        np.testing.assert_allclose(audio[0].numpy(), case["audio"], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("voice_folder", ["jp_extra", "jp_extra_other"])
def test_the_style_vector_of_the_reference(voice_folder: str) -> None:
    folder = GOLDEN / voice_folder
    styles = Styles.load(folder / "style_vectors.npy", HyperParameters.load(folder / "config.json"))
    for number in range(3):
        wanted = load_case(folder, number)["style_vector"]
        assert any(
            np.allclose(styles.vector(name, weight), wanted, atol=1e-6)
            for name in styles.names
            for weight in (0.0, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
        )


@pytest.mark.parametrize("number", [0, 1, 2])
@torch.inference_mode()
def test_the_stronger_accents_are_the_more_they_count_against_bert(number: int) -> None:
    """On the encoder's output: how far it moves with other tones, beside how far it moves with other BERT features."""
    folder = GOLDEN / "jp_extra"
    network = load_synthesizer(find_weights(folder / "legacy_names"), HyperParameters.load(folder / "config.json"))
    case = load_case(folder, number)
    low, high = np.unique(case["tone_ids"])[-2:]
    swapped = {**case, "tone_ids": np.where(case["tone_ids"] == high, low, high) * (case["tone_ids"] > 0)}
    reversed_bert = {**case, "bert": case["bert"][::-1].copy()}

    def share(strength: float) -> float:
        weight = SynthesisOptions(accent_strength=strength).bert_weight
        plain, tones, bert = (
            encoded(network, {**each, "bert": each["bert"] * weight}) for each in (case, swapped, reversed_bert)
        )
        return float((tones - plain).norm() / (bert - plain).norm())

    shares = [share(strength) for strength in (0.0, 0.5, 1.0, 1.25, 1.5)]
    assert shares == sorted(shares)
    assert shares[-1] > 3 * shares[2]


def encoded(network: Synthesizer, case: Case) -> torch.Tensor:
    """The means of the prior, of one case."""
    names = ("phone_ids", "tone_ids", "language_ids", "bert", "style_vector", "speaker_id")
    phones, tones, languages, bert, style, speaker = (batch_of_one(case, name) for name in names)
    lengths = torch.tensor([case["phone_ids"].size])
    rest = ("sdp_noise", "noise_scale_w", "sdp_ratio", "length_scale")
    options = (batch_of_one(case, name) for name in rest)
    return network.encode(phones, tones, languages, lengths, bert, style, speaker, *options)[1][0]
