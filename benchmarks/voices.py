"""Random voices and a random BERT of real size, in the folders in which they are published.

The audio is noise; the arithmetic is that of a trained voice. Durations are set to 4 to 5 frames per symbol, so that
lengths are those of speech. The same seed gives the same files.

``python -m benchmarks.voices FOLDER [--tiny] [--seed N]`` makes the tree, once.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from koebin.engine.models.jp_extra.export import export_bert
from koebin.engine.models.jp_extra.hyper_parameters import LANGUAGES, SYMBOLS, TONES, HyperParameters
from koebin.engine.models.jp_extra.torch.checkpoint import find_weights, load_synthesizer
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer
from tests.unit.engine.models.jp_extra.make_onnx_voices import publish

NAMES: Final = ("first", "second")
FRAMES_PER_SYMBOL: Final = 4.5
_SPECIALS: Final = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]")
_STYLES: Final = {"Neutral": 0, "Happy": 1}


@dataclass(frozen=True, slots=True)
class Size:
    """Dimensions that differ from a published voice's, and those of BERT."""

    voice: dict[str, Any] = field(default_factory=dict)
    bert_layers: int = 24
    bert_heads: int = 16
    bert_inner: int = 4096
    vocabulary: int = 22012


FULL: Final = Size()
TINY: Final = Size(
    voice={
        "inter_channels": 8,
        "hidden_channels": 8,
        "filter_channels": 8,
        "n_layers": 3,
        "upsample_initial_channel": 32,
        "gin_channels": 4,
    },
    bert_layers=3,
    bert_heads=2,
    bert_inner=64,
    vocabulary=400,
)


def make_tree(root: Path, size: Size, seed: int) -> None:
    """Write two voices and a BERT for both back ends; the tree appears complete."""
    staging = root.with_name(f".{root.name}.part")
    shutil.rmtree(staging, ignore_errors=True)
    for number, name in enumerate(NAMES):
        weights = staging / "pytorch/speakers" / name
        write_voice(weights, size, seed + number)
        publish(weights, staging / "onnx/speakers" / name, with_durations=True)
        write_duration_predictor(weights, staging / "onnx/speakers" / name / "duration_predictor.onnx")
    write_bert(staging / "pytorch/bert/fp32", size, seed)
    write_vocabulary(staging / "bert/tokenizer", size)
    export_bert(staging / "pytorch/bert/fp32", staging / "onnx/bert/q8")
    staging.rename(root)


def write_voice(folder: Path, size: Size, seed: int) -> Path:
    """``config.json``, style vectors and safetensors of a random voice; returns the folder."""
    folder.mkdir(parents=True)
    config = {
        "model_name": folder.name,
        "version": "2.7.0-JP-Extra",
        "data": {"use_jp_extra": True, "n_speakers": 1, "num_styles": len(_STYLES), "style2id": _STYLES},
        "model": size.voice,
        "train": {},
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    draws = np.random.default_rng(seed)
    np.save(folder / "style_vectors.npy", draws.standard_normal((len(_STYLES), 256), np.float32) * np.float32(0.3))
    network = random_network(HyperParameters.parse(config), seed)
    weights = {name: tensor.contiguous() for name, tensor in _with_weight_norm(network.state_dict())}
    save_file(weights, folder / f"{folder.name}_e1_s{seed}.safetensors")
    return folder


def random_network(sizes: HyperParameters, seed: int) -> Synthesizer:
    """Every parameter in play, and about ``FRAMES_PER_SYMBOL`` frames a symbol."""
    torch.manual_seed(seed)
    network = Synthesizer(sizes)
    with torch.no_grad():
        for coupling in network.flow.flows.values():
            nn.init.normal_(coupling.post.weight, std=0.02)
        for name in ("3", "5", "7"):
            nn.init.normal_(network.sdp.flows[name].proj.weight, std=0.01)
        # Frames are rounded up: half a frame more than the predictors say.
        wanted = math.log(FRAMES_PER_SYMBOL - 0.5)
        network.dp.proj.weight.mul_(0.05)
        network.dp.proj.bias.fill_(wanted)
        network.sdp.flows["0"].logs.fill_(1.0)
        network.sdp.flows["0"].m.fill_(-wanted * math.e)
    return network.requires_grad_(False).eval()


@torch.inference_mode()
def frames_per_symbol(network: Synthesizer, symbols: int = 200) -> float:
    """Mean over a sentence of random symbols, spoken with the default options."""
    draws = torch.Generator().manual_seed(0)

    def ids(size: int) -> Tensor:
        return torch.randint(0, size, (1, symbols), generator=draws)

    frames, _, _ = network.encode(
        ids(SYMBOLS),
        ids(TONES),
        ids(LANGUAGES),
        torch.tensor([symbols]),
        torch.randn(1, 1024, symbols, generator=draws),
        torch.randn(1, 256, generator=draws) * 0.3,
        torch.tensor([0]),
        torch.randn(1, 2, symbols, generator=draws),
        *(torch.tensor([value]) for value in (0.8, 0.2, 1.0)),
    )
    return float(frames.mean())


def _with_weight_norm(weights: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The decoder's convolutions as a direction and a length, which is how checkpoints hold them."""
    for name, tensor in weights.items():
        if name.startswith(("dec.ups.", "dec.resblocks.")) and name.endswith(".weight"):
            yield f"{name}_g", tensor.flatten(1).norm(dim=1)[:, None, None]
            yield f"{name}_v", tensor
        else:
            yield name, tensor


class _Durations(nn.Module):
    """The part of the network that a published ``duration_predictor.onnx`` holds."""

    def __init__(self, network: Synthesizer) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        x: Tensor,
        x_lengths: Tensor,
        sid: Tensor,
        tone: Tensor,
        language: Tensor,
        bert: Tensor,
        style_vec: Tensor,
        length_scale: Tensor,
        noise_scale_w: Tensor,
        sdp_ratio: Tensor,
    ) -> Tensor:
        noise = torch.randn_like(bert[:, :2])  # [1, 2, T]
        frames: Tensor = self.network.encode(
            x, tone, language, x_lengths, bert, style_vec, sid, noise, noise_scale_w, sdp_ratio, length_scale
        )[0]
        return frames


def write_duration_predictor(source: Path, path: Path) -> None:
    """The graph that a published voice may have beside its synthesizer, for pauses between sentences."""
    network = load_synthesizer(find_weights(source), HyperParameters.load(source / "config.json"))
    phones = 9
    ids = torch.ones(1, phones, dtype=torch.int64)
    inputs = {
        "x": ids,
        "x_lengths": torch.tensor([phones]),
        "sid": torch.zeros(1, dtype=torch.int64),
        "tone": ids,
        "language": ids,
        "bert": torch.zeros(1, 1024, phones),
        "style_vec": torch.zeros(1, 256),
        **{name: torch.tensor([value]) for name, value in (("length_scale", 1.0), ("noise_scale_w", 0.8))},
        "sdp_ratio": torch.tensor([0.2]),
    }
    axes = {name: {1: "phones"} for name in ("x", "tone", "language", "durations")} | {"bert": {2: "phones"}}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the tracer says of every shape that it is traced
        torch.onnx.export(
            _Durations(network).eval(),
            tuple(inputs.values()),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=list(inputs),
            output_names=["durations"],
            dynamic_axes=axes,
        )


def write_bert(folder: Path, size: Size, seed: int) -> None:
    """A random DeBERTa-v2 with the published model's dimensions, in transformers' layout."""
    from transformers import DebertaV2Config, DebertaV2ForMaskedLM

    torch.manual_seed(seed)
    config = DebertaV2Config(
        vocab_size=size.vocabulary,
        hidden_size=1024,
        num_hidden_layers=size.bert_layers,
        num_attention_heads=size.bert_heads,
        intermediate_size=size.bert_inner,
        max_position_embeddings=512,
        relative_attention=True,
        position_buckets=256,
        max_relative_positions=-1,
        pos_att_type=["p2c", "c2p"],
        share_att_key=True,
        norm_rel_ebd="layer_norm",
        conv_kernel_size=3,
        conv_act="gelu",
        layer_norm_eps=1e-7,
        type_vocab_size=0,
        position_biased_input=False,
    )
    model: Any = DebertaV2ForMaskedLM(config)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config.to_dict(), indent=1) + "\n", "utf-8")
    weights = {n: t.contiguous() for n, t in model.state_dict().items() if ".decoder." not in n}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def write_vocabulary(folder: Path, size: Size) -> None:
    """One token per character: kana and signs first, then kanji."""
    signs = [chr(code) for start, end in ((0x21, 0x7F), (0x3001, 0x3100)) for code in range(start, end)]
    kanji = map(chr, range(0x4E00, 0xA000))
    tokens = [*_SPECIALS, *signs, *kanji][: size.vocabulary]
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", "utf-8")
    described = {
        "tokenizer_class": "BertJapaneseTokenizer",
        "do_lower_case": False,
        "word_tokenizer_type": "basic",
        "subword_tokenizer_type": "character",
        **{f"{token[1:-1].lower()}_token": token for token in _SPECIALS},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(described, indent=1) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voices", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if not chosen.folder.exists():
        chosen.folder.parent.mkdir(parents=True, exist_ok=True)
        make_tree(chosen.folder, TINY if chosen.tiny else FULL, chosen.seed)


if __name__ == "__main__":
    main()
