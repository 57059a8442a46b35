"""Export of published safetensors to ONNX graphs for ONNX Runtime.

A folder made by ``export_voice`` holds::

    voice.json           what the graphs need to be told (``koebin.engine.models.jp_extra.voice_format``)
    config.json          as published
    style_vectors.npy    as published
    encoder.onnx         phones -> frames per phone, prior mean and log scale per phone
    flow_*.onnx          prior sample -> latent, in parts: see ``koebin.engine.models.jp_extra.onnx.rewrite.flow``
    decoder.onnx         latent -> audio, any window of it
    *.data               weights, which are mapped into memory and shared by processes; encoder's and flow's as
                         safetensors, as their graphs take them as inputs

Axes: B utterances, T phones with blanks, F frames, C = ``inter_channels``; B, T and F are dynamic. All floats are
float32, all integers int64.

===========  ==============================================================================================
encoder      inputs ``phone_ids`` [B, T], ``tone_ids`` [B, T], ``language_ids`` [B, T], ``lengths`` [B],
             ``bert`` [B, 1024, T], ``style`` [B, 256], ``speaker_id`` [B], ``sdp_noise`` [B, 2, T] (standard
             normal), ``noise_scale_w`` [B], ``sdp_ratio`` [B], ``length_scale`` [B]
             outputs ``durations`` [B, T] int64 frames (0 where padded), ``m`` [B, C, T], ``logs`` [B, C, T]
flow         from ``z_p`` [C, F] and the speaker to ``z`` [C, F], layer by layer
decoder      inputs ``z`` [B, C, F], ``speaker_id`` [B], ``trim`` [2]; output ``audio`` [B, S], of all frames but
             the first ``trim[0]`` and the last ``trim[1]``: S = (F - sum(trim)) * hop_length
             every item of a batch is F frames long: no mask, so that a CPU need not pay for one
===========  ==============================================================================================

Between the encoder and the flow the caller repeats column t of ``m`` and ``logs`` ``durations[t]`` times and samples
``z_p = m + prior_noise * exp(logs) * noise_scale``; at least one frame, even if all durations are 0.

The decoder may be given windows of ``z`` with ``receptive_field_frames`` (``voice.json``) more frames on each side
than are wanted, which ``trim`` tells; at the real beginning and end of an utterance nothing is added. Where z comes out
of a padded batch, the padding is cut off first.

``export_bert`` writes one graph, ``bert_q8.onnx`` or ``bert_fp32.onnx``, and ``vocab.txt`` beside it: inputs
``input_ids`` [B, S] and ``attention_mask`` [B, S], output ``hidden_states`` [B, S, 1024].

``voice.json``::

    {"format": "koebin-voice-5", "sample_rate_hz": 44100, "hop_length": 512, "channels": 192, "symbols": 112,
     "tones": 12, "languages": 3, "speakers": 1, "styles": {"Neutral": 0}, "style_dimension": 256,
     "bert_dimension": 1024, "add_blank": true, "receptive_field_frames": 9, "source_sha256": "...",
     "model_name": "...", "version": "2.7.0-JP-Extra", "files": {"decoder.data": "<sha256>", ...}}
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import onnx
import torch
from torch import Tensor, nn

from koebin.engine.errors import InvalidCheckpoint
from koebin.engine.models.card import CARD
from koebin.engine.models.jp_extra.aivm import unpack
from koebin.engine.models.jp_extra.file_kinds import kind_of, refuse
from koebin.engine.models.jp_extra.hyper_parameters import BERT_DIMENSION, STYLE_DIMENSION, HyperParameters
from koebin.engine.models.jp_extra.onnx.encoder import write_encoder
from koebin.engine.models.jp_extra.onnx.rewrite.decoder import decoder_for_cpu
from koebin.engine.models.jp_extra.onnx.rewrite.flow import flow_for_cpu, write_flow
from koebin.engine.models.jp_extra.onnx.session import simplify
from koebin.engine.models.jp_extra.styles import Styles
from koebin.engine.models.jp_extra.torch.bert import load_model
from koebin.engine.models.jp_extra.torch.checkpoint import checksum, find_weights, load_synthesizer
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer
from koebin.engine.models.jp_extra.voice_format import (
    CONFIGURATION,
    DECODER,
    DECODER_INPUTS,
    DECODER_OUTPUTS,
    DECODER_WEIGHTS,
    DESCRIPTION,
    ENCODER_INPUTS,
    ENCODER_OUTPUTS,
    FLOW_INPUTS,
    FLOW_OUTPUTS,
    STYLE_VECTORS,
    describe,
    write_description,
)

OPSET: Final = 17


def export_voice(source: Path, target_dir: Path) -> Path:
    """Write the graphs and all other files of the voice; returns the folder.

    The folder appears complete or not at all.

    Args:
        source: a folder with ``config.json``, ``style_vectors.npy`` and a safetensors file; that file itself; or an
            ``.aivm`` file.
        target_dir: must be empty or absent.

    Raises:
        InvalidCheckpoint: the source is not a JP-Extra voice, or the target is not empty.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source_dir, weights = _source(source, Path(scratch))
        sizes = HyperParameters.load(source_dir / CONFIGURATION)
        styles = Styles.load(source_dir / STYLE_VECTORS, sizes)
        network = load_synthesizer(weights or find_weights(source_dir), sizes)
        with _Staging(target_dir) as folder:
            _export_encoder(network, folder)
            _export_flow(network, folder)
            _export_decoder(network, folder / DECODER)
            for name in (CONFIGURATION, STYLE_VECTORS):
                shutil.copyfile(source_dir / name, folder / name)
            _write_description(folder, sizes, styles, checksum(weights or find_weights(source_dir)))
            if (source_dir / CARD).is_file():
                shutil.copyfile(source_dir / CARD, folder / CARD)
    return target_dir


def _source(source: Path, scratch: Path) -> tuple[Path, Path | None]:
    """The folder to export and, where one was named, its weights.

    Raises:
        InvalidCheckpoint: a file that holds no voice, or one that needs no export.
        BackendMissing: there is no such file or folder.
    """
    if source.is_dir():
        return source, None
    kind = kind_of(source)
    if kind == "onnx":
        hint = f"Use it as it is: --speakers NAME={source.resolve().as_uri()} (an .aivmx), or its folder"
        raise InvalidCheckpoint("the file is for ONNX Runtime already", str(source), hint)
    if kind != "safetensors":
        raise refuse(source, kind)
    if source.suffix.lower() != ".aivm" and (source.parent / CONFIGURATION).is_file():
        return source.parent, source
    return unpack(source.resolve(), scratch), None


def export_bert(source_dir: Path, target_dir: Path, quantize: bool = True) -> Path:
    """Write BERT as one graph; returns the folder.

    Args:
        source_dir: the published folder in transformers' layout; ``vocab.txt`` is taken along where it has one.
        target_dir: must be empty or absent.
        quantize: 8-bit weights and activations in the matrix products (``bert_q8.onnx``), a half of the memory;
            else ``bert_fp32.onnx``.

    Raises:
        BackendMissing, InvalidCheckpoint: as ``koebin.engine.models.jp_extra.torch.bert``.
    """
    with _Staging(target_dir) as folder:
        full = folder / "bert_fp32.onnx"
        _export_bert(load_model(source_dir), full)
        if quantize:
            _quantize(full, folder / "bert_q8.onnx")
            full.unlink()
        if (source_dir / "vocab.txt").is_file():
            shutil.copyfile(source_dir / "vocab.txt", folder / "vocab.txt")
    return target_dir


class _Step(nn.Module):
    """One method of the network as a module, as the exporter needs it."""

    def __init__(self, network: Synthesizer) -> None:
        super().__init__()
        self.network = network


class _Encode(_Step):
    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        frames, m, logs = self.network.encode(*inputs)
        return frames.long(), m, logs


class _Transform(_Step):
    def forward(self, z_p: Tensor, frame_lengths: Tensor, speaker_id: Tensor) -> Tensor:
        return self.network.transform(z_p, frame_lengths, speaker_id)


class _Decode(_Step):
    def forward(self, z: Tensor, speaker_id: Tensor) -> Tensor:
        return self.network.decode(z, None, speaker_id)


class _BertFeatures(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.model(input_ids, attention_mask).last_hidden_state  # type: ignore[no-any-return]


def _export_encoder(network: Synthesizer, folder: Path) -> None:
    path = folder / "encoder.traced"
    batch, phones = 2, 13
    ids = torch.ones(batch, phones, dtype=torch.int64)
    inputs = (
        ids,
        ids,
        ids,
        torch.tensor([phones, phones - 2]),
        torch.zeros(batch, BERT_DIMENSION, phones),
        torch.zeros(batch, STYLE_DIMENSION),
        torch.zeros(batch, dtype=torch.int64),
        torch.zeros(batch, 2, phones),
        torch.ones(batch),
        torch.ones(batch),
        torch.ones(batch),
    )
    axes = {
        name: {axis: size for axis, size in enumerate(shape) if isinstance(size, str)}
        for name, (_, shape) in ENCODER_INPUTS.items()
    }
    axes |= {name: {0: "batch", axis: "phones"} for name, axis in zip(ENCODER_OUTPUTS, (1, 2, 2), strict=True)}
    _export(_Encode(network), inputs, path, tuple(ENCODER_INPUTS), ENCODER_OUTPUTS, axes)
    write_encoder(onnx.load(str(path)), folder)
    path.unlink()


def _export_flow(network: Synthesizer, folder: Path) -> None:
    path = folder / "flow.traced"
    batch, frames = 2, 17
    inputs = (
        torch.zeros(batch, network.sizes.inter_channels, frames),
        torch.tensor([frames, frames - 3]),
        torch.zeros(batch, dtype=torch.int64),
    )
    axes = {"z_p": {0: "batch", 2: "frames"}, "z": {0: "batch", 2: "frames"}}
    axes |= {"frame_lengths": {0: "batch"}, "speaker_id": {0: "batch"}}
    _export(_Transform(network), inputs, path, FLOW_INPUTS, FLOW_OUTPUTS, axes)
    write_flow(flow_for_cpu(onnx.load(str(path))), network.sizes.n_speakers, folder)
    path.unlink()


def _export_decoder(network: Synthesizer, path: Path) -> None:
    traced = path.with_suffix(".traced")
    batch, frames = 2, 17
    inputs = (torch.zeros(batch, network.sizes.inter_channels, frames), torch.zeros(batch, dtype=torch.int64))
    axes = {"z": {0: "batch", 2: "frames"}, "speaker_id": {0: "batch"}, "audio": {0: "batch", 1: "samples"}}
    _export(_Decode(network), inputs, traced, DECODER_INPUTS, DECODER_OUTPUTS, axes)
    onnx.save(decoder_for_cpu(onnx.load(str(traced))), str(traced))
    simplify(traced, path, weights=DECODER_WEIGHTS)
    traced.unlink()


def _export_bert(model: nn.Module, path: Path) -> None:
    inputs = (torch.ones(2, 7, dtype=torch.int64), torch.ones(2, 7, dtype=torch.int64))
    names = ("input_ids", "attention_mask", "hidden_states")
    axes = {name: {0: "batch", 1: "tokens"} for name in names}
    _export(_BertFeatures(model), inputs, path, names[:2], names[2:], axes)


def _export(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    path: Path,
    input_names: Sequence[str],
    output_names: Sequence[str],
    axes: dict[str, dict[int, str]],
) -> None:
    with warnings.catch_warnings(), torch.inference_mode():
        # The tracer is deprecated and warns about every traced shape; the newer exporter needs onnxscript.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            inputs,
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_axes=axes,
        )
    onnx.checker.check_model(str(path))


def _quantize(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(source), str(target), weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])


def _write_description(folder: Path, sizes: HyperParameters, styles: Styles, source_sha256: str) -> None:
    files = sorted(path for path in folder.iterdir() if path.name != DESCRIPTION)
    description = describe(sizes, styles, sizes.n_speakers, source_sha256)
    write_description(folder, description | {"files": {path.name: checksum(path) for path in files}})


class _Staging:
    """Folder beside the target that replaces it when everything is written."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __enter__(self) -> Path:
        if self.target.exists() and (not self.target.is_dir() or any(self.target.iterdir())):
            raise InvalidCheckpoint("the target is not an empty folder", str(self.target), "Choose a new folder")
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f".{self.target.name}-", dir=self.target.parent))
        return self.folder

    def __exit__(self, failed: object, *_: object) -> None:
        if failed:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        self.folder.chmod(0o755)
        self.folder.replace(self.target)
