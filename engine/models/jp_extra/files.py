"""Files of a JP-Extra voice in a source, in both published layouts.

======================  ==========================================  =======================================
                        a tree for hayakoe                          a Style-Bert-VITS2 model
======================  ==========================================  =======================================
for ONNX Runtime        ``onnx/speakers/<name>``                    (after ``koebin export``: any folder)
for PyTorch             ``pytorch/speakers/<name>``                 ``<name>``, or the source itself
BERT                    ``onnx/bert/q8``, ``pytorch/bert/fp32``     from another source
its vocabulary          ``bert/tokenizer``                          from another source
======================  ==========================================  =======================================

A voice may also be one file, ``.aivm`` (for PyTorch) or ``.aivmx`` (for ONNX Runtime); its BERT is from another source.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from koebin.engine.errors import BackendMissing, InvalidCheckpoint, SourceNotFound
from koebin.engine.models.jp_extra.aivm import unpack
from koebin.engine.models.jp_extra.configuration import LFS_POINTER, refuse_pointer
from koebin.engine.models.jp_extra.onnx.published import synthesizer_among, synthesizer_of
from koebin.engine.models.jp_extra.pickles import refuse_pickle
from koebin.engine.models.jp_extra.voice_format import CONFIGURATION, DESCRIPTION, STYLE_VECTORS, SYNTHESIZER
from koebin.engine.sources.base import PICKLES, SingleFile, Source
from koebin.engine.sources.uri import FILE_SUFFIXES

Backend = Literal["onnx", "torch"]

TOKENIZER: Final = "bert/tokenizer"
_BERTS: Final[dict[Backend, tuple[str, ...]]] = {
    "onnx": ("onnx/bert/q8", "onnx/bert/fp32"),
    "torch": ("pytorch/bert/fp32",),
}


@dataclass(frozen=True, slots=True)
class VoiceFiles:
    """Folders on this machine.

    Attributes:
        backend: of the voice's weights.
        voice: configuration, style vectors and weights.
        bert: the language model's weights for the same back end.
        tokenizer: its vocabulary.
    """

    backend: Backend
    voice: Path
    bert: Path
    tokenizer: Path


def fetch_voice(
    source: Source | SingleFile, fallback: Source, name: str, device: str, cache: Path | None = None
) -> VoiceFiles:
    """Make everything local that a voice needs on a device.

    On CUDA the safetensors are taken. On a CPU the ONNX files are, and the safetensors only where there are no others
    and torch is installed.

    Args:
        source: has the voice, and perhaps BERT; or is the voice, an ``.aivm`` or ``.aivmx`` file.
        fallback: has BERT where ``source`` has none.
        cache: where a file is unpacked.

    Raises:
        SourceNotFound: no such voice; lists what is there.
        BackendMissing: the voice's files need torch, which is not installed, or another device.
        InvalidCheckpoint: what lies there is no voice; says what it is.
        SourceError, SourceUnavailable: it cannot be fetched.
    """
    if isinstance(source, SingleFile):
        voice, backend = _unpacked(source.fetch_file(), device, cache)
        home, where = fallback, source.uri
    else:
        found = _find_voice(source, name, device)
        backend, where = found.backend, f"{source.uri}/{found.prefix}"
        _require_torch(backend, where)
        home = source if _has_bert(source, backend) else fallback
        voice = source.fetch(found.prefix)
        if found.file:
            voice, backend = _unpacked((voice / found.file).absolute(), device, cache)
        _refuse_pointers(voice)  # before BERT is fetched: it is the voice that is wrong
    _require_torch(backend, where)
    return VoiceFiles(backend, voice, _fetch_first(home, _BERTS[backend]), home.fetch(TOKENIZER))


def _refuse_pointers(folder: Path) -> None:
    """Raises: InvalidCheckpoint: a file is a Git LFS pointer."""
    for path in sorted(folder.glob("*.*")):
        if path.is_file():
            with path.open("rb") as file:
                refuse_pointer(file.read(len(LFS_POINTER)), path)


def _require_torch(backend: Backend, where: str) -> None:
    if backend == "torch" and importlib.util.find_spec("torch") is None:
        raise BackendMissing(
            "the voice has safetensors only, and torch is not installed",
            where,
            "Install koebin[torch], use the voice's .aivmx or ONNX files, or convert it with koebin export",
        )


def _unpacked(path: Path, device: str, cache: Path | None) -> tuple[Path, Backend]:
    """Folder of the voice in a file, and what it is for."""
    if cache is None:
        raise InvalidCheckpoint("a voice in one file needs a cache", str(path))
    folder = unpack(path, cache)
    backend: Backend = "onnx" if synthesizer_of(folder) else "torch"
    if backend == "onnx" and device.startswith("cuda"):
        raise BackendMissing(
            "an .aivmx file is for ONNX Runtime on a CPU", str(path), "Use the voice's .aivm file, or the device cpu"
        )
    return folder, backend


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a voice lies in a source; ``file`` is its name where it is one file, else ""."""

    prefix: str
    backend: Backend
    file: str = ""


def _find_voice(source: Source, name: str, device: str) -> _Found:
    for prefix in _places(name, device):
        names = _names(source, prefix)
        backend = _backend(names, device)
        if backend is not None:
            return _Found(prefix, backend)
        file = _file_among(names, name, device)
        if file:
            return _Found(prefix, "onnx" if file.lower().endswith(".aivmx") else "torch", file)
        _refuse_wrong(names, f"{source.uri}/{prefix}".rstrip("/"), device)
    # What lies there under another name is told by the error of the fetch.
    source.fetch(_places(name, device)[0])
    raise SourceNotFound("the folder of that name holds no voice", f"{source.uri}/{name}")


def _file_among(names: frozenset[str], name: str, device: str) -> str:
    """The AIVM file of a folder that is meant: the only one of its kind, or the one with the speaker's name."""
    for suffix in (".aivm",) if device.startswith("cuda") else (".aivmx", ".aivm"):
        files = [file for file in names if file.lower().endswith(suffix)]
        named = [file for file in files if Path(file).stem == name]
        if len(files) == 1 or len(named) == 1:
            return (named or files)[0]
    return ""


def _refuse_wrong(names: frozenset[str], where: str, device: str) -> None:
    """Say of a folder that nearly is a voice's what it lacks.

    Raises:
        InvalidCheckpoint: it is one.
    """
    suffixes = {Path(name).suffix.lower() for name in names}
    files = sorted(name for name in names if Path(name).suffix.lower() in FILE_SUFFIXES)
    if files:
        what = f"the folder holds voices in files, and which one is meant is not clear ({', '.join(files)[:200]})"
        raise InvalidCheckpoint(what, where, "Call the speaker as the file is called, or give the file's own address")
    described = CONFIGURATION in names or DESCRIPTION in names
    if not described and (".safetensors" in suffixes or synthesizer_among(names)) and STYLE_VECTORS in names:
        raise InvalidCheckpoint(
            "the voice has no config.json", where, "Put the config.json of its training beside the weights"
        )
    if described and suffixes & PICKLES and ".safetensors" not in suffixes and ".onnx" not in suffixes:
        pickle = min(name for name in names if Path(name).suffix.lower() in PICKLES)
        raise refuse_pickle(pickle, where)
    graphs = sorted(name for name in names if name.endswith(".onnx"))
    if described and len(graphs) > 1 and not device.startswith("cuda") and DESCRIPTION not in names:
        what = f"the folder holds several graphs ({', '.join(graphs)[:200]}), none called {SYNTHESIZER}"
        raise InvalidCheckpoint(what, where, f"Leave one, or rename it to {SYNTHESIZER}")


def _places(name: str, device: str) -> tuple[str, ...]:
    onnx, torch = f"onnx/speakers/{name}", f"pytorch/speakers/{name}"
    return (torch, name, "") if device.startswith("cuda") else (onnx, torch, name, "")


def _backend(names: frozenset[str], device: str) -> Backend | None:
    """Back end that the files of a folder are for; None if they are not a voice for the device."""
    if CONFIGURATION not in names and DESCRIPTION not in names:
        return None
    if not device.startswith("cuda") and (DESCRIPTION in names or synthesizer_among(names)):
        return "onnx"
    return "torch" if any(name.endswith(".safetensors") for name in names) else None


def _names(source: Source, prefix: str) -> frozenset[str]:
    """Names under a prefix; the source is asked only if the cache does not know."""
    folder = source.cached(prefix)
    return frozenset(source.children(prefix) if folder is None else (path.name for path in folder.iterdir()))


def _has_bert(source: Source, backend: Backend) -> bool:
    return any(_names(source, prefix) for prefix in _BERTS[backend]) and bool(_names(source, TOKENIZER))


def _fetch_first(source: Source, prefixes: Iterable[str]) -> Path:
    """First prefix that the source has; if it has none, the first one's error is raised."""
    present = [prefix for prefix in prefixes if _names(source, prefix)]
    return source.fetch((present or list(prefixes))[0])
