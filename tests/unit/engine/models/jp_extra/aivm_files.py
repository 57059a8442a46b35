"""AIVM files of a plain voice, written by the format's own library."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from aivmlib import generate_aivm_metadata, write_aivm_metadata, write_aivmx_metadata
from aivmlib.schemas.aivm_manifest import AivmManifest, ModelArchitecture

LICENCE = "# ACML 1.0\n\n商用利用できます。"
CREATORS = ["声の人 <voice@example.com>", "学習した人"]


def write_file(source: Path, network: Path, target: Path, **changes: Any) -> Path:
    """An ``.aivm`` or ``.aivmx`` file, told by the suffix of ``target``.

    Args:
        source: has ``config.json`` and ``style_vectors.npy``.
        network: safetensors or ONNX.
        changes: fields of the manifest.
    """
    metadata = generate_aivm_metadata(
        ModelArchitecture.StyleBertVITS2JPExtra,
        io.BytesIO((source / "config.json").read_bytes()),
        io.BytesIO((source / "style_vectors.npy").read_bytes()),
    )
    fields: dict[str, Any] = {"name": "声の名前", "creators": CREATORS, "license": LICENCE, "version": "1.2.0"}
    metadata.manifest = AivmManifest.model_validate(metadata.manifest.model_dump() | fields | changes)
    write = write_aivm_metadata if target.suffix == ".aivm" else write_aivmx_metadata
    target.write_bytes(write(io.BytesIO(network.read_bytes()), metadata))
    return target
