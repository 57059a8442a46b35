"""The format of a voice's folder for ONNX Runtime: file names, names of graph inputs and outputs, and ``voice.json``.

The one owner of these facts; ``koebin.engine.models.jp_extra.export`` describes the folder in words.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

from koebin.engine.errors import InvalidCheckpoint
from koebin.engine.models.jp_extra.configuration import read_json
from koebin.engine.models.jp_extra.hyper_parameters import (
    BERT_DIMENSION,
    LANGUAGES,
    STYLE_DIMENSION,
    SYMBOLS,
    TONES,
    HyperParameters,
)
from koebin.engine.models.jp_extra.receptive_field import receptive_field_frames
from koebin.engine.models.jp_extra.styles import Styles

VOICE_FORMAT: Final = "koebin-voice-5"
DESCRIPTION: Final = "voice.json"
CONFIGURATION: Final = "config.json"
STYLE_VECTORS: Final = "style_vectors.npy"
SYNTHESIZER: Final = "synthesizer.onnx"
"""The graph of a voice as it is published for hayakoe."""
QUANTIZED_SYNTHESIZER: Final = "synthesizer_q8.onnx"
ENCODER: Final = "encoder.onnx"
ENCODER_WEIGHTS: Final = "encoder.data"
DECODER: Final = "decoder.onnx"
DECODER_WEIGHTS: Final = "decoder.data"
FLOW_WEIGHTS: Final = "flow.data"
FLOW_FILES: Final = (FLOW_WEIGHTS, "flow_layer.onnx", "flow_start.onnx")
FILES: Final = (CONFIGURATION, DECODER_WEIGHTS, DECODER, ENCODER_WEIGHTS, ENCODER, *FLOW_FILES, STYLE_VECTORS)
"""Every file of the folder but ``voice.json``, which holds their checksums."""

Kind = Literal["int64", "float32"]
Axes = tuple[int | str, ...]

ENCODER_INPUTS: Final[dict[str, tuple[Kind, Axes]]] = {
    "phone_ids": ("int64", ("batch", "phones")),
    "tone_ids": ("int64", ("batch", "phones")),
    "language_ids": ("int64", ("batch", "phones")),
    "lengths": ("int64", ("batch",)),
    "bert": ("float32", ("batch", BERT_DIMENSION, "phones")),
    "style": ("float32", ("batch", STYLE_DIMENSION)),
    "speaker_id": ("int64", ("batch",)),
    "sdp_noise": ("float32", ("batch", 2, "phones")),
    "noise_scale_w": ("float32", ("batch",)),
    "sdp_ratio": ("float32", ("batch",)),
    "length_scale": ("float32", ("batch",)),
}
"""Type and axes of what the encoder's graph is given, weights not counted, in the order of its exporter."""
ENCODER_OUTPUTS: Final = ("durations", "m", "logs")
FLOW_INPUTS: Final = ("z_p", "frame_lengths", "speaker_id")
"""Of the flow as it is traced, before it is taken apart."""
FLOW_OUTPUTS: Final = ("z",)
DECODER_INPUTS: Final = ("z", "speaker_id")
"""Of the decoder as it is traced; the kept one has ``TRIM`` besides."""
DECODER_OUTPUTS: Final = ("audio",)
TRIM: Final = "trim"
HALFWAY: Final = "halfway"
"""Between the halves of a decoder in mixed precision."""
WIDE_HALF: Final = "wide.onnx"
NARROW_HALF: Final = "narrow.onnx"

HAYAKOE_NAMES: Final = {
    "x": "phone_ids",
    "tone": "tone_ids",
    "language": "language_ids",
    "x_lengths": "lengths",
    "bert": "bert",
    "style_vec": "style",
    "sid": "speaker_id",
    "noise_scale_w": "noise_scale_w",
    "sdp_ratio": "sdp_ratio",
    "length_scale": "length_scale",
}
"""Inputs of a synthesizer as it is published for hayakoe, and what they are called here."""
STYLE_BERT_VITS2_NAMES: Final = HAYAKOE_NAMES | {
    "x_tst": "phone_ids",
    "x_tst_lengths": "lengths",
    "tones": "tone_ids",
}
"""Style-Bert-VITS2's own exporter, and AIVMX files made with it, have three other names."""
PUBLISHED_NOISE_SCALE: Final = "noise_scale"
PUBLISHED_SPEAKER: Final = "sid"


def published_inputs(names: frozenset[str]) -> dict[str, str]:
    """Our names of a published synthesizer's inputs, by its own.

    Args:
        names: the graph's inputs.

    Raises:
        InvalidCheckpoint: they are those of no JP-Extra synthesizer; names what is missing.
    """
    ours = {own: name for own, name in STYLE_BERT_VITS2_NAMES.items() if own in names}
    missing = sorted({*HAYAKOE_NAMES.values()} - {*ours.values()})
    if missing or len(ours) != len(HAYAKOE_NAMES) or PUBLISHED_NOISE_SCALE not in names:
        wanted = [own for own, name in HAYAKOE_NAMES.items() if name in missing]
        raise InvalidCheckpoint(
            "not a JP-Extra synthesizer: it lacks inputs",
            ", ".join(wanted or [PUBLISHED_NOISE_SCALE]),
            "Fetch a voice whose architecture is Style-Bert-VITS2 (JP-Extra)",
        )
    return ours


def describe(sizes: HyperParameters, styles: Styles, speakers: int, source_sha256: str) -> dict[str, Any]:
    """``voice.json`` but for the checksums of the files.

    Args:
        speakers: rows of the speaker embedding.
        source_sha256: of what the graphs are made of.
    """
    return {
        "format": VOICE_FORMAT,
        "model_name": sizes.model_name,
        "version": sizes.version,
        "sample_rate_hz": sizes.sampling_rate,
        "hop_length": sizes.hop_length,
        "channels": sizes.inter_channels,
        "symbols": SYMBOLS,
        "tones": TONES,
        "languages": LANGUAGES,
        "speakers": speakers,
        "styles": styles.rows,
        "style_dimension": STYLE_DIMENSION,
        "bert_dimension": BERT_DIMENSION,
        "add_blank": sizes.add_blank,
        "receptive_field_frames": receptive_field_frames(sizes),
        "source_sha256": source_sha256,
    }


def write_description(folder: Path, description: dict[str, Any]) -> None:
    """Write ``voice.json``."""
    (folder / DESCRIPTION).write_text(json.dumps(description, ensure_ascii=False, indent=1) + "\n", "utf-8")


def read_description(folder: Path) -> dict[str, Any]:
    """``voice.json`` of a folder.

    Raises:
        InvalidCheckpoint: there is none, or it is of another format.
    """
    path = folder / DESCRIPTION
    try:
        description = read_json(path)
    except FileNotFoundError as error:
        raise InvalidCheckpoint(
            "not a folder of an exported voice: it has no voice.json", str(folder), "Run koebin export"
        ) from error
    except InvalidCheckpoint as error:
        raise InvalidCheckpoint(
            f"voice.json cannot be read ({error.what})", str(path), "Export the voice again"
        ) from error
    if not isinstance(description, dict) or description.get("format") != VOICE_FORMAT:
        raise InvalidCheckpoint("voice.json has an unsupported format", str(path), "Export the voice again")
    return description


def positive(description: dict[str, Any], name: str) -> int:
    """A whole number of ``voice.json`` that is 1 or more.

    Raises:
        InvalidCheckpoint: it is something else.
    """
    value = description.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidCheckpoint(f"voice.json gives no usable {name}", str(value), "Export the voice again")
    return value
