"""Hyperparameters of a JP-Extra voice from ``config.json``: only those that decide how it speaks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from koebin.engine.errors import InvalidCheckpoint
from koebin.engine.models.jp_extra.configuration import read_json

# Fixed by the architecture, whatever the configuration says.
SYMBOLS: Final = 112
TONES: Final = 12
LANGUAGES: Final = 3
BERT_DIMENSION: Final = 1024
STYLE_DIMENSION: Final = 256

_LARGEST: Final = 16384
"""Upper bound of a dimension, far above real voices; a damaged file must not exhaust memory."""

_LONGEST_SHOWN_BITS: Final = 256


@dataclass(frozen=True, slots=True)
class HyperParameters:
    """Dimensions of the network, and metadata of the voice.

    The names are those of the published file; the defaults are what a file that leaves them out means.

    Attributes:
        style2id: row of each style in ``style_vectors.npy``; empty where the file names no styles.
        num_styles: rows of ``style_vectors.npy``; 0 where the file does not say.
        n_speakers: rows of the speaker embedding.
        add_blank: a blank lies before, between and after the phones.
    """

    version: str
    model_name: str = "Dummy"
    sampling_rate: int = 44100
    add_blank: bool = True
    n_speakers: int = 1
    num_styles: int = 0
    style2id: tuple[tuple[str, int], ...] = ()
    inter_channels: int = 192
    hidden_channels: int = 192
    filter_channels: int = 768
    n_heads: int = 2
    n_layers: int = 6
    kernel_size: int = 3
    resblock_kernel_sizes: tuple[int, ...] = (3, 7, 11)
    resblock_dilation_sizes: tuple[tuple[int, ...], ...] = ((1, 3, 5),) * 3
    upsample_rates: tuple[int, ...] = (8, 8, 2, 2, 2)
    upsample_initial_channel: int = 512
    upsample_kernel_sizes: tuple[int, ...] = (16, 16, 8, 2, 2)
    gin_channels: int = 512

    @property
    def hop_length(self) -> int:
        """Samples per frame, as the decoder produces them; 512 in every published voice."""
        return math.prod(self.upsample_rates)

    @classmethod
    def load(cls, path: Path) -> HyperParameters:
        """Read ``config.json``.

        Raises:
            InvalidCheckpoint: not JSON, not a JP-Extra voice, or dimensions that no network can have.
        """
        try:
            config = read_json(path)
        except FileNotFoundError as error:
            raise InvalidCheckpoint(
                "the voice has no configuration", str(path), "Add its config.json beside the weights"
            ) from error
        return cls.parse(config)

    @classmethod
    def parse(cls, config: object) -> HyperParameters:
        """Hyperparameters from parsed JSON. Unknown keys are ignored, missing ones have their defaults."""
        root = _section(config, "the configuration")
        data = _section(root.get("data", {}), "data")
        model = _section(root.get("model", {}), "model")
        version = _supported_version(root.get("version", "2.0-JP-Extra"))
        _check_architecture(model)
        values: dict[str, Any] = {"version": version, "model_name": str(root.get("model_name", "Dummy"))}
        for name in ("sampling_rate", "n_speakers", "num_styles"):
            if name in data:
                values[name] = _integer(f"data.{name}", data[name], 1_000_000)
        if "add_blank" in data:
            values["add_blank"] = _flag("data.add_blank", data["add_blank"])
        values["style2id"] = _ids("data.style2id", data.get("style2id", {}))
        for name in _DIMENSIONS & model.keys():
            values[name] = _integer(f"model.{name}", model[name])
        for name in _LISTS & model.keys():
            values[name] = _integers(f"model.{name}", model[name])
        if "resblock_dilation_sizes" in model:
            rows = _list("model.resblock_dilation_sizes", model["resblock_dilation_sizes"])
            values["resblock_dilation_sizes"] = tuple(_integers("model.resblock_dilation_sizes", row) for row in rows)
        parsed = cls(**values)
        _check_dimensions(parsed)
        return parsed


_DIMENSIONS: Final = {
    "inter_channels",
    "hidden_channels",
    "filter_channels",
    "n_heads",
    "n_layers",
    "kernel_size",
    "upsample_initial_channel",
    "gin_channels",
}
_LISTS: Final = {"resblock_kernel_sizes", "upsample_rates", "upsample_kernel_sizes"}


def _supported_version(version: object) -> str:
    if not isinstance(version, str) or not version.endswith("JP-Extra"):
        raise InvalidCheckpoint(
            "not a JP-Extra voice",
            str(version),
            "Koebin speaks with voices whose config.json has a version that ends in JP-Extra",
        )
    return version


def _check_architecture(model: Mapping[str, Any]) -> None:
    if str(model.get("resblock", "1")) != "1":
        raise InvalidCheckpoint("this kind of residual block is not supported", str(model["resblock"]))
    if not model.get("use_spk_conditioned_encoder", True):
        raise InvalidCheckpoint("a voice without a speaker-conditioned encoder is not supported")


def _check_dimensions(sizes: HyperParameters) -> None:
    checks = (
        (sizes.hidden_channels % sizes.n_heads == 0, "hidden_channels is not a multiple of n_heads"),
        (sizes.inter_channels % 2 == 0, "inter_channels is odd"),
        (
            len(sizes.upsample_rates) == len(sizes.upsample_kernel_sizes),
            "upsample_rates and kernel sizes differ in number",
        ),
        (
            len(sizes.resblock_kernel_sizes) == len(sizes.resblock_dilation_sizes),
            "resblock_kernel_sizes and resblock_dilation_sizes differ in number",
        ),
        (
            all(
                kernel >= rate and (kernel - rate) % 2 == 0
                for rate, kernel in zip(sizes.upsample_rates, sizes.upsample_kernel_sizes, strict=False)
            ),
            "an upsampling kernel does not fit its rate",
        ),
        (
            sizes.upsample_initial_channel >= 2 ** len(sizes.upsample_rates),
            "upsample_initial_channel cannot be halved at every stage",
        ),
        (all(kernel % 2 for kernel in sizes.resblock_kernel_sizes), "a residual block has an even kernel"),
    )
    for holds, what in checks:
        if not holds:
            raise InvalidCheckpoint(f"the configuration contradicts itself: {what}")


def _section(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidCheckpoint(f"{name} is not a JSON object", _shown(value))
    return dict(value)


def _list(name: str, value: object) -> list[object]:
    if not isinstance(value, list) or not value:
        raise InvalidCheckpoint(f"{name} is not a list", _shown(value))
    return value


def _integer(name: str, value: object, largest: int = _LARGEST) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise InvalidCheckpoint(f"{name} is not a whole number from 1 to {largest}", _shown(value))
    return value


def _integers(name: str, value: object) -> tuple[int, ...]:
    return tuple(_integer(name, item) for item in _list(name, value))


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidCheckpoint(f"{name} is neither true nor false", _shown(value))
    return value


def _ids(name: str, value: object) -> tuple[tuple[str, int], ...]:
    """Names and rows in the order of the rows."""
    ids = _section(value, name)
    for row in ids.values():
        if isinstance(row, bool) or not isinstance(row, int) or row < 0:
            raise InvalidCheckpoint(f"{name} holds something that is not a row number", _shown(row))
    return tuple(sorted(ids.items(), key=lambda item: item[1]))


def _shown(value: object) -> str:
    """A wrong value for a message; numbers of thousands of digits are not written out."""
    return (
        f"a number of {value.bit_length()} bits"
        if isinstance(value, int) and value.bit_length() > 256
        else str(value)[:200]
    )
