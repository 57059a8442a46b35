"""Preparation of voices published for ONNX Runtime: seedable graphs, made once and cached.

A published folder holds ``synthesizer.onnx``, ``config.json`` and ``style_vectors.npy``, perhaps
``synthesizer.onnx.data`` and ``duration_predictor.onnx``. ``prepare`` cuts the synthesizer into seedable graphs
(``koebin.engine.models.jp_extra.onnx.rewrite.split``) once per machine. The duration predictor is not needed: it
repeats a part of the synthesizer.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from koebin.engine.errors import BackendMissing, InvalidCheckpoint
from koebin.engine.models.card import CARD
from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.made_once import kept
from koebin.engine.models.jp_extra.onnx.session import sha256, simplify
from koebin.engine.models.jp_extra.styles import Styles
from koebin.engine.models.jp_extra.voice_format import (
    CONFIGURATION,
    DECODER,
    DECODER_WEIGHTS,
    DESCRIPTION,
    FILES,
    NARROW_HALF,
    QUANTIZED_SYNTHESIZER,
    STYLE_VECTORS,
    SYNTHESIZER,
    WIDE_HALF,
    describe,
    write_description,
)

if TYPE_CHECKING:
    from koebin.engine.models.jp_extra.onnx.rewrite.split import Parts

_SOURCES: Final = (CONFIGURATION, STYLE_VECTORS)
_BESIDE: Final = ("duration_predictor.onnx",)
"""Graphs that lie beside a synthesizer and are none."""
_SHELF: Final = "prepared"
_BERT_VERSION: Final = 1
_BERT_WEIGHTS: Final = "bert.data"
_BERT_CHECKSUM: Final = "published.sha256"
_HALVES_VERSION: Final = 1
_SPLIT_VERSION: Final = 7
"""Version, raised whenever the same published file is divided in another way."""


def is_published(folder: Path) -> bool:
    """Whether the folder holds a voice in the form published for ONNX Runtime."""
    return synthesizer_of(folder) is not None and not (folder / DESCRIPTION).is_file()


def synthesizer_of(folder: Path) -> Path | None:
    """The graph from text to audio; of Style-Bert-VITS2's own exporter it has the model's name."""
    name = synthesizer_among(path.name for path in folder.glob("*.onnx"))
    return folder / name if name else None


def synthesizer_among(names: Iterable[str]) -> str:
    """The same of the names in a folder; "" where there is none, or several that are no better than each other."""
    found = {name for name in names if name.endswith(".onnx")} - {*_BESIDE}
    for known in (SYNTHESIZER, QUANTIZED_SYNTHESIZER):
        if known in found:
            return known
    return found.pop() if len(found) == 1 else ""


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
    return kept(cache, _SHELF, digest, DESCRIPTION, lambda staging: _make(folder, staging, digest))


def prepare_halves(folder: Path, cache: Path) -> Path:
    """Decoder of a published voice in two graphs for ``MixedDecoder``, made now if not cached.

    Args:
        folder: a published voice.
        cache: as for ``prepare``.

    Raises:
        BackendMissing: as ``prepare``.
        InvalidCheckpoint: no published voice, or a decoder without such halves.
    """

    def make(staging: Path) -> None:
        from koebin.engine.models.jp_extra.onnx.rewrite.split import decoder_halves, read

        halves = decoder_halves(read(synthesizer_of(folder) or folder / SYNTHESIZER))
        for name, half in zip((WIDE_HALF, NARROW_HALF), halves, strict=True):
            (staging / name).write_bytes(half.SerializeToString())

    digest = hashlib.sha256(f"halves {_HALVES_VERSION} {_digest(folder)}".encode()).hexdigest()
    return kept(cache, _SHELF, digest, NARROW_HALF, make)


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

    return kept(cache, _SHELF, digest, "bert.onnx", make) / "bert.onnx"


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


def _make(folder: Path, staging: Path, digest: str) -> None:
    try:
        from koebin.engine.models.jp_extra.onnx.encoder import write_encoder
        from koebin.engine.models.jp_extra.onnx.rewrite.flow import write_flow
        from koebin.engine.models.jp_extra.onnx.rewrite.split import check_parts, read, split
    except ImportError as error:
        raise BackendMissing(f"{error.name} is not installed", "", "Install koebin[engine]") from error
    sizes = HyperParameters.load(folder / CONFIGURATION)
    styles = Styles.load(folder / STYLE_VECTORS, sizes)
    model = read(synthesizer_of(folder) or folder / SYNTHESIZER)
    parts = split(model)
    write_flow(parts.flow, parts.speakers, staging)
    write_encoder(parts.encoder, staging)
    whole = staging / "decoder.whole"
    whole.write_bytes(parts.decoder.SerializeToString())
    simplify(whole, staging / DECODER, weights=DECODER_WEIGHTS)
    whole.unlink()
    for name in (CONFIGURATION, STYLE_VECTORS):
        shutil.copyfile(folder / name, staging / name)
    if (folder / CARD).is_file():
        shutil.copyfile(folder / CARD, staging / CARD)
    description = _describe(staging, sizes, styles, parts, digest)
    write_description(staging, description)
    check_parts(model, staging)


def _describe(folder: Path, sizes: HyperParameters, styles: Styles, parts: Parts, digest: str) -> dict[str, Any]:
    if sizes.inter_channels != parts.channels:
        raise InvalidCheckpoint(
            f"config.json has {sizes.inter_channels} channels and the graph {parts.channels}", str(folder)
        )
    description = describe(sizes, styles, parts.speakers, digest)
    return description | {"files": {name: sha256(folder / name) for name in FILES}}


def _digest(folder: Path) -> str:
    """SHA-256 over everything that the graphs are made from."""
    digest = hashlib.sha256(f"split {_SPLIT_VERSION}".encode())
    graph = synthesizer_of(folder) or folder / SYNTHESIZER
    weights = graph.with_name(f"{graph.name}.data")
    optional = [path for path in (weights, folder / CARD) if path.is_file()]
    for path in (*(folder / name for name in _SOURCES), graph, *optional):
        digest.update(f"\n{path.name} {sha256(path)}".encode())
    return digest.hexdigest()
