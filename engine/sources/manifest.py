"""Manifest of a fetched folder: names, sizes and SHA-256 of its files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol

from koebin.engine.errors import SourceCorrupt
from koebin.engine.sources.base import RemoteFile, check_file, is_wanted

_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Checksum:
    """Bytes and SHA-256 (hexadecimal) of a file."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Origin and required content of a folder.

    Attributes:
        source: URI without credentials.
        prefix: that was fetched.
        revision: a commit or a hash of the content.
        files: by path below the folder.
    """

    source: str
    prefix: str
    revision: str
    files: dict[str, Checksum]

    def check_sizes(self, folder: Path) -> None:
        """Verify names and sizes: cheap enough for every start.

        Raises:
            SourceCorrupt: a file is missing or has another size.
        """
        for path, expected in self.files.items():
            try:
                size = (folder / path).stat().st_size
            except FileNotFoundError:
                raise SourceCorrupt("a cached file is missing", self._name(path), _AGAIN) from None
            if size != expected.size:
                what = f"a cached file has {size} bytes instead of {expected.size}"
                raise SourceCorrupt(what, self._name(path), _AGAIN)

    def check_content(self, folder: Path) -> None:
        """Verify every byte.

        Raises:
            SourceCorrupt: a file is missing or differs.
        """
        self.check_sizes(folder)
        for path, expected in self.files.items():
            if checksum(folder / path).sha256 != expected.sha256:
                raise SourceCorrupt("a cached file was changed after it was fetched", self._name(path), _AGAIN)

    def _name(self, path: str) -> str:
        return "/".join(part for part in (self.source, self.prefix, path) if part)

    def to_json(self) -> bytes:
        return json.dumps({"format": 1, **asdict(self)}, indent=1, sort_keys=True, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, data: bytes, where: str) -> Manifest:
        """Manifest from ``to_json``.

        Raises:
            SourceCorrupt: not a manifest.
        """
        try:
            raw = json.loads(data)
            files = {
                check_file(path, where): Checksum(int(file["size"]), str(file["sha256"]))
                for path, file in raw["files"].items()
            }
            return cls(str(raw["source"]), str(raw["prefix"]), str(raw["revision"]), files)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SourceCorrupt("not a manifest of a voice", where, _AGAIN) from error


_AGAIN: Final = "Fetch it again with refresh"


def describe(folder: Path) -> dict[str, Checksum]:
    """Wanted files below ``folder``, by path, sorted."""
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {path: checksum(folder / path) for path in paths if is_wanted(path)}


def content_revision(files: dict[str, Checksum]) -> str:
    """Hash of names and contents: equal folders have equal revisions, on every machine."""
    lines = "".join(f"{path}\0{file.size}\0{file.sha256}\n" for path, file in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def checksum(path: Path) -> Checksum:
    """Size and SHA-256 of a file."""
    size, (digest,) = _hash(path, [hashlib.sha256()])
    return Checksum(size, digest)


def check_fetched(path: Path, expected: RemoteFile) -> Checksum:
    """Verify a file against the source's listing.

    Raises:
        SourceCorrupt: another size or another content.
    """
    algorithm, _, wanted = expected.digest.rpartition(":")
    size, (sha256, *found) = _hash(path, [hashlib.sha256(), *_algorithms(algorithm, expected.size)])
    if size != expected.size or (algorithm and wanted not in found):
        raise SourceCorrupt("a downloaded file differs from the source's listing", expected.path, "Try again")
    return Checksum(size, sha256)


def _algorithms(name: str, size: int) -> list[Hash]:
    """Hash algorithms for a digest of that kind; they guard only against damage."""
    match name.split(":"):
        case ["sha256"]:
            return [hashlib.sha256()]
        case ["git"]:
            blob = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
            # Mirrors that serve plain folders give the SHA-1 of the content instead.
            return [blob, hashlib.sha1(usedforsecurity=False)]
        case ["md5"]:
            return [hashlib.md5(usedforsecurity=False)]
        case ["parts", part_size]:
            return [PartsHash(int(part_size))]
        case _:
            return []


class Hash(Protocol):
    """Interface of hashlib's objects."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class PartsHash:
    """ETag of a multipart upload to S3: the MD5 of the parts' MD5s, and their number."""

    def __init__(self, part_size: int) -> None:
        self._part_size = part_size
        self._parts: list[bytes] = []
        self._part = hashlib.md5(usedforsecurity=False)
        self._filled = 0

    def update(self, data: bytes, /) -> None:
        while data:
            if self._filled == self._part_size:
                self._close()
            block = data[: self._part_size - self._filled]
            self._part.update(block)
            self._filled += len(block)
            data = data[len(block) :]

    def hexdigest(self) -> str:
        parts = [*self._parts, self._part.digest()]
        return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"

    def _close(self) -> None:
        self._parts.append(self._part.digest())
        self._part = hashlib.md5(usedforsecurity=False)
        self._filled = 0


def is_fetched(path: Path, expected: RemoteFile) -> bool:
    """Whether a file is there already, whole and correct."""
    try:
        check_fetched(path, expected)
    except (SourceCorrupt, FileNotFoundError):
        return False
    return True


def _hash(path: Path, hashes: list[Hash]) -> tuple[int, list[str]]:
    size = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            size += len(block)
            for algorithm in hashes:
                algorithm.update(block)
    return size, [algorithm.hexdigest() for algorithm in hashes]


def write_through(path: Path, data: bytes) -> None:
    """Replace a small file in one step, safe against a power cut."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync([path.parent])


def sync(paths: Iterable[Path]) -> None:
    """Flush files or folders to the disk."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
