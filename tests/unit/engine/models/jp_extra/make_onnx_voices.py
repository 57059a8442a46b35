"""Maker of ``tests/golden/onnx``, to be run after changes to the export.

``python -m tests.unit.engine.models.jp_extra.make_onnx_voices`` runs it.

One small random voice three times: its safetensors, our own export, and one graph as voices are published. Making them
takes too long to do it in every test run; ``tests/unit/models/torch_backend/test_export.py`` exports one afresh.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from koebin.engine.models.jp_extra.export import export_voice
from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.onnx.session import sha256
from koebin.engine.models.jp_extra.torch.checkpoint import find_weights, load_synthesizer
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer, sequence_mask
from tests.unit.engine.models.jp_extra.onnx_voices import ONNX

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


_INPUTS = ("x", "x_lengths", "sid", "tone", "language", "bert", "style_vec")
_SCALES = ("noise_scale", "length_scale", "noise_scale_w", "sdp_ratio")


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
        for name, parameter in network.named_parameters():
            spread = 0.05 if parameter.ndim < 2 else 0.8 / max(1, parameter[0].numel()) ** 0.5
            parameter.copy_(torch.randn_like(parameter) * spread + name.endswith("gamma"))
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
    apart = path.name == "decoder.onnx"  # the others' weights are their inputs
    weights = path.with_suffix(".data")
    if apart:
        weights.unlink()
    onnx.save(model, str(path), save_as_external_data=apart, location=weights.name)


class _Published(nn.Module):
    """Text to audio in one piece, drawing its own noises."""

    def __init__(self, network: Synthesizer, with_durations: bool) -> None:
        super().__init__()
        self.network = network
        self.with_durations = with_durations

    def forward(
        self,
        x: Tensor,
        x_lengths: Tensor,
        sid: Tensor,
        tone: Tensor,
        language: Tensor,
        bert: Tensor,
        style_vec: Tensor,
        noise_scale: Tensor,
        length_scale: Tensor,
        noise_scale_w: Tensor,
        sdp_ratio: Tensor,
    ) -> tuple[Tensor, ...]:
        noise = torch.randn_like(bert[:, :2])  # [1, 2, T]
        frames, m, logs = self.network.encode(
            x, tone, language, x_lengths, bert, style_vec, sid, noise, noise_scale_w, sdp_ratio, length_scale
        )
        total = frames.sum(1).clamp_min(1).long()  # [1]
        ends = frames.cumsum(1)[:, :, None]  # [1, T, 1]
        frame = torch.arange(total.max())[None, None]  # [1, 1, F]
        path = ((frame < ends) & (frame >= ends - frames[:, :, None])).float().transpose(1, 2)  # [1, F, T]
        mean = (path @ m.transpose(1, 2)).transpose(1, 2)  # [1, C, F]
        scale = (path @ logs.transpose(1, 2)).transpose(1, 2)  # [1, C, F]
        z_p = mean + torch.randn_like(mean) * scale.exp() * noise_scale  # [1, C, F]
        mask = sequence_mask(total, z_p.shape[2])  # [1, 1, F]
        g = self.network.emb_g(sid).unsqueeze(2)  # [1, G, 1]
        z = self.network.flow(z_p, mask, g) * mask  # [1, C, F]
        audio = self.network.dec(z, None, g)  # [1, 1, S]
        return (audio, frames) if self.with_durations else (audio,)


def publish(source: Path, folder: Path, with_durations: bool) -> Path:
    """A voice as it would be published for ONNX Runtime.

    Args:
        source: safetensors, configuration and style vectors.
        folder: is made.
        with_durations: newer exports have a second output.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "style_vectors.npy"):
        shutil.copyfile(source / name, folder / name)
    network = load_synthesizer(find_weights(source), HyperParameters.load(source / "config.json"))
    phones = 9
    ids = torch.ones(1, phones, dtype=torch.int64)
    inputs = (
        *(ids, torch.tensor([phones]), torch.zeros(1, dtype=torch.int64), ids, ids),
        *(torch.zeros(1, 1024, phones), torch.zeros(1, 256)),
        *(torch.tensor([value]) for value in (0.6, 1.0, 0.8, 0.2)),
    )
    axes = {name: {1: "phone_len"} for name in ("x", "tone", "language")} | {"bert": {2: "phone_len"}}
    outputs = {"audio": {2: "audio_len"}} | ({"durations": {1: "phone_len"}} if with_durations else {})
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Published(network, with_durations).eval(),
            inputs,
            str(folder / "synthesizer.onnx"),
            dynamo=False,
            opset_version=17,
            input_names=[*_INPUTS, *_SCALES],
            output_names=list(outputs),
            dynamic_axes=axes | outputs,
        )
    return folder


class _StyleBertVits2(_Published):
    """As Style-Bert-VITS2's own exporter traces it: positions are padded and sliced, and seven tensors come out."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x, x_lengths, sid, tone, language, bert, style_vec, length_scale, sdp_ratio, noise_scale, noise_scale_w = inputs
        scales = (scale.reshape(1) for scale in (length_scale, noise_scale_w, sdp_ratio))
        audio, frames = super().forward(x, x_lengths, sid, tone, language, bert, style_vec, noise_scale, *scales)
        return audio, frames + 0, frames * 2, frames * 3, frames * 4, frames * 5, frames * 6


_STYLE_BERT_VITS2_INPUTS = (
    *("x_tst", "x_tst_lengths", "sid", "tones", "language", "bert", "style_vec"),
    *("length_scale", "sdp_ratio", "noise_scale", "noise_scale_w"),
)


def publish_as_style_bert_vits2(source: Path, path: Path, opset: int) -> Path:
    """A graph with the names, the scalars, the batch axis and the outputs of Style-Bert-VITS2's exporter."""
    network = load_synthesizer(find_weights(source), HyperParameters.load(source / "config.json"))
    phones = 9
    ids = torch.ones(1, phones, dtype=torch.int64)
    inputs = (
        *(ids, torch.tensor([phones]), torch.zeros(1, dtype=torch.int64), ids, ids),
        *(torch.zeros(1, 1024, phones), torch.zeros(1, 256)),
        *(torch.tensor(value) for value in (1.0, 0.2, 0.6, 0.8)),
    )
    axes = {name: {0: "batch_size", 1: "x_tst_max_length"} for name in ("x_tst", "tones", "language")}
    axes |= {name: {0: "batch_size"} for name in ("x_tst_lengths", "sid", "style_vec")}
    axes["bert"] = {0: "batch_size", 2: "x_tst_max_length"}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _StyleBertVits2(network, with_durations=True).eval(),
            inputs,
            str(path),
            dynamo=False,
            opset_version=opset,
            input_names=[*_STYLE_BERT_VITS2_INPUTS],
            output_names=["output"],
            dynamic_axes=axes,
        )
    return path


if __name__ == "__main__":
    main()
