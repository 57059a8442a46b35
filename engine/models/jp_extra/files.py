"""Files of a JP-Extra voice in a source, in both published layouts.

======================  ==========================================  =======================================
                        a tree for hayakoe                          a Style-Bert-VITS2 model
======================  ==========================================  =======================================
for ONNX Runtime        ``onnx/speakers/<name>``                    (after ``koebin export``: any folder)
for PyTorch             ``pytorch/speakers/<name>``                 ``<name>``, or the source itself
BERT                    ``onnx/bert/q8``, ``pytorch/bert/fp32``     from another source
its vocabulary          ``bert/tokenizer``                          from another source
======================  ==========================================  =======================================
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from koebin.engine.errors import BackendMissing, SourceNotFound
from koebin.engine.sources.base import Source

Backend = Literal["onnx", "torch"]

TOKENIZER: Final = "bert/tokenizer"
_BERTS: Final[dict[Backend, tuple[str, ...]]] = {
    "onnx": ("onnx/bert/q8", "onnx/bert/fp32"),
    "torch": ("pytorch/bert/fp32",),
}
_GRAPHS: Final = frozenset({"voice.json", "synthesizer.onnx", "synthesizer_q8.onnx"})


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


def fetch_voice(source: Source, fallback: Source, name: str, device: str) -> VoiceFiles:
    """Make everything local that a voice needs on a device.

    On CUDA the safetensors are taken. On a CPU the ONNX files are, and the safetensors only where there are no others
    and torch is installed.

    Args:
        source: has the voice, and perhaps BERT.
        fallback: has BERT where ``source`` has none.

    Raises:
        SourceNotFound: no such voice; lists what is there.
        BackendMissing: the voice's files need torch, which is not installed.
        SourceError, SourceUnavailable: it cannot be fetched.
    """
    prefix, backend = _find_voice(source, name, device)
    if backend == "torch" and importlib.util.find_spec("torch") is None:
        raise BackendMissing(
            "the voice has safetensors only, and torch is not installed",
            f"{source.uri}/{prefix}",
            "Install koebin[torch], or convert it with koebin export on a machine that has torch",
        )
    home = source if _has_bert(source, backend) else fallback
    return VoiceFiles(backend, source.fetch(prefix), _fetch_first(home, _BERTS[backend]), home.fetch(TOKENIZER))


def _find_voice(source: Source, name: str, device: str) -> tuple[str, Backend]:
    for prefix in _places(name, device):
        backend = _backend(_names(source, prefix), device)
        if backend is not None:
            return prefix, backend
    # What lies there under another name is told by the error of the fetch.
    source.fetch(_places(name, device)[0])
    raise SourceNotFound("the folder of that name holds no voice", f"{source.uri}/{name}")


def _places(name: str, device: str) -> tuple[str, ...]:
    onnx, torch = f"onnx/speakers/{name}", f"pytorch/speakers/{name}"
    return (torch, name, "") if device.startswith("cuda") else (onnx, torch, name, "")


def _backend(names: frozenset[str], device: str) -> Backend | None:
    """Back end that the files of a folder are for; None if they are not a voice for the device."""
    if "config.json" not in names and "voice.json" not in names:
        return None
    if not device.startswith("cuda") and names & _GRAPHS:
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
