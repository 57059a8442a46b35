"""Makes small voices for ONNX Runtime: as they are published, and a BERT to go with them.

The published kind is one graph that goes from ids to audio and draws its noises inside, as people's voices have it.
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from engine.models.checkpoint import find_weights, load_synthesizer
from engine.models.hyper_parameters import HyperParameters
from engine.models.jp_extra.synthesizer import Synthesizer, sequence_mask

ONNX = Path(__file__).parents[2] / "golden" / "onnx"
"""Made by ``tests.unit.models.make_onnx_voices``."""

_INPUTS = ("x", "x_lengths", "sid", "tone", "language", "bert", "style_vec")
_SCALES = ("noise_scale", "length_scale", "noise_scale_w", "sdp_ratio")


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


def small_bert(path: Path, quantize: bool) -> Path:
    """A graph with BERT's inputs and output and one matrix product, 8-bit if asked for; 64 tokens."""
    draws = np.random.default_rng(5)
    table = numpy_helper.from_array(draws.standard_normal((64, 32), np.float32), "table")
    weight = numpy_helper.from_array(draws.standard_normal((32, 1024), np.float32) * np.float32(0.2), "weight")
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("MatMul", ["embedded", "weight"], ["features"]),
        helper.make_node("Unsqueeze", ["attention_mask", "last"], ["column"]),
        helper.make_node("Cast", ["column"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["features", "mask"], ["hidden_states"]),
    ]
    batch = ["batch", "tokens"]
    graph = helper.make_graph(
        nodes,
        "bert",
        [helper.make_tensor_value_info(name, TensorProto.INT64, batch) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("hidden_states", TensorProto.FLOAT, [*batch, 1024])],
        [table, weight, numpy_helper.from_array(np.array([-1]), "last")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    if quantize:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        full = path.replace(path.with_suffix(".full"))
        quantize_dynamic(str(full), str(path), weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
        full.unlink()
    return path


def small_tokens(text: str) -> list[int]:
    """Ids for ``small_bert``."""
    return [1, *(4 + ord(char) % 60 for char in text), 2]
