"""Small random voices, made fresh: other dimensions than the golden one, several speakers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer

CONFIG: dict[str, Any] = {
    "model_name": "random",
    "version": "2.0-JP-Extra",
    "data": {
        "sampling_rate": 22050,
        "n_speakers": 3,
        "num_styles": 2,
        "style2id": {"Neutral": 0, "喜び": 1},
    },
    "model": {
        "inter_channels": 20,
        "hidden_channels": 24,
        "filter_channels": 40,
        "n_heads": 3,
        "n_layers": 4,
        "kernel_size": 5,
        "resblock_kernel_sizes": [3, 5],
        "resblock_dilation_sizes": [[1, 3], [1, 2]],
        "upsample_rates": [4, 3, 2],
        "upsample_initial_channel": 32,
        "upsample_kernel_sizes": [8, 5, 4],
        "gin_channels": 12,
    },
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    torch.manual_seed(23)


@pytest.fixture(scope="session")
def sizes() -> HyperParameters:
    return HyperParameters.parse(CONFIG)


@pytest.fixture(scope="session")
def network(sizes: HyperParameters) -> Synthesizer:
    """Random, with every parameter in play and phones of one to some ten frames."""
    torch.manual_seed(7)
    network = Synthesizer(sizes)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        network.dp.proj.bias.fill_(1.0)
        network.sdp.flows["0"].m.fill_(-1.0)
        network.dec.conv_post.weight.mul_(8)
    return network.requires_grad_(False).eval()


@pytest.fixture(scope="session")
def voice(network: Synthesizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same voice as a published folder."""
    folder = tmp_path_factory.mktemp("voice")
    (folder / "config.json").write_text(json.dumps(CONFIG), "utf-8")
    np.save(folder / "style_vectors.npy", np.random.default_rng(3).standard_normal((2, 256), dtype=np.float32))
    save_file(network.state_dict(), folder / "random_e3_s200.safetensors")
    return folder


@pytest.fixture(scope="session")
def batch() -> dict[str, Tensor]:
    """Inputs of ``Synthesizer.encode`` for three utterances of 23, 9 and 1 phones, by speakers 2, 0 and 1."""
    torch.manual_seed(11)
    lengths = torch.tensor([23, 9, 1])
    size, longest = len(lengths), int(lengths.max())
    return {
        "phone_ids": torch.randint(0, 112, (size, longest)),
        "tone_ids": torch.randint(0, 12, (size, longest)),
        "language_ids": torch.randint(0, 3, (size, longest)),
        "lengths": lengths,
        "bert": torch.randn(size, 1024, longest),
        "style": torch.randn(size, 256) * 0.3,
        "speaker_id": torch.tensor([2, 0, 1]),
        "sdp_noise": torch.randn(size, 2, longest),
        "noise_scale_w": torch.tensor([0.8, 0.5, 1.0]),
        "sdp_ratio": torch.tensor([0.2, 1.0, 0.0]),
        "length_scale": torch.tensor([1.0, 1.7, 0.6]),
    }


@pytest.fixture(scope="session")
def items(batch: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """The utterances of the batch one by one, without their padding."""
    items = []
    for row, length in enumerate(batch["lengths"].tolist()):
        item = {name: tensor[row : row + 1] for name, tensor in batch.items()}
        for name in ("phone_ids", "tone_ids", "language_ids", "bert", "sdp_noise"):
            item[name] = item[name][..., :length]
        items.append(item)
    return items
