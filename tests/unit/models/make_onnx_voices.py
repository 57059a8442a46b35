"""Makes ``tests/golden/onnx``: run ``python -m tests.unit.models.make_onnx_voices`` after changes to the export.

One small random voice three times: its safetensors, our own export, and one graph as voices are published. Making them
takes too long to do it in every test run; ``tests/unit/models/torch_backend/test_export.py`` exports one afresh.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from safetensors.torch import save_file

from engine.models.export import export_voice
from engine.models.hyper_parameters import HyperParameters
from engine.models.jp_extra.synthesizer import Synthesizer
from engine.models.onnx_session import sha256
from tests.unit.models.onnx_voices import ONNX, publish

CONFIG: dict[str, Any] = {
    "model_name": "small",
    "version": "2.7.0-JP-Extra",
    "data": {"n_speakers": 2, "num_styles": 2, "style2id": {"Neutral": 0, "Happy": 1}},
    "model": {
        "inter_channels": 8,
        "hidden_channels": 8,
        "filter_channels": 8,
        "n_layers": 3,
        "upsample_initial_channel": 32,
        "gin_channels": 4,
    },
}


def main() -> None:
    shutil.rmtree(ONNX, ignore_errors=True)
    weights = ONNX / "weights"
    weights.mkdir(parents=True)
    (weights / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n", "utf-8")
    vectors = np.random.default_rng(3).standard_normal((2, 256), dtype=np.float32) * np.float32(0.3)
    np.save(weights / "style_vectors.npy", vectors)
    save_file(random_network().state_dict(), weights / "small_e1_s1.safetensors")
    with tempfile.TemporaryDirectory() as folder:
        export_voice(weights, Path(folder) / "exported")
        shutil.copytree(Path(folder) / "exported", ONNX / "exported")
    publish(weights, ONNX / "published", with_durations=False)
    for path in sorted(ONNX.rglob("*.onnx")):
        _strip(path)
    description = json.loads((ONNX / "exported" / "voice.json").read_text())
    description["files"] = {name: sha256(ONNX / "exported" / name) for name in description["files"]}
    (ONNX / "exported" / "voice.json").write_text(json.dumps(description, indent=1) + "\n", "utf-8")


def random_network() -> Synthesizer:
    """Random, with every parameter in play and phones of one to some ten frames."""
    torch.manual_seed(11)
    network = Synthesizer(HyperParameters.parse(CONFIG))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        network.dp.proj.bias.fill_(1.0)
        network.sdp.flows["0"].m.fill_(-1.0)
        network.dec.conv_post.weight.mul_(8)
    return network.requires_grad_(False).eval()


def _strip(path: Path) -> None:
    """Drop names that nothing reads, and shorten the others: half of a small graph."""
    model = onnx.load(str(path))
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    short: dict[str, str] = {"": ""}

    def rename(names: Any) -> None:
        for index, name in enumerate(names):
            names[index] = name if name in kept else short.setdefault(name, f"t{len(short)}")

    def strip(graph: onnx.GraphProto) -> None:
        for node in graph.node:
            node.ClearField("name")
            node.ClearField("doc_string")
            rename(node.input)
            rename(node.output)
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    strip(attribute.g)
        for value in (*graph.initializer, *graph.output):
            value.name = value.name if value.name in kept else short[value.name]
        del graph.value_info[:]

    strip(model.graph)
    onnx.save(model, str(path))


if __name__ == "__main__":
    main()
