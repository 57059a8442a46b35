"""Weights load in every published naming, and nothing that does not fit gets in."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from koebin.engine.errors import InvalidCheckpoint
from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.torch.checkpoint import find_weights, load_synthesizer
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer

Weights = dict[str, Tensor]


@pytest.fixture
def weights(network: Synthesizer) -> Weights:
    return dict(network.state_dict())


def normalised(weights: Weights, g_name: str, v_name: str) -> Weights:
    """The same weights as a training run stores them."""
    stored = dict(weights)
    for name in [name for name in weights if name.startswith(("dec.ups.", "dec.resblocks."))]:
        if name.endswith(".weight"):
            weight = stored.pop(name)
            length = weight.flatten(1).norm(dim=1).view(-1, *(1 for _ in weight.shape[1:]))
            stored[name.removesuffix("weight") + g_name] = length
            stored[name.removesuffix("weight") + v_name] = weight * 3.0
    return stored


def load(tmp_path: Path, weights: Weights, sizes: HyperParameters) -> Synthesizer:
    path = tmp_path / "voice.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)
    return load_synthesizer(path, sizes)


@pytest.mark.parametrize(
    "names",
    [
        ("weight_g", "weight_v"),
        ("parametrizations.weight.original0", "parametrizations.weight.original1"),
    ],
)
def test_both_namings_of_weight_norm_are_folded(
    tmp_path: Path, weights: Weights, sizes: HyperParameters, names: tuple[str, str]
) -> None:
    stored = normalised(weights, *names)
    assert stored.keys() != weights.keys()
    loaded = load(tmp_path, stored, sizes).state_dict()
    assert loaded.keys() == weights.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(loaded[name], tensor, atol=1e-6, rtol=1e-5)


def test_what_only_training_needs_is_passed_over(tmp_path: Path, weights: Weights, sizes: HyperParameters) -> None:
    more = {
        "enc_q.pre.weight": torch.ones(2),
        "iteration": torch.tensor([1000]),
        "sdp.flows.1.pre.bias": torch.ones(2),
        "sdp.post_flows.0.m": torch.ones(2),
        "sdp.post_pre.bias": torch.ones(2),
    }
    assert load(tmp_path, weights | more, sizes).state_dict().keys() == weights.keys()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_cast(tmp_path: Path, weights: Weights, sizes: HyperParameters, dtype: torch.dtype) -> None:
    loaded = load(tmp_path, {name: tensor.to(dtype) for name, tensor in weights.items()}, sizes)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}


def without(weights: Weights, name: str) -> Weights:
    return {other: tensor for other, tensor in weights.items() if other != name}


def replaced(weights: Weights, name: str, tensor: Tensor) -> Weights:
    return weights | {name: tensor}


def test_what_does_not_fit_is_named(tmp_path: Path, weights: Weights, sizes: HyperParameters) -> None:
    name = "flow.flows.4.post.bias"
    nan = weights[name].clone()
    nan[0] = float("nan")
    faults = {
        "is missing": without(weights, name),
        r"\[11\], not \[10\] is of a wrong shape": replaced(weights, name, torch.zeros(11)),
        "is not finite": replaced(weights, name, nan),
        "int64": replaced(weights, name, torch.zeros(10, dtype=torch.int64)),
        "both normalised and plain": replaced(weights, "dec.ups.0.weight_g", torch.ones(32, 1, 1))
        | {"dec.ups.0.weight_v": torch.ones(32, 16, 8)},
        "lacks its direction": replaced(weights, "dec.ups.0.weight_g", torch.ones(32, 1, 1)),
    }
    for what, faulty in faults.items():
        with pytest.raises(InvalidCheckpoint, match=what) as caught:
            load(tmp_path, faulty, sizes)
        assert "flow.flows.4.post.bias" in str(caught.value) or "dec.ups.0.weight" in str(caught.value)


def test_a_stranger_is_refused_by_name(tmp_path: Path, weights: Weights, sizes: HyperParameters) -> None:
    with pytest.raises(InvalidCheckpoint, match=r"ref_enc\.convs\.0\.weight is unexpected"):
        load(tmp_path, weights | {"ref_enc.convs.0.weight": torch.ones(2)}, sizes)


def test_a_layer_in_two_namings_is_refused(tmp_path: Path, weights: Weights, sizes: HyperParameters) -> None:
    stored = normalised(weights, "weight_g", "weight_v")
    stored["dec.ups.0.parametrizations.weight.original0"] = stored["dec.ups.0.weight_g"].clone()
    with pytest.raises(InvalidCheckpoint, match="two namings"):
        load(tmp_path, stored, sizes)


def test_a_truncated_file_is_refused(tmp_path: Path, voice: Path, sizes: HyperParameters) -> None:
    whole = find_weights(voice).read_bytes()
    for name, content in {"cut": whole[: len(whole) // 2], "empty": b"", "text": b"version https://git-lfs"}.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(content)
        with pytest.raises(InvalidCheckpoint, match="cannot be read"):
            load_synthesizer(path, sizes)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle was loaded')",))


@pytest.mark.parametrize("ending", ["pth", "pt", "safetensors"])
def test_pickles_are_refused(tmp_path: Path, sizes: HyperParameters, ending: str) -> None:
    path = tmp_path / f"voice.{ending}"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InvalidCheckpoint):
        load_synthesizer(path, sizes)


def test_a_folder_of_pickles_gets_a_hint(tmp_path: Path) -> None:
    (tmp_path / "G_1000.pth").write_bytes(b"")
    with pytest.raises(InvalidCheckpoint, match=r"pickle, G_1000\.pth.*Convert it to safetensors"):
        find_weights(tmp_path)


def test_the_highest_step_of_one_run_is_taken(tmp_path: Path) -> None:
    for name in ("mei_e10_s1000", "mei_e9_s900", "mei_e100_s10000"):
        (tmp_path / f"{name}.safetensors").touch()
    assert find_weights(tmp_path).stem == "mei_e100_s10000"


@pytest.mark.parametrize("other", ["rin_e1_s10", "final", "mei_s20"])
def test_a_choice_between_voices_is_refused(tmp_path: Path, other: str) -> None:
    for name in ("mei_e10_s1000", other):
        (tmp_path / f"{name}.safetensors").touch()
    with pytest.raises(InvalidCheckpoint, match=other):
        find_weights(tmp_path)


def test_the_stored_voice_loads_as_it_is(voice: Path, sizes: HyperParameters) -> None:
    stored = load_file(find_weights(voice))
    loaded = load_synthesizer(find_weights(voice), sizes).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in stored.items())
