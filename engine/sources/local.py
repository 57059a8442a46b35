"""Local source: voices in a folder of this machine, used in place, never copied."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from koebin.engine.checked_names import nearest
from koebin.engine.errors import SourceDenied, SourceError, SourceNotFound
from koebin.engine.sources.base import check_prefix, not_found, parents
from koebin.engine.sources.manifest import content_revision, describe, sync, write_through
from koebin.engine.sources.versions import FOLDER, LOCK, describe_upload, read_lock, version_folder


class LocalSource:
    """Tree of voices below an absolute path. Links that its owner put there are followed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __repr__(self) -> str:
        return f"LocalSource({self.uri!r})"

    @property
    def root(self) -> Path:
        return self._root

    @property
    def uri(self) -> str:
        return self._root.as_uri()

    def fetch(self, prefix: str, *, refresh: bool = False) -> Path:  # noqa: ARG002 - nothing is kept that could be old
        found = self.cached(prefix)
        if found is None:
            self._check_access()
            parent = next(parent for parent in [*parents(prefix), ""] if self.children(parent) or not parent)
            raise not_found(self.uri, prefix, parent, self.children(parent))
        return found

    def cached(self, prefix: str) -> Path | None:
        folder = self._version(self._folder(prefix))
        return folder if self._names(folder) else None

    def children(self, prefix: str) -> list[str]:
        return self._names(self._version(self._folder(prefix)))

    def _version(self, folder: Path) -> Path:
        """Folder of the version in use: the folder itself if there are no versions."""
        try:
            lock = (folder / LOCK).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return folder
        except OSError as error:
            raise _translated(error, folder) from error
        return folder / version_folder(read_lock(lock, str(folder / LOCK)).revision)

    def _names(self, folder: Path) -> list[str]:
        try:
            return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _translated(error, folder) from error

    def revision(self, prefix: str) -> str:
        try:
            return content_revision(describe(self.fetch(prefix)))
        except OSError as error:
            raise _translated(error, self._folder(prefix)) from error

    def upload(self, prefix: str, local_dir: Path) -> None:
        manifest = describe_upload(local_dir, self.uri, check_prefix(prefix))
        folder = self._folder(prefix)
        final = folder / version_folder(manifest.revision)
        building = folder / FOLDER / f".{secrets.token_hex(8)}"
        try:
            for path in () if final.exists() else manifest.files:
                (building / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(local_dir / path, building / path)
            if building.exists():
                sync(list(building.rglob("*")))
                os.rename(building, final)
                sync([final.parent])
            write_through(folder / LOCK, manifest.to_json())
        except OSError as error:
            raise _translated(error, folder) from error
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def _folder(self, prefix: str) -> Path:
        return self._root / check_prefix(prefix)

    def _check_access(self) -> None:
        if not self._root.exists():
            raise SourceNotFound("there is no such folder or file", self.uri, "Check the path")
        if not os.access(self._root, os.R_OK | os.X_OK):
            raise SourceDenied("no permission to read the folder of the voices", str(self._root))


class LocalFile:
    """A voice in one file of this machine: used in place, never copied."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __repr__(self) -> str:
        return f"LocalFile({self.uri!r})"

    @property
    def uri(self) -> str:
        return self._path.as_uri()

    def fetch_file(self) -> Path:
        if not self._path.exists():
            near = nearest(self._path.name, (path.name for path in self._path.parent.glob("*.aivm*")))
            hint = f"Did you mean {' or '.join(near)}?" if near else "Check the path"
            raise SourceNotFound("there is no such file", self.uri, hint)
        if not os.access(self._path, os.R_OK):
            raise SourceDenied("the voice's file may not be read", self.uri, "Check its owner and mode")
        return self._path


def _translated(error: OSError, folder: Path) -> SourceError:
    if isinstance(error, PermissionError):
        return SourceDenied("permission denied", str(error.filename or folder), "Check its owner and mode")
    return SourceError(error.strerror or type(error).__name__, str(error.filename or folder))
