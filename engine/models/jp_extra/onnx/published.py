"""Preparation of voices published for ONNX Runtime: seedable graphs, made once and cached.

A published folder holds ``synthesizer.onnx``, ``config.json`` and ``style_vectors.npy``, perhaps
``synthesizer.onnx.data`` and ``duration_predictor.onnx``. ``prepare`` cuts the synthesizer into seedable graphs
(``koebin.engine.models.jp_extra.onnx.rewrite.split``) once per machine. The duration predictor is not needed: it
repeats a part of the synthesizer.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from koebin.engine.errors import BackendMissing, InvalidCheckpoint
from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.onnx.session import sha256, simplify
from koebin.engine.models.jp_extra.styles import Styles
from koebin.engine.models.jp_extra.voice_format import (
    CONFIGURATION,
    DECODER,
    DECODER_WEIGHTS,
    DESCRIPTION,
    FILES,
    STYLE_VECTORS,
    describe,
    write_description,
)

if TYPE_CHECKING:
    from koebin.engine.models.jp_extra.onnx.rewrite.split import Parts

SYNTHESIZER: Final = "synthesizer.onnx"
_SOURCES: Final = (CONFIGURATION, STYLE_VECTORS, SYNTHESIZER)
_OPTIONAL_FILES: Final = ("synthesizer.onnx.data",)
_BERT_VERSION: Final = 1
_BERT_WEIGHTS: Final = "bert.data"
_BERT_CHECKSUM: Final = "published.sha256"
_SPLIT_VERSION: Final = 7
"""Version, raised whenever the same published file is divided in another way."""


def is_published(folder: Path) -> bool:
    """Whether the folder holds a voice in the form published for ONNX Runtime."""
    return (folder / SYNTHESIZER).is_file() and not (folder / DESCRIPTION).is_file()


def prepare(folder: Path, cache: Path) -> Path:
    """Voice in seedable graphs, made now if not cached.

    Args:
        folder: a published voice; it is not changed.
        cache: where the graphs are kept, by the content they were made of. Any number of processes may share it.

    Returns:
        A folder like those of ``koebin.engine.models.jp_extra.export``, complete; ``folder`` itself if it is one
        already.

    Raises:
        BackendMissing: a file is missing, the cache cannot be written, or the package ``onnx`` is not installed.
        InvalidCheckpoint: not a JP-Extra voice.
    """
    if not is_published(folder) and (folder / DESCRIPTION).is_file():
        return folder
    digest = _digest(folder)
    return _kept(cache, digest, DESCRIPTION, lambda staging: _make(folder, staging, digest))


def prepare_bert(graph: Path, cache: Path, checksum: str) -> Path:
    """The same graph with its weights in a file of their own, made now if not cached.

    Args:
        graph: BERT, as it is published.
        cache: as for ``prepare``.
        checksum: SHA-256 of the graph.

    Raises:
        BackendMissing: the cache cannot be written.
        InvalidCheckpoint: not a graph.
    """
    digest = hashlib.sha256(f"bert {_BERT_VERSION} {checksum}".encode()).hexdigest()

    def make(staging: Path) -> None:
        simplify(graph, staging / "bert.onnx", weights=_BERT_WEIGHTS)

    return _kept(cache, digest, "bert.onnx", make) / "bert.onnx"


def keep_bert(graph: Path, folder: Path) -> None:
    """Write the result of ``prepare_bert`` under the graph's own name, with the checksum of the published file.

    Whoever has such a folder needs neither the published graph nor a cache, and has the same revision.

    Args:
        graph: BERT, as it is published.
        folder: made here.
    """
    folder.mkdir(parents=True)
    simplify(graph, folder / graph.name, weights=_BERT_WEIGHTS)
    (folder / _BERT_CHECKSUM).write_text(sha256(graph) + "\n")


def published_checksum(graph: Path) -> str:
    """SHA-256 of the published graph from which ``keep_bert`` made this one; "" if this is the published one."""
    try:
        return graph.with_name(_BERT_CHECKSUM).read_text().strip()
    except FileNotFoundError:
        return ""


def _kept(cache: Path, digest: str, last: str, make: Callable[[Path], None]) -> Path:
    """Folder of that digest, made beside its place and renamed: it is complete or absent."""
    shelf = cache / "prepared"
    target = shelf / digest[:32]
    if (target / last).is_file():
        return target
    try:
        shelf.mkdir(parents=True, exist_ok=True)
        with _locked(shelf / f".{target.name}.lock"):
            if not (target / last).is_file():
                staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=shelf))
                try:
                    make(staging)
                    staging.chmod(0o755)
                    _sync(staging)
                    staging.replace(target)
                finally:
                    shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        hint = "Choose a writable cache folder, or prepare the voice there beforehand"
        raise BackendMissing(
            f"the prepared voice cannot be written to the cache ({error.strerror})", str(shelf), hint
        ) from error
    return target


def _make(folder: Path, staging: Path, digest: str) -> None:
    try:
        from koebin.engine.models.jp_extra.onnx.encoder import write_encoder
        from koebin.engine.models.jp_extra.onnx.rewrite.flow import write_flow
        from koebin.engine.models.jp_extra.onnx.rewrite.split import check_parts, read, split
    except ImportError as error:
        raise BackendMissing(f"{error.name} is not installed", "", "Install koebin[engine]") from error
    sizes = HyperParameters.load(folder / CONFIGURATION)
    styles = Styles.load(folder / STYLE_VECTORS, sizes)
    model = read(folder / SYNTHESIZER)
    parts = split(model)
    write_flow(parts.flow, parts.speakers, staging)
    write_encoder(parts.encoder, staging)
    whole = staging / "decoder.whole"
    whole.write_bytes(parts.decoder.SerializeToString())
    simplify(whole, staging / DECODER, weights=DECODER_WEIGHTS)
    whole.unlink()
    for name in (CONFIGURATION, STYLE_VECTORS):
        shutil.copyfile(folder / name, staging / name)
    description = _describe(staging, sizes, styles, parts, digest)
    write_description(staging, description)
    check_parts(model, staging)


def _describe(folder: Path, sizes: HyperParameters, styles: Styles, parts: Parts, digest: str) -> dict[str, Any]:
    if sizes.inter_channels != parts.channels:
        raise InvalidCheckpoint(
            f"config.json has {sizes.inter_channels} channels and the graph {parts.channels}", SYNTHESIZER
        )
    description = describe(sizes, styles, parts.speakers, digest)
    return description | {"files": {name: sha256(folder / name) for name in FILES}}


def _digest(folder: Path) -> str:
    """SHA-256 over everything that the graphs are made from."""
    digest = hashlib.sha256(f"split {_SPLIT_VERSION}".encode())
    for name in (*_SOURCES, *_OPTIONAL_FILES):
        if name in _SOURCES or (folder / name).is_file():
            digest.update(f"\n{name} {sha256(folder / name)}".encode())
    return digest.hexdigest()


def _sync(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Context of one process at a time; the lock ends with its process."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
