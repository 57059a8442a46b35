"""Parity part: the device against the reference's numbers and against the CPU, one by one, in batches, in windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu.material import Material
from benchmarks.voices import NAMES
from koebin.engine.models.base import Rendering
from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.torch.batches import BatchLimits
from koebin.engine.models.jp_extra.torch.checkpoint import find_weights, load_synthesizer
from koebin.engine.models.jp_extra.torch.devices import arithmetic
from koebin.engine.models.jp_extra.torch.synthesizer import sample_prior

_GOLDEN: Final = ("jp_extra/legacy_names", "jp_extra/newer_names", "jp_extra_other")
_ACROSS: Final = 1e-4
"""Most that samples may differ between devices, and from the reference."""
_WITHIN: Final = 1e-5
"""Most that they may differ between batches or windows of one device."""


def golden(material: Material) -> Iterator[tuple[str, Any]]:
    """Differences from a reference network's outputs on small voices."""
    for weights in _GOLDEN:
        for number in range(3):
            different, worst = _golden_case(material.root / "tests/golden", weights, number, material.torch_device)
            yield f"{weights} {number}", _verdict(different, worst, _ACROSS)


def voices(material: Material) -> Iterator[tuple[str, Any]]:
    """Differences of random voices of real size: CPU, device alone, in a batch, in windows."""
    count = 4 if material.tiny else 8
    utterances = material.utterances(count)
    for name in NAMES:
        on_cpu = material.voice(name, device="cpu").synthesize(utterances)
        alone = material.voice(name, limits=BatchLimits(utterances=1)).synthesize(utterances)
        yield f"{name}: device by CPU", _compare(on_cpu, alone, _ACROSS)
        together = material.voice(name, limits=BatchLimits(utterances=count)).synthesize(utterances)
        yield f"{name}: batch by alone", _compare(alone, together, _WITHIN)
        windows = material.voice(name, limits=BatchLimits(utterances=count, window_frames=40 * count))
        yield f"{name}: windows by whole", _compare(together, windows.synthesize(utterances), _WITHIN)
        again = material.voice(name, limits=BatchLimits(utterances=count)).synthesize(utterances)
        same = all(one.samples.tobytes() == two.samples.tobytes() for one, two in zip(together, again, strict=True))
        yield f"{name}: the same batch again", "the same bytes" if same else "OTHER bytes"


def _compare(one: Sequence[Rendering], other: Sequence[Rendering], bound: float) -> str:
    pairs = [(a.samples, b.samples) for a, b in zip(one, other, strict=True)]
    alike = [np.abs(a - b).max(initial=0.0) for a, b in pairs if a.shape == b.shape]
    return _verdict(len(pairs) - len(alike), float(max(alike, default=0.0)), bound)


def _verdict(different: int, worst: float, bound: float) -> str:
    good = "ok" if not different and worst <= bound else "NOT OK"
    return f"{good}: {worst:.1e} of at most {bound:.0e}, {different} other lengths"


@torch.inference_mode()
def _golden_case(folder: Path, weights: str, number: int, device: torch.device) -> tuple[int, float]:
    """Number of durations that differ, and the largest difference of latent and audio."""
    home = folder / weights.split("/")[0]
    network = load_synthesizer(find_weights(folder / weights), HyperParameters.load(home / "config.json")).to(device)
    with np.load(home / "cases.npz", allow_pickle=False) as cases:
        case = {key.split("/")[1]: cases[key] for key in cases.files if key.startswith(f"{number}/")}

    def given(name: str) -> Tensor:
        value = case[name].astype(np.float32) if case[name].dtype.kind == "f" else case[name]
        return torch.from_numpy(np.asarray(value))[None].to(device)

    with arithmetic(device):
        frames, m, logs = network.encode(
            given("phone_ids"), given("tone_ids"), given("language_ids"),
            torch.tensor([case["phone_ids"].size], device=device), given("bert"), given("style_vector"),
            given("speaker_id"), given("sdp_noise"), given("noise_scale_w"), given("sdp_ratio"), given("length_scale"),
        )  # fmt: skip
        durations = frames.long()
        different = int((durations[0].cpu().numpy() != case["durations"]).sum())
        if different:
            return different, float("inf")
        z_p = sample_prior(durations, m, logs, given("prior_noise"), given("noise_scale"))
        z = network.transform(z_p, durations.sum(dim=1), given("speaker_id"))
        audio = network.decode(z, None, given("speaker_id"))
    worst = max(np.abs(found[0].cpu().numpy() - case[name]).max() for name, found in (("z", z), ("audio", audio)))
    return different, float(worst)
