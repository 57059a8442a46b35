"""AIVM and AIVMX: a voice in one file, with its description. Format 1.0 of the AIVM specification.

======================  ====================================  ============================================
                        ``.aivm``                             ``.aivmx``
======================  ====================================  ============================================
the network             safetensors                           an ONNX graph
metadata lie in         ``__metadata__`` of the header        ``metadata_props``
======================  ====================================  ============================================

Metadata are strings: ``aivm_manifest`` (JSON), ``aivm_hyper_parameters`` (JSON, a ``config.json``) and
``aivm_style_vectors`` (base64 of an ``.npy``). ``unpack`` makes of it the folder that the rest of the engine knows. The
network itself is not copied: the folder links to it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import numpy as np

from koebin.engine.errors import InvalidCheckpoint
from koebin.engine.limits import (
    AIVM_HEADER_BYTES,
    AIVM_MANIFEST_BYTES,
    AIVM_SPEAKERS,
    AIVM_STYLES,
    AIVM_TEXT_CHARS,
    STYLE_VECTORS_BYTES,
    VOICE_CONFIG_BYTES,
    VOICE_FILE_BYTES,
)
from koebin.engine.models.card import CARD, CardSpeaker, VoiceCard
from koebin.engine.models.jp_extra.configuration import array_from, parse_json
from koebin.engine.models.jp_extra.file_kinds import kind_of, refuse
from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.made_once import kept
from koebin.engine.models.jp_extra.onnx.session import sha256
from koebin.engine.models.jp_extra.voice_format import CONFIGURATION, STYLE_VECTORS, SYNTHESIZER

JP_EXTRA: Final = "Style-Bert-VITS2 (JP-Extra)"
WEIGHTS: Final = "voice.safetensors"
_MANIFEST_KEY: Final = "aivm_manifest"
_CONFIG_KEY: Final = "aivm_hyper_parameters"
_VECTORS_KEY: Final = "aivm_style_vectors"
_VERSIONS: Final = ("1.0",)
_UNPACK_VERSION: Final = 1
"""Raise it whenever the same file is unpacked in another way."""
_AGAIN: Final = "Download it again"

Form = Literal["aivm", "aivmx"]


@dataclass(frozen=True, slots=True)
class AivmMetadata:
    """What the file says besides its network.

    Attributes:
        config: ``config.json``, with one name at least for every row of the style vectors.
        style_vectors: an ``.npy`` file.
    """

    form: Form
    card: VoiceCard
    config: dict[str, Any]
    style_vectors: bytes


def read_aivm(path: Path) -> AivmMetadata:
    """The metadata of a file of either form, told by its content. The network is not read.

    Raises:
        InvalidCheckpoint: no AIVM file, one of another architecture, or one that breaks the format or a bound.
        BackendMissing: there is no such file.
    """
    kind = kind_of(path)
    if kind not in ("safetensors", "onnx"):
        raise refuse(path, kind)
    if path.stat().st_size > VOICE_FILE_BYTES:
        raise InvalidCheckpoint(f"the file has more than {VOICE_FILE_BYTES} bytes", str(path))
    form: Form = "aivm" if kind == "safetensors" else "aivmx"
    texts = _of_safetensors(path) if form == "aivm" else _of_onnx(path)
    if _MANIFEST_KEY not in texts:
        what = "a safetensors file without AIVM metadata" if form == "aivm" else "an ONNX file without AIVM metadata"
        hint = "Name the folder that holds it with its config.json and style_vectors.npy"
        raise InvalidCheckpoint(what, str(path), hint)
    manifest = _json(texts, _MANIFEST_KEY, AIVM_MANIFEST_BYTES, path)
    card = _card(manifest, path)
    if card.architecture != JP_EXTRA:
        raise InvalidCheckpoint(
            f"the voice's architecture is {card.architecture or 'not given'}",
            str(path),
            f"Koebin speaks with {JP_EXTRA}",
        )
    config = _json(texts, _CONFIG_KEY, VOICE_CONFIG_BYTES, path)
    vectors = _vectors(texts, path)
    rows = len(np.atleast_1d(array_from(vectors, str(path))))
    return AivmMetadata(form, card, _with_all_styles(config, rows, path), vectors)


def unpack(path: Path, cache: Path) -> Path:
    """A folder with the file's configuration, style vectors and card, and a link to its network.

    Args:
        path: absolute.
        cache: where the folder is kept, by the content of the file and its place.

    Raises:
        InvalidCheckpoint, BackendMissing: as ``read_aivm``; or the cache cannot be written.
    """
    metadata = read_aivm(path)
    digest = hashlib.sha256(f"aivm {_UNPACK_VERSION} {sha256(path)} {path}".encode()).hexdigest()

    def make(staging: Path) -> None:
        (staging / STYLE_VECTORS).write_bytes(metadata.style_vectors)
        (staging / CARD).write_text(metadata.card.to_json(), "utf-8")
        os.symlink(path, staging / (WEIGHTS if metadata.form == "aivm" else SYNTHESIZER))
        (staging / CONFIGURATION).write_text(json.dumps(metadata.config, ensure_ascii=False, indent=1) + "\n", "utf-8")

    return kept(cache, "unpacked", digest, CONFIGURATION, make)


def _of_safetensors(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > AIVM_HEADER_BYTES:
            raise InvalidCheckpoint(f"the file's header has {size} bytes", str(path), _AGAIN)
        header = parse_json(file.read(size), str(path))
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict):
        raise InvalidCheckpoint("the file's metadata are not names and texts", str(path), _AGAIN)
    return {key: value for key, value in metadata.items() if isinstance(value, str)}


def _of_onnx(path: Path) -> dict[str, str]:
    """``metadata_props`` of an ONNX file, found without reading its graph."""
    found: dict[str, str] = {}
    with path.open("rb") as file:
        for number, value in _fields(file, path.stat().st_size, path):
            if number != _METADATA_PROPS or not isinstance(value, bytes):
                continue
            entry = dict(_small_fields(value, path))
            try:
                found[entry.get(1, b"").decode()] = entry.get(2, b"").decode()
            except UnicodeDecodeError as error:
                raise InvalidCheckpoint("the file's metadata are not text", str(path), _AGAIN) from error
    return found


_METADATA_PROPS: Final = 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT: Final = 10


def _fields(file: BinaryIO, size: int, path: Path) -> Iterator[tuple[int, bytes | int]]:
    """Number and value of each field of a protobuf message; of texts only ``metadata_props`` are read."""
    left = AIVM_HEADER_BYTES
    while file.tell() < size:
        key = _varint(file, path)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            yield number, _varint(file, path)
        elif wire in (_FIXED32, _FIXED64):
            file.seek(4 if wire == _FIXED32 else 8, os.SEEK_CUR)
        elif wire == _BYTES:
            length = _varint(file, path)
            if length > size - file.tell():
                raise InvalidCheckpoint("the ONNX file ends too early", str(path), _AGAIN)
            if number != _METADATA_PROPS:
                file.seek(length, os.SEEK_CUR)
                continue
            left -= length
            if left < 0:
                raise InvalidCheckpoint(f"the file's metadata have more than {AIVM_HEADER_BYTES} bytes", str(path))
            yield number, file.read(length)
        else:
            raise InvalidCheckpoint("not a readable ONNX file", str(path), _AGAIN)


def _small_fields(data: bytes, path: Path) -> Iterator[tuple[int, bytes]]:
    """Fields of ``StringStringEntryProto``: texts alone."""
    position = 0
    while position < len(data):
        key, position = _varint_at(data, position, path)
        length, position = _varint_at(data, position, path)
        if key & 7 != _BYTES or length > len(data) - position:
            raise InvalidCheckpoint("the file's metadata cannot be read", str(path), _AGAIN)
        yield key >> 3, data[position : position + length]
        position += length


def _varint(file: BinaryIO, path: Path) -> int:
    value = 0
    for place in range(_LONGEST_VARINT):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << (7 * place)
        if not byte[0] & 0x80:
            return value
    raise InvalidCheckpoint("not a readable ONNX file", str(path), _AGAIN)


def _varint_at(data: bytes, position: int, path: Path) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(data[position : position + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return value, position + place + 1
    raise InvalidCheckpoint("the file's metadata cannot be read", str(path), _AGAIN)


def _json(texts: dict[str, str], key: str, limit: int, path: Path) -> dict[str, Any]:
    text = texts.get(key)
    if text is None:
        raise InvalidCheckpoint(f"the file has no {key}", str(path), "Write it again with AIVM Generator or aivmlib")
    if len(text) > limit:
        raise InvalidCheckpoint(f"the file's {key} has more than {limit} characters", str(path))
    value = parse_json(text.encode(), f"{path}: {key}")
    if not isinstance(value, dict):
        raise InvalidCheckpoint(f"the file's {key} is not a JSON object", str(path), _AGAIN)
    return value


def _vectors(texts: dict[str, str], path: Path) -> bytes:
    text = texts.get(_VECTORS_KEY)
    if not text:
        raise InvalidCheckpoint("the file has no style vectors", str(path), "Write it again with AIVM Generator")
    if len(text) > STYLE_VECTORS_BYTES * 4 // 3 + 4:
        raise InvalidCheckpoint(f"the style vectors have more than {STYLE_VECTORS_BYTES} bytes", str(path))
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidCheckpoint("the style vectors are not base64", str(path), _AGAIN) from error


def _with_all_styles(config: dict[str, Any], rows: int, path: Path) -> dict[str, Any]:
    """The configuration with a name for rows that the manifest leaves out; two speakers may name one differently."""
    data = config.get("data")
    if not isinstance(data, dict):
        HyperParameters.parse(config)
        raise InvalidCheckpoint("the configuration has no data section", str(path), _AGAIN)
    HyperParameters.parse(config)
    names = dict(data.get("style2id", {}))
    for row in set(range(rows)) - set(names.values()):
        names["Neutral" if row == 0 and "Neutral" not in names else f"{row}"] = row
    return {**config, "data": {**data, "style2id": names, "num_styles": rows}}


def _card(manifest: dict[str, Any], path: Path) -> VoiceCard:
    version = manifest.get("manifest_version")
    if version not in _VERSIONS:
        what = f"the file's manifest has the version {str(version)[:40]}"
        raise InvalidCheckpoint(what, str(path), f"Known are {', '.join(_VERSIONS)}")
    speakers = _items(manifest, "speakers", AIVM_SPEAKERS, path)
    creators = manifest.get("creators", [])
    return VoiceCard(
        name=_text(manifest, "name", path),
        description=_text(manifest, "description", path),
        creators=tuple(str(creator)[:255] for creator in (creators if isinstance(creators, list) else [])[:100]),
        licence=_text(manifest, "license", path),
        architecture=_text(manifest, "model_architecture", path),
        uuid=_text(manifest, "uuid", path),
        version=_text(manifest, "version", path),
        speakers=tuple(_speaker(speaker, path) for speaker in speakers),
    )


def _speaker(raw: dict[str, Any], path: Path) -> CardSpeaker:
    styles = _items(raw, "styles", AIVM_STYLES, path)
    return CardSpeaker(
        name=_text(raw, "name", path),
        row=_row(raw, path),
        uuid=_text(raw, "uuid", path),
        styles=tuple((_text(style, "name", path), _row(style, path)) for style in styles),
    )


def _items(raw: dict[str, Any], name: str, most: int, path: Path) -> list[dict[str, Any]]:
    value = raw.get(name, [])
    if not isinstance(value, list) or len(value) > most or not all(isinstance(item, dict) for item in value):
        raise InvalidCheckpoint(f"the manifest's {name} are not a list of at most {most} objects", str(path), _AGAIN)
    return value


def _text(raw: dict[str, Any], name: str, path: Path) -> str:
    value = raw.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > AIVM_TEXT_CHARS:
        what = f"the manifest's {name} is not a text of at most {AIVM_TEXT_CHARS} characters"
        raise InvalidCheckpoint(what, str(path))
    return value


def _row(raw: dict[str, Any], path: Path) -> int:
    value = raw.get("local_id")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1_000_000:
        raise InvalidCheckpoint("the manifest gives a speaker or a style no usable local_id", str(path), _AGAIN)
    return value
