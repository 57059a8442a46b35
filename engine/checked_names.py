"""Validation of names that become paths, queue names, keys and locks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final, Literal, cast, get_args

from koebin.engine.errors import InvalidName, InvalidOption

BUILTIN_SPEAKERS: Final = ("mei", "ken", "hina")
PUBLISHED_SPEAKERS: Final = (
    "jvnv-F1-jp",
    "jvnv-F2-jp",
    "jvnv-M1-jp",
    "jvnv-M2-jp",
    "tsukuyomi_chan",
    "amitaro_normal",
    "amitaro_runrun",
    "amitaro_yofukashi",
    "amitaro_punsuka",
    "amitaro_sasayaki_a",
    "amitaro_sasayaki_b",
)
"""Known speakers of the default source; other names can be fetched with an explicit source."""

DecoderMode = Literal["float32", "tf32", "float16", "bfloat16"]
"""Arithmetic of a JP-Extra voice's decoder: ``tf32`` and ``float16`` on CUDA, ``bfloat16`` on CPUs that have units for
it; elsewhere it is float32."""

NEUTRAL_NAMES: Final = ("Neutral", "ノーマル")

_SPEAKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DEVICE: Final = re.compile(r"cpu|cuda(:\d{1,3})?")


def check_speaker(name: object) -> str:
    """Return ``name`` if it is a valid speaker name: ``[A-Za-z0-9][A-Za-z0-9._-]{0,63}``.

    Raises:
        InvalidName: anything else, such as a path or a glob.
    """
    if not isinstance(name, str) or not _SPEAKER.fullmatch(name):
        raise InvalidName(
            "not a valid speaker name", str(name), "Use 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or a digit"
        )
    return name


def check_device(device: object) -> str:
    """Return ``device`` if it is ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InvalidOption: anything else.
    """
    if not isinstance(device, str) or not _DEVICE.fullmatch(device):
        raise InvalidOption("not a valid device", str(device), "Use cpu, cuda or cuda:N")
    return device


def check_decoder(mode: str, device: str = "cpu") -> DecoderMode:
    """Return ``mode`` if it is a ``DecoderMode``.

    Raises:
        InvalidOption: anything else, and bfloat16 on CUDA, where float16 has the same size and is more exact.
    """
    modes = get_args(DecoderMode)
    if mode not in modes:
        raise InvalidOption("not a valid mode of the decoder", str(mode), f"Use {', '.join(modes)}")
    if mode == "bfloat16" and device != "cpu":
        raise InvalidOption("a mode of the decoder for CPUs", mode, "Use float16 on CUDA")
    return cast("DecoderMode", mode)


def known_style(name: str, styles: Iterable[str]) -> str:
    """The style of a voice that is asked for by ``name``; "" if it has none of that name.

    AIVM files call the style Neutral ノーマル: either name asks for it, unless the voice has both.
    """
    known = tuple(styles)
    for candidate in (name, *(other for other in NEUTRAL_NAMES if name in NEUTRAL_NAMES)):
        if candidate in known:
            return candidate
    return ""


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """Known names that resemble ``name`` most, best first."""
    return difflib.get_close_matches(name, sorted(known), n=limit, cutoff=0.5)
