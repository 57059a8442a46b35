"""Cache of fetched folders on this machine: complete or absent, never partial.

```
<root>/sources/<scheme>/<place>/<endpoint>/
    pins/<reference>/<prefix>           the revision in use
    entries/<revision>/<prefix>/        manifest.json, files/...
    staging/<revision>/<prefix>/        an interrupted fetch goes on here
    locks/<prefix>
```

An entry appears by one rename and never changes. Refreshing moves the pin; the old entry stays for whoever reads it.
A cache that was baked into an image is sealed by ``<root>/koebin.lock.json``: nothing is fetched into it any more.
In names of files ``~`` stands for the slash of a prefix or a reference.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from koebin.engine.errors import SourceCorrupt, SourceUnavailable
from koebin.engine.sources.base import Listing
from koebin.engine.sources.manifest import Checksum, Manifest, check_fetched, sync, write_through

log = logging.getLogger(__name__)


SEAL: Final = "koebin.lock.json"
"""Lock file in the cache's root: the cache is complete, described by it, and sealed."""


def is_sealed(root: Path) -> bool:
    """Whether this cache is sealed: nothing may be added to it."""
    return (root / SEAL).is_file()


@dataclass(frozen=True, slots=True)
class CachedFolder:
    """Fetched folder with its manifest."""

    folder: Path
    manifest: Manifest


class Shelf:
    """Cache of one source at one reference.

    Args:
        folder: ``<root>/sources/<scheme>/<place>/<endpoint>``.
        uri: the source's, for the manifests.
        reference: requested branch, tag or commit; "" if the source has none.
    """

    def __init__(self, folder: Path, uri: str, reference: str = "") -> None:
        self._folder = folder
        self._uri = uri
        self._pins = folder / "pins" / _name(reference)

    def open(self, prefix: str) -> CachedFolder | None:
        """Entry in use; None if there is none.

        Raises:
            SourceCorrupt: a file is missing or has another size.
        """
        try:
            revision = (self._pins / _name(prefix)).read_text().strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return self.entry(prefix, revision)

    def entry(self, prefix: str, revision: str) -> CachedFolder | None:
        """Entry of a revision, in use or not; None if there is none.

        Raises:
            SourceCorrupt: a file is missing or has another size.
        """
        folder = self._folder / "entries" / revision / _name(prefix)
        try:
            data = (folder / "manifest.json").read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        manifest = Manifest.from_json(data, str(folder))
        manifest.check_sizes(folder / "files")
        return CachedFolder(folder / "files", manifest)

    def prefixes(self) -> list[str]:
        """Prefixes in use."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return sorted(_prefix(pin.name) for pin in self._pins.iterdir() if not pin.name.startswith("."))
        return []

    @contextlib.contextmanager
    def lock(self, prefix: str) -> Iterator[None]:
        """Lock ``prefix`` against fetches of every other process and thread; a lock ends with its process."""
        path = self._folder / "locks" / _name(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.info("waiting for another process that is fetching %s/%s", self._uri, prefix)
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def staging(self, prefix: str, revision: str) -> Path:
        """Folder in which this fetch continues where an earlier one stopped."""
        folder = self._folder / "staging" / revision / _name(prefix)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def commit(self, prefix: str, listing: Listing, staged: Path) -> CachedFolder:
        """Verify the staged files against the listing, and make them an entry in one rename.

        Args:
            staged: the folder that holds the files of the listing, inside of ``staging``.

        Raises:
            SourceCorrupt: a file has another size or content; it is removed, so that the next try fetches it again.
            SourceUnavailable: a listed file was not downloaded.
        """
        staging = self.staging(prefix, listing.revision)
        manifest = Manifest(self._uri, prefix, listing.revision, _check(listing, staged))
        building = staging / "entry"
        shutil.rmtree(building, ignore_errors=True)
        for file in listing.files:
            target = building / "files" / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(staged / file.path, target)
        write_through(building / "manifest.json", manifest.to_json())
        folders = {building, *(path for path in building.rglob("*") if path.is_dir())}
        sync([*(building / "files" / path for path in manifest.files), *folders])
        final = self._folder / "entries" / listing.revision / _name(prefix)
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():
            os.rename(final, staging / "damaged")
        os.rename(building, final)
        sync([final.parent])
        shutil.rmtree(staging, ignore_errors=True)
        return CachedFolder(final / "files", manifest)

    def pin(self, prefix: str, revision: str) -> None:
        """Select the revision that ``open`` returns from now on."""
        self._pins.mkdir(parents=True, exist_ok=True)
        write_through(self._pins / _name(prefix), f"{revision}\n".encode())


def _check(listing: Listing, staged: Path) -> dict[str, Checksum]:
    files = {}
    for file in listing.files:
        path = staged / file.path
        try:
            files[file.path] = check_fetched(path, file)
        except FileNotFoundError:
            raise SourceUnavailable("a listed file was not downloaded", file.path, "Try again") from None
        except SourceCorrupt:
            path.unlink()
            raise
    return files


def _name(prefix: str) -> str:
    return prefix.replace("/", "~") or "~"


def _prefix(name: str) -> str:
    return "" if name == "~" else name.replace("~", "/")
