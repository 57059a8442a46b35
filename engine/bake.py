"""Baking: a sealed folder with everything that a machine without a network needs to speak.

```
<root>/
    koebin.lock.json        speakers, revisions and checksums; it also seals the folder: nothing is fetched into it
    voices.toml             for KOEBIN_VOICES: each speaker with the address of its voice in here
    tree/                   the voices and their BERT, in the layout that hayakoe publishes
```
Voices that are to run on a CPU are kept as the graphs that the engine runs, made here if they are published in
another form. Addresses in ``voices.toml`` are absolute: the folder is to stay where it was made.
"""

from __future__ import annotations

import importlib.util
import json
import mmap
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np

from koebin.engine.errors import InferenceFailed, InvalidOption, SourceCorrupt, SourceError
from koebin.engine.models.card import VoiceCard, read_card
from koebin.engine.models.jp_extra.files import VoiceFiles, fetch_voice
from koebin.engine.models.jp_extra.onnx.bert import find_graph
from koebin.engine.models.jp_extra.onnx.published import is_published, keep_bert, prepare, published_checksum
from koebin.engine.models.jp_extra.onnx.session import sha256
from koebin.engine.models.registry import is_builtin
from koebin.engine.models.remote.address import is_remote, parse_remote
from koebin.engine.revision import engine_revision
from koebin.engine.sources.base import DEFAULT_SOURCE, SingleFile, Source, SourceOptions, is_wanted
from koebin.engine.sources.cache import SEAL
from koebin.engine.sources.manifest import checksum, content_revision, describe
from koebin.engine.sources.uri import open_source, parse
from koebin.engine.tts import TTS

VOICES: Final = "voices.toml"
TREE: Final = "tree"

_TOKENIZER: Final = "bert/tokenizer"
_ONNX_BERTS: Final = ("onnx/bert/q8", "onnx/bert/fp32")
_TEXT: Final = "準備ができました。"
_SHORTEST_SECRET: Final = 6


@dataclass(frozen=True, slots=True)
class BakedSpeaker:
    """Speaker in the lock file.

    Attributes:
        source: where the voice came from, without credentials; "builtin" for those that need no files.
        revision: a commit, or a hash of the files that were fetched; "" for a built-in voice.
        model_revision: of the loaded model; "" if it was not loaded because the device is absent.
        sample_rate_hz: of its audio; 0 if it was not loaded.
        styles: of the voice; () if it was not loaded.
        display_name, licence, creators: as the voice's maker gives them; the licence in full.
    """

    source: str
    revision: str
    model_revision: str = ""
    sample_rate_hz: int = 0
    styles: tuple[str, ...] = ()
    display_name: str = ""
    licence: str = ""
    creators: tuple[str, ...] = ()


def bake(
    speakers: Mapping[str, str | None],
    root: Path,
    sources: SourceOptions,
    *,
    bert_source: str = DEFAULT_SOURCE,
    device: str = "cpu",
) -> dict[str, Any]:
    """Fetch the speakers' voices, convert them for the device, speak with each, and seal the folder.

    ``root`` is replaced in one step, and only if everything went well.

    Args:
        speakers: names with the URIs of their voices; None as for ``TTS.load``.
        root: folder to create; absolute. It must be absent, empty, or created by ``bake`` before.
        sources: how the sources are reached; its cache keeps what is fetched, and may be thrown away afterwards.
        bert_source: has BERT for voices whose own source has none.
        device: of the voices. If this machine lacks it, they are not tested.

    Returns:
        The lock file: ``{"format", "koebin", "engine_revision", "device", "verified", "speakers", "files"}``.

    Raises:
        InvalidOption: no speakers, or a folder that holds something else.
        SourceError, SourceUnavailable, ModelError: a voice cannot be had, or cannot speak.
    """
    _check_root(root, speakers)
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{root.name}.", dir=root.parent) as folder:
        new = Path(folder) / "root"
        (new / TREE).mkdir(parents=True)
        fallback = parse(bert_source, sources)
        revisions = {
            name: _add(
                name, open_source(source or DEFAULT_SOURCE, sources), fallback, new / TREE, device, sources.cache_root
            )
            for name, source in speakers.items()
            if not is_builtin(name, source) and not is_remote(source)
        }
        lock = _lock(speakers, revisions, _speak(speakers, new, device, sources.keys), new, device, sources)
        _write(new, root, lock, speakers)
        _refuse_secrets(new, sources)
        new.chmod(0o755)
        if root.exists():
            root.rename(Path(folder) / "old")
        new.rename(root)
    return lock


def _check_root(root: Path, speakers: Mapping[str, str | None]) -> None:
    if not speakers:
        raise InvalidOption("no speakers to bake", "", "Name speakers")
    if not root.is_absolute():
        raise InvalidOption("the folder to bake is not an absolute path", str(root), "Give a path that begins with /")
    if root.is_mount():
        raise InvalidOption(
            "the folder to bake is a mount point and cannot be replaced", str(root), "Choose a folder inside it"
        )
    if root.exists() and (not root.is_dir() or (any(root.iterdir()) and not (root / SEAL).is_file())):
        raise InvalidOption(
            "the folder to bake is not empty and was not baked", str(root), "Choose an empty or a baked one"
        )


def _add(name: str, source: Source | SingleFile, fallback: Source, tree: Path, device: str, cache: Path) -> str:
    """Add a voice and its BERT to the tree; returns the revision of the fetched files."""
    files = fetch_voice(source, fallback, name, device, cache)
    if device.startswith("cuda"):
        _keep(files.voice, tree / "pytorch/speakers" / name)
        _only_bert(tree / "pytorch/bert/fp32")
        _keep(files.bert, tree / "pytorch/bert/fp32")
        _keep(files.tokenizer, tree / _TOKENIZER)
    elif files.backend == "onnx":
        with tempfile.TemporaryDirectory(dir=tree.parent) as scratch:
            prepared = prepare(files.voice, Path(scratch)) if is_published(files.voice) else files.voice
            _keep(prepared, tree / "onnx/speakers" / name)
        _keep_onnx_bert(files.bert, files.tokenizer, tree)
    else:
        _export(name, files, (fallback,) if isinstance(source, SingleFile) else (source, fallback), tree)
    return content_revision(describe(files.voice))


def _export(name: str, files: VoiceFiles, homes: Iterable[Source], tree: Path) -> None:
    """Convert safetensors to graphs; torch is installed here, or ``fetch_voice`` would have refused the voice."""
    from koebin.engine.models.jp_extra.export import export_bert, export_voice

    export_voice(files.voice, tree / "onnx/speakers" / name)
    published = ((home, prefix) for home in homes for prefix in _ONNX_BERTS if home.children(prefix))
    home, prefix = next(published, (None, _ONNX_BERTS[0]))
    if home is not None:
        _keep_onnx_bert(home.fetch(prefix), home.fetch(_TOKENIZER), tree)
    elif not (tree / prefix).exists():
        with tempfile.TemporaryDirectory(dir=tree.parent) as scratch:
            export_bert(files.bert, Path(scratch) / "bert", quantize=True)
            _keep_onnx_bert(Path(scratch) / "bert", files.tokenizer, tree)


def _precision(graph: Path) -> str:
    return _ONNX_BERTS[1] if graph.stem.endswith("fp32") else _ONNX_BERTS[0]


def _keep_onnx_bert(model: Path, tokenizer: Path, tree: Path) -> None:
    """Keep BERT once, in the form that is loaded; the published form is not needed beside it."""
    graph = find_graph(model)
    target = tree / _precision(graph)
    _only_bert(target)
    if not target.exists() and not published_checksum(graph):
        keep_bert(graph, target)
    elif not target.exists():
        _keep(model, target)
    elif published_checksum(target / graph.name) != (published_checksum(graph) or sha256(graph)):
        raise _different_berts(target)
    _keep(tokenizer, tree / _TOKENIZER)


def _only_bert(target: Path) -> None:
    if any(path != target for path in target.parent.glob("*")):
        raise _different_berts(target)


def _keep(folder: Path, target: Path) -> None:
    """Copy a folder's files; an existing one must be the same."""
    if not target.exists():
        shutil.copytree(folder, target, copy_function=shutil.copyfile, ignore=_unwanted)
    elif describe(folder) != describe(target):
        raise _different_berts(target)


def _different_berts(target: Path) -> SourceError:
    hint = "Bake speakers of different sources into separate folders"
    return SourceError("the speakers need different BERT models", target.name, hint)


def _unwanted(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not is_wanted(name)]


def _speak(
    speakers: Mapping[str, str | None], new: Path, device: str, keys: Mapping[str, str]
) -> dict[str, BakedSpeaker]:
    """Speak a sentence with every speaker, from the new folder alone; {} if the device is absent.

    Raises:
        InferenceFailed: silence.
    """
    if not _can_run(device):
        return {}
    spoken: dict[str, BakedSpeaker] = {}
    tree = str(new / TREE)
    with TTS(device, sources=SourceOptions(new, offline=True, keys=keys), bert_source=tree, max_loaded=1) as tts:
        for name, source in speakers.items():
            tts.load(name, source if is_builtin(name, source) or is_remote(source) else tree)
        tts.prepare(warmup=False)
        for name, speaker in tts.speakers.items():
            samples = speaker.generate(_TEXT).samples
            if not samples.size or not np.isfinite(samples).all() or not samples.any():
                raise InferenceFailed("the speaker gives silence only", name)
            spoken[name] = BakedSpeaker("", "", speaker.revision, speaker.sample_rate_hz, tuple(speaker.styles))
    for lock in new.rglob(".*.lock"):
        lock.unlink()
    return spoken


def _can_run(device: str) -> bool:
    if not device.startswith("cuda"):
        return True
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def _lock(
    speakers: Mapping[str, str | None],
    revisions: Mapping[str, str],
    spoken: Mapping[str, BakedSpeaker],
    new: Path,
    device: str,
    sources: SourceOptions,
) -> dict[str, Any]:
    entries = {}
    for name, source in sorted(speakers.items()):
        builtin = is_builtin(name, source)
        origin = "builtin" if builtin else _origin(source or DEFAULT_SOURCE, sources)
        known = spoken.get(name, BakedSpeaker("", ""))
        card = _card(new / TREE, name)
        entries[name] = asdict(
            replace(
                known,
                source=origin,
                revision=revisions.get(name, ""),
                display_name=card.name,
                licence=card.licence,
                creators=card.creators,
            )
        )
    lock = {
        "format": 1,
        "koebin": _version(),
        "engine_revision": engine_revision(),
        "device": device,
        "verified": bool(spoken),
        "speakers": entries,
        "files": {path: asdict(checksum(new / path)) for path in _files(new)},
    }
    return dict(json.loads(json.dumps(lock)))


def _origin(source: str, sources: SourceOptions) -> str:
    """Address of a voice without credentials."""
    return parse_remote(source).uri if is_remote(source) else open_source(source, sources).uri


def _card(tree: Path, name: str) -> VoiceCard:
    folders = (tree / f"{kind}/speakers/{name}" for kind in ("onnx", "pytorch"))
    return read_card(next((folder for folder in folders if folder.is_dir()), tree))


def _files(root: Path) -> list[str]:
    """Files that the lock file covers: all but itself and the list of voices, which holds absolute paths."""
    paths = (path for path in root.rglob("*") if path.is_file() and path not in (root / SEAL, root / VOICES))
    return sorted(path.relative_to(root).as_posix() for path in paths)


def _version() -> str:
    try:
        return version("koebin")
    except PackageNotFoundError:
        return ""


def _write(new: Path, root: Path, lock: Mapping[str, Any], speakers: Mapping[str, str | None]) -> None:
    tree = (root / TREE).as_uri()
    named = {name: source for name, source in sorted(speakers.items()) if not is_builtin(name, source)}
    lines = [f'"{name}" = "{source if is_remote(source) else tree}"' for name, source in named.items()]
    (new / VOICES).write_text("\n".join(["[voices]", *lines, ""]), encoding="utf-8")
    text = json.dumps(lock, ensure_ascii=False, indent=1, sort_keys=True)
    (new / SEAL).write_text(text + "\n", encoding="utf-8")


def _refuse_secrets(new: Path, sources: SourceOptions) -> None:
    """Search all files of the new folder for credentials."""
    given = (
        *(sources.hub_token, sources.s3_access_key_id, sources.s3_secret_access_key, sources.s3_session_token),
        *sources.keys.values(),
    )
    secrets = [secret.encode() for secret in given if len(secret) >= _SHORTEST_SECRET]
    for path in new.rglob("*"):
        if secrets and path.is_file() and path.stat().st_size:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if any(content.find(secret) >= 0 for secret in secrets):
                    raise SourceError(
                        "a credential was found in a baked file",
                        str(path.relative_to(new)),
                        "Remove it from the source",
                    )


def check_baked(root: Path) -> dict[str, Any]:
    """Verify every byte of a baked folder against its lock file, and return that.

    Raises:
        SourceCorrupt: a file is missing, was added or differs; or there is no lock file.
    """
    try:
        lock: dict[str, Any] = json.loads((root / SEAL).read_bytes())
        expected = lock["files"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SourceCorrupt("the folder has no lock file", str(root), "Bake it again") from error
    found = {path: root / path for path in _files(root)}
    changed = [path for path in sorted({*found, *expected}) if not _is_same(found.get(path), expected.get(path))]
    if changed:
        raise SourceCorrupt("the folder differs from its lock file", ", ".join(changed), "Bake it again")
    return lock


def _is_same(path: Path | None, expected: Mapping[str, Any] | None) -> bool:
    return path is not None and expected is not None and asdict(checksum(path)) == dict(expected)
