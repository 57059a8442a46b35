"""BERT in torch: character features that carry the meaning of the sentence.

The published model is DeBERTa-v2 with 24 layers and a language-model head. The voices were trained on the state three
before the last, so neither the last two layers nor the head are loaded: the result is the same number for number.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from koebin.engine.errors import BackendMissing, InferenceFailed, InvalidCheckpoint
from koebin.engine.models.jp_extra.torch.checkpoint import checksum
from koebin.engine.models.jp_extra.torch.devices import open_device

_UNUSED_LAYERS: Final = 2


class TorchBert:
    """BERT model for all speakers of a ``TTS``; concurrent calls take turns."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """Load the published folder: ``config.json`` and ``model.safetensors``.

        Raises:
            BackendMissing: no such folder, or no transformers.
            InvalidCheckpoint: weights that are missing, a pickle, or of another model.
        """
        self.device = open_device(device)
        self.model = load_model(folder).to(self.device)
        self._folder = folder
        self._lock = threading.Lock()

    def close(self) -> None:
        """Release its memory."""
        self.model = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    @cached_property
    def revision(self) -> str:
        """Revision; it changes with the weights."""
        parts = [checksum(path) for path in sorted(self._folder.glob("*.safetensors"))]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @torch.inference_mode()
    def hidden(self, batch: Sequence[Sequence[int]]) -> list[Tensor]:
        """Features per token.

        Args:
            batch: token ids of each utterance, [CLS] and [SEP] included; padded here.

        Returns:
            Per utterance [S, 1024] float32 on the device, within 1e-5 of what it would be alone.

        Raises:
            InferenceFailed: a token that the model does not know, or features that are not numbers.
        """
        ids = pad_sequence([torch.tensor(tokens) for tokens in batch], batch_first=True)  # [B, S], padding is 0
        if ids.min() < 0 or ids.max() >= self.model.config.vocab_size:
            raise InferenceFailed("a token is not in BERT's vocabulary", str(int(ids.max())))
        mask = pad_sequence(
            [torch.ones(len(tokens), dtype=torch.int64) for tokens in batch], batch_first=True
        )  # [B, S]
        with self._lock:  # shared by all speakers, whose threads may meet here
            hidden = self.model(ids.to(self.device), mask.to(self.device)).last_hidden_state  # [B, S, 1024]
        if not torch.isfinite(hidden).all():
            raise InferenceFailed("BERT's features are not finite numbers")
        return [hidden[row, : len(tokens)] for row, tokens in enumerate(batch)]


def load_model(folder: Path) -> Any:
    """``transformers.DebertaV2Model`` without the unused layers, float32, on the CPU.

    Nothing is downloaded, no pickle is read, no code of the folder is run.

    Raises:
        BackendMissing, InvalidCheckpoint: as ``TorchBert``.
    """
    try:
        from transformers import DebertaV2Config, DebertaV2Model
    except ImportError as error:
        raise BackendMissing("transformers is not installed", "", "Install koebin[torch]") from error
    described = _description(folder)
    described["num_hidden_layers"] -= _UNUSED_LAYERS
    try:
        with torch.device("meta"):
            model: Any = DebertaV2Model(DebertaV2Config.from_dict(described))
    except (TypeError, ValueError) as error:
        raise InvalidCheckpoint(
            f"BERT's configuration does not describe a DeBERTa-v2 ({error})", str(folder)
        ) from error
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    weights = _read_weights(folder, wanted.keys())
    wrong = sorted(name for name, shape in wanted.items() if name not in weights or weights[name].shape != shape)
    if wrong:
        raise InvalidCheckpoint(
            f"BERT lacks {len(wanted.keys() - weights.keys())} of {len(wanted)} weights, or they have the wrong shape, "
            f"{wrong[0]} among them",
            str(folder),
        )
    model.load_state_dict(weights, strict=True, assign=True)
    # The only buffer that is not in the file.
    model.embeddings.position_ids = torch.arange(model.config.max_position_embeddings)[None]
    return model.requires_grad_(False).eval()


def _description(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        described = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BackendMissing("BERT's folder has no config.json", str(folder), "Fetch pytorch/bert/fp32") from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits are a ValueError
        raise InvalidCheckpoint(f"BERT's configuration is not JSON ({error})", str(path)) from error
    if not isinstance(described, dict) or described.get("model_type") != "deberta-v2":
        raise InvalidCheckpoint("BERT's configuration is not that of a DeBERTa-v2", str(path))
    layers = described.get("num_hidden_layers")
    if not isinstance(layers, int) or not _UNUSED_LAYERS < layers <= 96:
        raise InvalidCheckpoint("BERT has too few or too many layers", str(layers))
    return described


def _read_weights(folder: Path, names: Collection[str]) -> dict[str, Tensor]:
    """The named weights from the folder's safetensors files, in float32."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InvalidCheckpoint(
            "BERT has no safetensors weights", str(folder), "Weights in a pickle (pytorch_model.bin) are not loaded"
        )
    weights = {}
    for path in files:
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                for stored in file.keys():  # noqa: SIM118 - the file is not a mapping
                    name = stored.removeprefix("deberta.")
                    if name in names:
                        weights[name] = file.get_tensor(stored).to(torch.float32)
        except (SafetensorError, OSError) as error:
            raise InvalidCheckpoint(f"BERT's weights cannot be read ({error})", str(path)) from error
    return weights


def expand(features: Tensor, phones_per_token: Sequence[int]) -> Tensor:
    """Repeat each token's features over its phones.

    Args:
        features: [S, 1024].
        phones_per_token: S numbers of phones, blanks included; they sum to T.

    Returns:
        [T, 1024].
    """
    repeats = torch.tensor(phones_per_token, device=features.device)  # [S]
    # Told how long the result is, the device need not be waited for.
    return features.repeat_interleave(repeats, dim=0, output_size=sum(phones_per_token))  # [T, 1024]
