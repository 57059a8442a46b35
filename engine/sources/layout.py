"""Which files a voice and the BERT model consist of, and where they lie in a source.

```
onnx/speakers/<name>/       config.json, style_vectors.npy, *.onnx          a tree as hayakoe publishes it
pytorch/speakers/<name>/    config.json, style_vectors.npy, *.safetensors
onnx/bert/<precision>/      *.onnx
pytorch/bert/fp32/          config.json, *.safetensors
bert/tokenizer/             vocab.txt or tokenizer.json
<name>/                     config.json, style_vectors.npy, *.safetensors   a folder of models of Style-Bert-VITS2
(the root itself)           the same for one model
```
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from engine.errors import BackendMissing, SourceCorrupt, SourceNotFound
from engine.names import check_speaker, nearest
from engine.sources.base import Source
from engine.sources.versions import LOCK

Backend = Literal["onnx", "torch"]

_TREES: Final[dict[Backend, str]] = {"onnx": "onnx", "torch": "pytorch"}
_STEP: Final = re.compile(r"_e([0-9]+)_s([0-9]+)$")


@dataclass(frozen=True, slots=True)
class VoiceFiles:
    """The files of a voice on this machine.

    Attributes:
        name: of the speaker.
        source: URI without credentials.
        prefix: where in the source it lies.
        revision: a commit, or a hash of the files.
        folder: holds all of them.
        config: config.json.
        style_vectors: style_vectors.npy.
        weights: the safetensors file; None for the ONNX back end.
        graphs: every ``*.onnx``, by name without the suffix; {} for the torch back end.
    """

    name: str
    source: str
    prefix: str
    revision: str
    folder: Path
    config: Path
    style_vectors: Path
    weights: Path | None
    graphs: dict[str, Path]


@dataclass(frozen=True, slots=True)
class BertFiles:
    """The BERT model on this machine.

    Attributes:
        source: URI without credentials.
        revision: of the model; a commit, or a hash of the files.
        model: the ONNX graph, or the folder with config.json and safetensors.
        tokenizer: the folder of the tokenizer.
    """

    source: str
    revision: str
    model: Path
    tokenizer: Path


def fetch_voice(source: Source, name: str, backend: Backend, *, refresh: bool = False) -> VoiceFiles:
    """Fetch what the back end needs of a voice, and nothing else.

    Raises:
        InvalidName: not a speaker's name.
        SourceNotFound: the source has no such voice; names those it has.
        BackendMissing: it has, but not for this back end.
        SourceCorrupt: the voice lacks a file.
        SourceDenied, SourceUnavailable, SourceError
    """
    prefix = _find(source, check_speaker(name), backend, refresh)
    folder = source.fetch(prefix, refresh=refresh)
    where = f"{source.uri}/{prefix}"
    graphs = {path.stem: path for path in sorted(folder.glob("*.onnx"))} if backend == "onnx" else {}
    weights = choose_weights(folder, where) if backend == "torch" else None
    if backend == "onnx" and not graphs:
        raise _only_weights(name, where)
    return VoiceFiles(
        name=name,
        source=source.uri,
        prefix=prefix,
        revision=source.revision(prefix),
        folder=folder,
        config=_need(folder / "config.json", where),
        style_vectors=_need(folder / "style_vectors.npy", where),
        weights=weights,
        graphs=graphs,
    )


def fetch_bert(source: Source, backend: Backend, *, precision: str = "", refresh: bool = False) -> BertFiles:
    """Fetch the BERT model and its tokenizer.

    Args:
        source: a tree as hayakoe publishes it.
        backend: which of its models.
        precision: "q8" (of ONNX by default) or "fp32" (of torch by default).
        refresh: ask again.

    Raises:
        SourceNotFound, SourceCorrupt, SourceDenied, SourceUnavailable, SourceError
    """
    prefix = f"{_TREES[backend]}/bert/{precision or {'onnx': 'q8', 'torch': 'fp32'}[backend]}"
    folder = source.fetch(prefix, refresh=refresh)
    tokenizer = source.fetch("bert/tokenizer", refresh=refresh)
    where = f"{source.uri}/{prefix}"
    if not any((tokenizer / name).is_file() for name in ("vocab.txt", "tokenizer.json")):
        raise SourceCorrupt("the tokenizer has no vocabulary", f"{source.uri}/bert/tokenizer", "Publish it again")
    if backend == "torch":
        _need(folder / "config.json", where)
        if not any(folder.glob("*.safetensors")):
            raise SourceCorrupt("the BERT model has no safetensors weights", where, "Convert them: pickles are refused")
        return BertFiles(source.uri, source.revision(prefix), folder, tokenizer)
    graphs = sorted(folder.glob("*.onnx"))
    if len(graphs) != 1:
        raise SourceCorrupt(f"the BERT model has {len(graphs)} ONNX graphs instead of one", where, "Publish it again")
    return BertFiles(source.uri, source.revision(prefix), graphs[0], tokenizer)


def voice_prefixes(name: str, backend: Backend) -> list[str]:
    """Where a voice may lie in a source, the best place first."""
    return [f"{_TREES[backend]}/speakers/{name}", name, ""]


def voices(source: Source) -> list[str]:
    """Names of the voices of a source, sorted; [] where the root itself is one."""
    published = {name for tree in _TREES.values() for name in source.children(f"{tree}/speakers")}
    return sorted(published or {name for name in source.children("") if _is_voice(source, name)})


def choose_weights(folder: Path, where: str) -> Path:
    """The safetensors file of a voice; of several snapshots of a training the one with the most steps.

    Raises:
        SourceCorrupt: there is none, or nothing tells which of several is meant.
    """
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        raise SourceCorrupt("the voice has no safetensors weights", where, "Convert them: pickles are refused")
    if len(found) == 1:
        return found[0]
    steps = {(int(step[2]), int(step[1])): path for path in found if (step := _STEP.search(path.stem))}
    if len(steps) != len(found):
        names = ", ".join(path.name for path in found)
        raise SourceCorrupt(f"the voice has several weights ({names})", where, "Leave only the one to be used")
    return steps[max(steps)]


def _find(source: Source, name: str, backend: Backend, refresh: bool) -> str:
    prefixes = voice_prefixes(name, backend)
    if not refresh:
        for prefix in prefixes:
            folder = source.cached(prefix)
            if folder is not None and (folder / "config.json").is_file():
                return prefix
    for prefix in prefixes:
        if _is_voice(source, prefix):
            return prefix
    other: Backend = "torch" if backend == "onnx" else "onnx"
    elsewhere = voice_prefixes(name, other)[0]
    if _is_voice(source, elsewhere):
        raise (
            _only_weights(name, f"{source.uri}/{elsewhere}")
            if backend == "onnx"
            else BackendMissing(
                "the voice has no weights for torch", f"{source.uri}/{elsewhere}", "Use a CPU, or another source"
            )
        )
    known = voices(source)
    close = nearest(name, known)
    listed = ", ".join([*close, *(voice for voice in known if voice not in close)][:20])
    raise SourceNotFound(
        "the source has no such voice", f"{name} in {source.uri}", f"It has: {listed}" if known else "It has no voices"
    )


def _is_voice(source: Source, prefix: str) -> bool:
    return bool({"config.json", LOCK} & set(source.children(prefix)))


def _only_weights(name: str, where: str) -> BackendMissing:
    return BackendMissing(
        "the voice has safetensors weights only, and this back end runs ONNX", where, f"Run: koebin export {name}"
    )


def _need(path: Path, where: str) -> Path:
    if not path.is_file():
        raise SourceCorrupt(f"the voice has no {path.name}", where, "Publish it again")
    return path
