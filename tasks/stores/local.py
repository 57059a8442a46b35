"""Local store: finished audio in a folder."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from koebin.engine.errors import (
    InvalidName,
    InvalidOption,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreNotFound,
    StoreUnavailable,
)
from koebin.engine.limits import STORE_OBJECT_BYTES
from koebin.tasks.store_keys import is_document
from koebin.tasks.stores.base import DOCUMENT_MODE, Finding, Stat, check_key, check_prefix
from koebin.tasks.stores.uri import StoreUri

LEAST_FREE_BYTES: Final = 16 << 20
"""Below this a store counts as full: a minute of segments takes five megabytes."""
TEMPORARY: Final = ".koebin-tmp"
"""Folder of unfinished files: inside the root, so that a rename stays on one file system."""

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_COPY_BYTES: Final = 1 << 20
_PLACE_ATTEMPTS: Final = 100
_NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}
_NO_FOLDER_SYNC: Final = {
    errno.EINVAL,
    errno.EBADF,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EPERM,
    errno.EACCES,
}
"""Answers of file systems whose folders cannot be synced: some network and FUSE mounts."""


class LocalStore:
    """Store of objects as files below one folder.

    Args:
        document_mode: of files that only Koebin reads, such as plans: they hold texts.
        file_mode: of all others; None leaves it to the umask.

    A write goes to a temporary file, fsync, then `os.link` (which refuses to replace) or `os.replace`, then fsync of
    the folder: after a power cut an object is there whole or not at all.
    """

    def __init__(self, root: Path, document_mode: int = DOCUMENT_MODE, file_mode: int | None = None) -> None:
        self._root = Path(os.path.realpath(root))
        self._document_mode = document_mode
        self._file_mode = file_mode

    def __repr__(self) -> str:
        return f"LocalStore({self.uri!r})"

    @property
    def uri(self) -> str:
        return str(StoreUri("", self._root.parts[1:]))

    def url(self, key: str) -> str:
        return str(StoreUri("", (*self._root.parts[1:], *check_key(key).split("/"))))

    def put(self, key: str, data: bytes, *, if_absent: bool = True, content_type: str | None = None) -> bool:  # noqa: ARG002
        return self._write(key, lambda file: _write_all(file, data), if_absent)

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        if_absent: bool = False,
        content_type: str | None = None,  # noqa: ARG002
        given: bool = False,
    ) -> bool:
        with translated(path), path.open("rb") as source:
            return self._write(
                key,
                lambda file: shutil.copyfileobj(source, file, _COPY_BYTES),
                if_absent,
                given=path if given else None,
            )

    def get(self, key: str) -> bytes:
        path = self._path(key)
        with translated(path), _opened(path) as file:
            data = file.read(STORE_OBJECT_BYTES + 1)
        if len(data) > STORE_OBJECT_BYTES:
            raise StoreError("an object of the store is too large to be read whole", key)
        return data

    def find(self, key: str) -> bytes | None:
        try:
            return self.get(key)
        except StoreNotFound:
            return None

    def get_range(self, key: str, first: int, count: int) -> bytes:
        path = self._path(key)
        with translated(path), _opened(path) as file:
            file.seek(first)
            return file.read(count)

    def download(self, key: str, path: Path) -> None:
        source = self._path(key)
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with translated(source), _opened(source) as reader, partial.open("xb") as writer:
                shutil.copyfileobj(reader, writer, _COPY_BYTES)
            with translated(path):
                partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def exists(self, key: str) -> bool:
        return self.head(key) is not None

    def head(self, key: str) -> Stat | None:
        path = self._path(key)
        try:
            with translated(path):
                found = path.stat()
        except StoreNotFound:
            return None
        return Stat(found.st_size, found.st_mtime, f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}")

    def list(self, prefix: str = "") -> Iterator[str]:
        folder, _, name = check_prefix(prefix).rpartition("/")
        start = self._path(folder) if folder else self._root
        for path in _files(start, name):
            key = path.relative_to(self._root).as_posix()
            if not key.startswith(TEMPORARY + "/") and _is_key(key):
                yield key

    def delete(self, key: str) -> None:
        path = self._path(key)
        with translated(path):
            path.unlink(missing_ok=True)
        self._prune(path.parent)

    def presign(self, key: str, seconds: int) -> str:  # noqa: ARG002
        raise InvalidOption("a local store cannot sign URLs", self.url(key), "Use an s3:// store, or serve the folder")

    def probe(self) -> Sequence[Finding]:
        key = f"doctor/{secrets.token_hex(8)}"
        try:
            first = self.put(key, b"koebin", if_absent=True)
            again = self.put(key, b"other", if_absent=True)
            read = self.get(key)
            self.delete(key)
        except (StoreError, StoreUnavailable) as error:
            return [Finding("store", False, str(error), error.hint)]
        free = shutil.disk_usage(self._root).free
        if free < LEAST_FREE_BYTES:
            hint = "Make room there, or run: koebin gc"
            return [Finding("store", False, f"only {free >> 20} MiB of disk space are left at {self.uri}", hint)]
        how = (
            "hard links"
            if _links(self._root)
            else "no hard links on this file system: an existence check before each write replaces them"
        )
        return [
            Finding("store", read == b"koebin", f"{self.uri} can be written and read, {free / 1e9:.1f} GB free"),
            Finding("store keeps the first write", first and not again, how),
        ]

    def sweep_temporary(self, older_than_seconds: float) -> int:
        limit, removed = time.time() - older_than_seconds, 0
        if not os.path.lexists(self._root / TEMPORARY):
            return 0
        for path in _files(self._temporaries()):
            with suppress(FileNotFoundError), translated(path):
                if path.stat().st_mtime < limit:
                    path.unlink()
                    removed += 1
        return removed

    def _path(self, key: str) -> Path:
        """File of ``key``, after a check that no symbolic link leads out of the root."""
        path = os.path.join(self._root, check_key(key))
        if key.partition("/")[0] == TEMPORARY:
            raise InvalidName("this key is reserved", key)
        real = os.path.realpath(path)
        if real != path and not Path(real).is_relative_to(self._root):
            raise StoreDenied("a symbolic link leads out of the store", key, "Remove the link")
        return Path(path)

    def _write(self, key: str, fill: Callable[[BinaryIO], None], if_absent: bool, given: Path | None = None) -> bool:
        path = self._path(key)
        temporary = self._temporary(key)
        with translated(path):
            if path.is_dir():
                raise StoreDenied("a folder stands where the store needs a file", str(path), "Move it away")
            if if_absent and path.exists():
                return False
            self._temporaries()
            mode = self._mode_of(key)
            try:
                if given is None or not _taken(given, temporary):
                    with open(os.open(temporary, _NEW, 0o666 if mode is None else mode), "wb") as file:
                        fill(file)
                        file.flush()
                with temporary.open("rb") as file:
                    if mode is not None:
                        os.fchmod(file.fileno(), mode)
                    os.fsync(file.fileno())
                return self._commit(temporary, path, if_absent)
            finally:
                temporary.unlink(missing_ok=True)

    def _temporaries(self) -> Path:
        """Folder of unfinished files, which is made; a link is not followed. Raises: StoreDenied."""
        folder = self._root / TEMPORARY
        if os.path.lexists(folder) and not stat.S_ISDIR(os.lstat(folder).st_mode):
            raise StoreDenied(
                "a link or a file stands where the store keeps unfinished files", str(folder), "Remove it"
            )
        _make_folder(folder)
        return folder

    def _mode_of(self, key: str) -> int | None:
        """Mode of an object's file; None leaves it to the umask."""
        return self._document_mode if is_document(key) else self._file_mode

    def _temporary(self, key: str) -> Path:
        job = key.replace("/", "~")[-60:]
        return self._root / TEMPORARY / f"{job}.{int(time.time())}.{os.getpid()}.{secrets.token_hex(4)}"

    def _commit(self, temporary: Path, path: Path, if_absent: bool) -> bool:
        for _ in range(_PLACE_ATTEMPTS):  # another process that prunes empty folders may remove it between two steps
            with suppress(FileNotFoundError):
                _make_folder(path.parent)
                placed = _link(temporary, path) if if_absent else _replace(temporary, path)
                break
        else:
            raise StoreUnavailable("the folder is removed repeatedly while it is written to", str(path.parent))
        if placed:
            with suppress(FileNotFoundError):
                _sync_folder(path.parent)
        return placed

    def _prune(self, folder: Path) -> None:
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent


def _write_all(file: BinaryIO, data: bytes) -> None:
    file.write(data)


def _taken(given: Path, temporary: Path) -> bool:
    """Whether a finished file could become the temporary one without a copy: it lies on the same file system."""
    try:
        os.link(given, temporary)
        os.utime(temporary)  # an old one would be cleaned up before it is in its place
    except OSError as error:
        if error.errno in _NO_LINKS | {errno.EXDEV}:
            return False
        raise
    return True


def _replace(temporary: Path, path: Path) -> bool:
    try:
        os.replace(temporary, path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The object's folder is another file system: a copy there, and then a rename.
        beside = path.with_name(f".{path.name[-100:]}.{secrets.token_hex(4)}.part")
        try:
            shutil.copyfile(temporary, beside)
            with beside.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    return True


def _link(temporary: Path, path: Path) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # No hard links here (exFAT, some network mounts): a race of two writers is then decided by the last one.
        if os.path.lexists(path):
            return False
        return _replace(temporary, path)
    return True


def _links(root: Path) -> bool:
    """Whether the file system supports hard links."""
    first = root / TEMPORARY / f"links.{secrets.token_hex(4)}"
    second = first.with_suffix(".second")
    try:
        first.touch()
        os.link(first, second)
    except OSError:
        return False
    finally:
        first.unlink(missing_ok=True)
        second.unlink(missing_ok=True)
    return True


def _make_folder(folder: Path) -> None:
    """Create ``folder`` and its parents, each one synced to disk in its parent."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        if folder.parent == folder:
            break
        folder = folder.parent
    for each in reversed(missing):
        with suppress(FileExistsError):  # if it is a file, the write that follows reports that
            each.mkdir()
        _sync_folder(each.parent)


def _sync_folder(folder: Path) -> None:
    """Record a folder's entries on disk, where the file system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # a folder that may be written to and not be read
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def _is_key(key: str) -> bool:
    """Whether a file found in the folder can be an object of this store."""
    try:
        check_key(key)
    except InvalidName:
        return False
    return True


def _files(folder: Path, name: str = "") -> Iterator[Path]:
    """Files below ``folder`` whose first path part begins with ``name``, depth first.

    Links are not followed, and files that vanish meanwhile are skipped.
    """
    try:
        with translated(folder):
            entries = [entry for entry in os.scandir(folder) if entry.name.startswith(name)]
    except StoreNotFound:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file to read; a FIFO or a device would never end. Raises: StoreDenied."""
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        kind = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(kind):
            raise StoreDenied("no regular file stands in the store", str(path), "Remove it")
        yield file


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Store error for an OSError."""
    try:
        yield
    except OSError as error:
        raise _translate(error, str(path)) from error


def _translate(error: OSError, path: str) -> StoreError | StoreUnavailable | InvalidName:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return StoreFull("no space is left in the store", path, "Free some space, or run: koebin gc")
        case errno.EACCES | errno.EPERM:
            return StoreDenied("permission denied in the store", path, "Give this user read and write access")
        case errno.EROFS:
            return StoreDenied("the store is read-only", path, "Choose another store, or mount it writable")
        case errno.ENOENT | errno.EISDIR:
            return StoreNotFound("no such file in the store", path)
        case errno.ENOTDIR | errno.EEXIST:
            return StoreDenied("a file stands where the store needs a folder", path, "Move it away")
        case errno.ENAMETOOLONG:
            return InvalidName("a key is too long for this file system", path)
        case errno.ELOOP:
            return StoreDenied("symbolic links form a loop", path, "Remove the links")
        case errno.EIO | errno.ESTALE | errno.ETIMEDOUT | errno.EBUSY | errno.EMFILE | errno.ENFILE | errno.EINTR:
            return StoreUnavailable(f"the store does not answer ({error.strerror})", path)
        case _:
            return StoreError(f"the store failed ({error.strerror})", path)
