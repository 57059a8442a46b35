"""Atomic versions of a voice, for sources without commits of their own.

```
<prefix>/voice.lock.json                the version in use; the last thing that an upload writes
<prefix>/.versions/<version>/...        the files of a version; never changed, never removed by an upload
```
A version is the hash of its files. Where there is no lock file the files lie directly under the prefix.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from koebin.engine.errors import SourceCorrupt, SourceError, SourceNotFound
from koebin.engine.sources.base import Listing, RemoteFile
from koebin.engine.sources.manifest import Checksum, Manifest, content_revision, describe

LOCK: Final = "voice.lock.json"
FOLDER: Final = ".versions"

_VERSION: Final = re.compile(r"[0-9a-f]{64}")


def read_lock(data: bytes, where: str) -> Listing:
    """Files of the version in use.

    Raises:
        SourceCorrupt: not a lock file, or an inconsistent one.
    """
    manifest = Manifest.from_json(data, where)
    if not _VERSION.fullmatch(manifest.revision) or content_revision(manifest.files) != manifest.revision:
        raise SourceCorrupt("a lock file's version is not the hash of its files", where, "Upload the voice again")
    files = (RemoteFile(path, file.size, f"sha256:{file.sha256}") for path, file in manifest.files.items())
    return Listing(manifest.revision, tuple(files), version_folder(manifest.revision))


def version_folder(version: str) -> str:
    """Folder of a version's files, below its prefix."""
    return f"{FOLDER}/{version}"


def describe_upload(local_dir: Path, uri: str, prefix: str) -> Manifest:
    """Lock file for the files of ``local_dir``.

    Raises:
        SourceNotFound: there are none.
        SourceError: they cannot be read.
    """
    try:
        files: dict[str, Checksum] = describe(local_dir)
    except OSError as error:
        raise SourceError("the folder to upload cannot be read", str(error.filename or local_dir)) from error
    files.pop(LOCK, None)
    if not files:
        raise SourceNotFound("the folder to upload is empty", str(local_dir), "Give a folder that holds a voice")
    return Manifest(uri, prefix, content_revision(files), files)
