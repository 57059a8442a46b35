"""Files of a voice, and about it, that are nested so deeply that a parser could die of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from koebin.engine.bake import check_baked
from koebin.engine.errors import InvalidCheckpoint, SourceCorrupt
from koebin.engine.models.jp_extra.onnx.mapped_weights import mapped
from koebin.engine.sources.manifest import Manifest
from koebin.engine.text.tokens import load_vocabulary

DEEP = b"[" * 100_000 + b"]" * 100_000
DIGITS = b'{"a": 1' + b"0" * 5000 + b"}"


def _vocabulary(folder: Path, content: bytes) -> object:
    (folder / "tokenizer.json").write_bytes(content)
    return load_vocabulary(folder)


def _weights(folder: Path, content: bytes) -> object:
    (folder / "flow.data").write_bytes(len(content).to_bytes(8, "little") + content)
    return mapped(folder / "flow.data")


def _manifest(folder: Path, content: bytes) -> object:
    return Manifest.from_json(content, str(folder))


def _lock(folder: Path, content: bytes) -> object:
    (folder / "koebin.lock.json").write_bytes(content)
    return check_baked(folder)


@pytest.mark.parametrize("content", [DEEP, DIGITS, b'{"a":' * 100_000])
@pytest.mark.parametrize("read", [_vocabulary, _weights, _manifest, _lock])
def test_each_reader_ends_with_an_error_of_ours(
    tmp_path: Path, read: Callable[[Path, bytes], object], content: bytes
) -> None:
    with pytest.raises((InvalidCheckpoint, SourceCorrupt)):
        read(tmp_path, content)
