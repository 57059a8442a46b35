"""Checkpoint loader of JP-Extra voices: safetensors in any of the published namings, loaded strictly.

The decoder was trained with weight normalisation (arXiv 1602.07868): a direction v and a length g per layer, under
either of two names, or already multiplied out. All three end up as one plain ``weight`` here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from koebin.engine.errors import BackendMissing, InvalidCheckpoint
from koebin.engine.models.jp_extra.file_kinds import kind_of, refuse
from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.pickles import refuse_pickle
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer
from koebin.engine.sources.base import PICKLES

if TYPE_CHECKING:
    from torch import nn

_NORM_NAMES: Final = {
    ".weight_g": "g",
    ".weight_v": "v",
    ".parametrizations.weight.original0": "g",
    ".parametrizations.weight.original1": "v",
}
_ALIGNMENT_BYTES: Final = 64
_TRAINING_ONLY: Final = (
    "enc_q.",
    "iteration",
    "sdp.flows.1.",
    "sdp.post_pre.",
    "sdp.post_proj.",
    "sdp.post_convs.",
    "sdp.post_flows.",
)
_STEP: Final = re.compile(r"(?P<voice>.+)_e\d+_s(?P<step>\d+)")


def find_weights(folder: Path) -> Path:
    """Safetensors file of a voice's folder.

    Of several that are checkpoints of one training run (``<voice>_e<epoch>_s<step>.safetensors``) the highest step is
    taken; any other choice would be a guess and is refused.

    Raises:
        InvalidCheckpoint: none, several unrelated ones, or pickles only.
    """
    found = sorted(folder.glob("*.safetensors"))
    if len(found) == 1:
        return found[0]
    if not found:
        if pickles := sorted(path.name for path in folder.glob("*") if path.suffix.lower() in PICKLES):
            raise refuse_pickle(pickles[0], str(folder))
        raise InvalidCheckpoint(
            "the voice has no weights", str(folder), "Add the voice's safetensors file to the folder"
        )
    steps = [_STEP.fullmatch(path.stem) for path in found]
    if any(step is None for step in steps) or len({step["voice"] for step in steps if step}) > 1:
        names = ", ".join(path.name for path in found)
        raise InvalidCheckpoint(
            f"the folder holds several voices' weights ({names})", str(folder), "Leave one safetensors file in it"
        )
    return max(zip(steps, found, strict=True), key=lambda pair: int(pair[0]["step"]) if pair[0] else -1)[1]


def load_synthesizer(path: Path, sizes: HyperParameters) -> Synthesizer:
    """Network with its weights, float32, on the CPU, ready to speak.

    Args:
        path: a safetensors file; float16 and bfloat16 are cast.

    Raises:
        InvalidCheckpoint: a pickle, a damaged file, or tensors that are missing, unexpected, not finite or of a
            wrong shape; they are named.
    """
    weights = fold_weight_norm(read_tensors(path))
    with torch.device("meta"):
        network = Synthesizer(sizes)
    _check(weights, network, path)
    network.load_state_dict(weights, strict=True, assign=True)
    return network.requires_grad_(False).eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors that inference needs, by name, in float32.

    Raises:
        InvalidCheckpoint: not a safetensors file, or integers where weights belong.
    """
    if path.suffix.lower() in PICKLES:
        raise refuse_pickle(path.name, str(path))
    if not path.is_file():
        raise BackendMissing("there is no such weights file", str(path))
    if (kind := kind_of(path)) in ("pickle", "zip", "pointer", "page"):
        raise refuse(path, kind)
    tensors = {}
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            for name in file.keys():  # noqa: SIM118 - the file is not a mapping
                if not name.startswith(_TRAINING_ONLY):
                    tensors[name] = _aligned(_as_float32(name, file.get_tensor(name)))
    except (SafetensorError, OSError) as error:
        raise InvalidCheckpoint(f"the weights cannot be read ({error})", str(path), "Fetch the voice again") from error
    return tensors


def _aligned(tensor: Tensor) -> Tensor:
    """The tensor where torch itself would lay it: kernels round otherwise elsewhere, and a header moves a file's
    tensors.
    """
    return tensor if tensor.data_ptr() % _ALIGNMENT_BYTES == 0 else tensor.clone()


def fold_weight_norm(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Replace every pair g, v by the weight ``g * v / |v|``, the norm taken over all axes but the first.

    Raises:
        InvalidCheckpoint: half of a pair, or a layer that is there in two namings.
    """
    folded: dict[str, Tensor] = {}
    pairs: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        ending = next((ending for ending in _NORM_NAMES if name.endswith(ending)), None)
        if ending is None:
            folded[name] = tensor
            continue
        pair = pairs.setdefault(name.removesuffix(ending) + ".weight", {})
        if pair.setdefault(_NORM_NAMES[ending], tensor) is not tensor:
            raise InvalidCheckpoint("a layer's weight is there in two namings", name)
    for name, pair in pairs.items():
        if pair.keys() != {"g", "v"}:
            raise InvalidCheckpoint("a normalised weight lacks its direction or its length", name)
        if name in folded:
            raise InvalidCheckpoint("a layer's weight is there both normalised and plain", name)
        g, v = pair["g"], pair["v"]
        if g.shape != (len(v), *(1 for _ in v.shape[1:])):
            raise InvalidCheckpoint(f"a normalised weight's length has the shape {list(g.shape)}", name)
        folded[name] = g * v / torch.linalg.vector_norm(v, dim=tuple(range(1, v.ndim)), keepdim=True)
    return folded


def checksum(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _as_float32(name: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        raise InvalidCheckpoint(f"a weight holds {tensor.dtype} instead of floating-point numbers", name)
    return tensor.to(torch.float32)


def _check(weights: Mapping[str, Tensor], network: nn.Module, path: Path) -> None:
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    faults = {
        "missing": sorted(wanted.keys() - weights.keys()),
        "unexpected": sorted(weights.keys() - wanted.keys()),
        "of a wrong shape": [
            f"{name} {list(weights[name].shape)}, not {list(shape)}"
            for name, shape in wanted.items()
            if name in weights and weights[name].shape != shape
        ],
        "not finite": [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()],
    }
    found = [f"{_some(names)} {'is' if len(names) == 1 else 'are'} {fault}" for fault, names in faults.items() if names]
    if found:
        raise InvalidCheckpoint(
            f"the weights do not fit the configuration: {'; '.join(found)}",
            path.name,
            "Check that config.json belongs to these weights and that the voice is a JP-Extra one",
        )


def _some(names: Iterable[str], limit: int = 5) -> str:
    listed = list(names)
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more
