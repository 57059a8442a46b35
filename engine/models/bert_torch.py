"""BERT in torch: character features that tell the network what the sentence means.

The published model is DeBERTa-v2 with 24 layers and a language-model head. The voices were trained on the state three
before the last, so neither the last two layers nor the head are loaded: the result is the same number for number.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import BackendMissing, InferenceFailed, InvalidCheckpoint

FloatArray = NDArray[np.float32]

_UNUSED_LAYERS: Final = 2


class TorchBert:
    """One model for all speakers of a process. It may be called from one thread at a time."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """Load the published folder: ``config.json`` and ``model.safetensors``.

        Raises:
            BackendMissing: no such folder, or no transformers.
            InvalidCheckpoint: weights that are missing, a pickle, or of another model.
        """
        self.device = torch.device(device)
        self.model = load_model(folder).to(self.device)

    @torch.inference_mode()
    def features(self, batch: Sequence[Sequence[int]]) -> list[FloatArray]:
        """Features per character.

        Args:
            batch: token ids of each utterance, [CLS] and [SEP] included; padded here.

        Returns:
            Per utterance an array of shape (tokens, 1024), float32, within 1e-5 of what it would be alone.

        Raises:
            InferenceFailed: not a number.
        """
        longest = max(len(ids) for ids in batch)
        ids = torch.zeros(len(batch), longest, dtype=torch.int64)  # [B, S], padding is 0
        mask = torch.zeros(len(batch), longest, dtype=torch.int64)  # [B, S]
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        hidden = self.model(ids.to(self.device), mask.to(self.device)).last_hidden_state.float().cpu()  # [B, S, 1024]
        features = [hidden[row, : len(tokens)].numpy() for row, tokens in enumerate(batch)]
        if not all(np.isfinite(part).all() for part in features):
            raise InferenceFailed("BERT gave something that is not a number")
        return features


def load_model(folder: Path) -> Any:
    """A ``transformers.DebertaV2Model`` without the layers that are not needed, float32, on the CPU.

    Nothing is downloaded, no pickle is read, no code of the folder is run.

    Raises:
        BackendMissing, InvalidCheckpoint: as ``TorchBert``.
    """
    try:
        from transformers import DebertaV2Config, DebertaV2Model
    except ImportError as error:
        raise BackendMissing("transformers is not installed", "", "Install koebin[torch]") from error
    if not (folder / "config.json").is_file():
        raise BackendMissing("BERT's folder has no config.json", str(folder), "Fetch pytorch/bert/fp32 of the voice")
    try:
        config = DebertaV2Config.from_pretrained(folder, local_files_only=True)
        config.num_hidden_layers -= _UNUSED_LAYERS
        loaded: Any = DebertaV2Model.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,  # the published configuration says float16
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidCheckpoint(f"BERT cannot be loaded ({error})", str(folder)) from error
    model, report = loaded
    missing = sorted(report["missing_keys"])
    if missing:
        raise InvalidCheckpoint(f"BERT lacks {len(missing)} weights, {missing[0]} among them", str(folder))
    return model.requires_grad_(False).eval()


def expand(features: FloatArray, phones_per_token: Sequence[int]) -> Tensor:
    """Repeat each character's features over its phones.

    Args:
        features: shape (tokens, 1024).
        phones_per_token: phones, blanks included, of each token; they sum to T.

    Returns:
        [1024, T].
    """
    repeats = torch.tensor(phones_per_token)  # [S]
    return torch.from_numpy(features).repeat_interleave(repeats, dim=0).T  # [1024, T]
