"""Cache folder of hayakoe, used in place.

```
<root>/hf/models--<user>--<repository>/{refs/<reference>, snapshots/<commit>/..., blobs/<hash>}
<root>/s3/<bucket>/<prefix, or _>/...      with an empty file .hayakoe_synced in every fetched folder
```
Hayakoe takes an interrupted download for a whole one, so a folder of its cache counts only when every file of it is
what its name in ``blobs`` says, and nothing that a voice needs is missing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from koebin.engine.sources.base import RemoteFile
from koebin.engine.sources.manifest import content_revision, describe, is_fetched

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_MARKER: Final = ".hayakoe_synced"


def find_hub(root: Path, repository: str, reference: str, prefix: str) -> tuple[Path, str] | None:
    """Folder of a prefix in the hub's part of the cache, and its commit; None if absent or incomplete."""
    place = root / "hf" / f"models--{repository.replace('/', '--')}"
    commit = reference if _COMMIT.fullmatch(reference) else _read(place / "refs" / reference)
    if not _COMMIT.fullmatch(commit):
        return None
    folder = place / "snapshots" / commit / prefix
    return (folder, commit) if _has_what_it_needs(folder, prefix) and _is_intact(folder) else None


def find_s3(root: Path, bucket: str, source_root: str, prefix: str) -> tuple[Path, str] | None:
    """Folder of a prefix in the S3 part of the cache, and a hash of it; None if absent or incomplete."""
    folder = root / "s3" / bucket / (source_root or "_") / prefix
    if not (folder / _MARKER).is_file() or not _has_what_it_needs(folder, prefix):
        return None
    return folder, content_revision(describe(folder))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _has_what_it_needs(folder: Path, prefix: str) -> bool:
    if not folder.is_dir() or not prefix:
        return False
    names = {path.name for path in folder.iterdir() if path.is_file()}
    suffixes = {Path(name).suffix for name in names}
    match prefix.split("/"):
        case [("onnx" | "pytorch") as kind, "speakers", _]:
            weights = ".onnx" if kind == "onnx" else ".safetensors"
            return {"config.json", "style_vectors.npy"} <= names and weights in suffixes
        case ["onnx", "bert", _]:
            return ".onnx" in suffixes
        case ["pytorch", "bert", _]:
            return "config.json" in names and ".safetensors" in suffixes
        case ["bert", "tokenizer"]:
            return bool(names & {"vocab.txt", "tokenizer.json"})
        case _:
            return False


def _is_intact(folder: Path) -> bool:
    for path in folder.rglob("*"):
        if path.is_dir():
            continue
        if not path.exists():  # a link to a blob that never arrived
            return False
        blob = path.resolve().name
        algorithm = {64: "sha256", 40: "git"}.get(len(blob)) if path.is_symlink() else None
        if algorithm and re.fullmatch(r"[0-9a-f]+", blob):
            expected = RemoteFile(path.name, path.stat().st_size, f"{algorithm}:{blob}")
            if not is_fetched(path, expected):
                return False
    return True
