"""Store interface, and checks that all stores share."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

from koebin.engine.audio.formats import FORMATS
from koebin.engine.errors import InvalidName
from koebin.engine.s3.options import Checksums, S3Options
from koebin.tasks.message_signing import NO_KEYS, MessageKeys

DOCUMENT_MODE: Final = 0o600
MAX_KEY_BYTES: Final = 800
MAX_PART_BYTES: Final = 255
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
CONTENT_TYPES: Final = {
    **{name: known.media_type for known in FORMATS.values() for name in known.suffixes},
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".lab": "text/plain; charset=utf-8",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".html": "text/html; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Connection options of an S3 endpoint; a local store needs none of them.

    Attributes:
        endpoint: ``http(s)://host:port`` of an S3-compatible server; "" is AWS.
        region: "" lets boto3 decide.
        path_style: ``endpoint/bucket/key`` instead of ``bucket.endpoint/key``; None: whenever an endpoint is given.
        access_key_id, secret_access_key, session_token: "" leaves them to boto3's own chain.
        encryption: server-side encryption asked for with every write.
        kms_key_id: the key of ``aws:kms``; "" is the account's default one.
        connect_timeout, read_timeout: seconds.
        attempts: tries per request, the first included, with exponential backoff and jitter between them.
        multipart_threshold, part_size: bytes; larger files are sent in parts of at least that size.
        message_keys: that sign the documents of jobs, in a local store, too.
        document_mode: of files in a folder that only Koebin reads, such as plans: they hold texts.
        file_mode: of deliverables in a folder; None leaves it to the umask.
        checksums: ``when_required`` for servers that refuse the checksums which boto3 adds by itself.
    """

    endpoint: str = ""
    region: str = ""
    path_style: bool | None = None
    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    encryption: Literal["", "AES256", "aws:kms"] = ""
    kms_key_id: str = ""
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    attempts: int = 5
    multipart_threshold: int = 32 << 20
    part_size: int = 16 << 20
    checksums: Checksums = "auto"
    message_keys: MessageKeys = NO_KEYS
    document_mode: int = DOCUMENT_MODE
    file_mode: int | None = None

    def s3(self) -> S3Options:
        """How the bucket is reached."""
        return S3Options(
            endpoint=self.endpoint,
            region=self.region,
            path_style=self.path_style,
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            session_token=self.session_token,
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            attempts=self.attempts,
            checksums=self.checksums,
        )


@dataclass(frozen=True, slots=True)
class Stat:
    """Metadata of an object: bytes, seconds since 1970, and a tag that changes with the content."""

    size: int
    modified: float
    etag: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Finding of a diagnosis.

    Attributes:
        check: name of the check.
        ok: False if jobs would fail.
        detail: what was found.
        hint: the next step, "" where there is none.
    """

    check: str
    ok: bool
    detail: str = ""
    hint: str = ""


class Store(Protocol):
    """Objects under keys such as ``jobs/42/manifest.json``.

    A key is relative, in the form that `check_key` accepts. A reader sees a whole object or none. Every method may
    raise `StoreDenied` and `StoreUnavailable`, every write `StoreFull`; only the latter two are worth waiting for.
    """

    @property
    def uri(self) -> str:
        """Canonical URI of the root, without a slash at its end."""
        ...

    def put(self, key: str, data: bytes, *, if_absent: bool = True, content_type: str | None = None) -> bool:
        """Store ``data``. False: an object was there already and stays; go on with the stored one."""
        ...

    def put_file(
        self, key: str, path: Path, *, if_absent: bool = False, content_type: str | None = None, given: bool = False
    ) -> bool:
        """Store a file of any size, without reading it into memory; returns as ``put``.

        Args:
            given: nobody writes to the file again, so that it may become the object itself instead of being copied.
        """
        ...

    def get(self, key: str) -> bytes:
        """Content of the object.

        Raises:
            StoreNotFound: no such object.
        """
        ...

    def find(self, key: str) -> bytes | None:
        """The whole object; None if there is none. For what may well be missing: ``get`` asks twice.

        Raises:
            StoreNotFound: there is no such bucket.
        """
        ...

    def get_range(self, key: str, first: int, count: int) -> bytes:
        """``count`` bytes of the object from byte ``first`` on; fewer where it ends before.

        Raises:
            StoreNotFound: nothing stands there.
        """
        ...

    def download(self, key: str, path: Path) -> None:
        """Copy the object to ``path``, which appears whole or not at all.

        Raises:
            StoreNotFound: no such object.
        """
        ...

    def exists(self, key: str) -> bool:
        """Whether the object exists."""
        ...

    def head(self, key: str) -> Stat | None:
        """Metadata of the object; None if there is none."""
        ...

    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys that begin with ``prefix``, in no particular order."""
        ...

    def delete(self, key: str) -> None:
        """Delete the object; not an error if there is none."""
        ...

    def url(self, key: str) -> str:
        """Final URI of the object, ``file:///…`` or ``s3://…``."""
        ...

    def presign(self, key: str, seconds: int) -> str:
        """URL that lets anyone read the object for that long.

        Raises:
            InvalidOption: a time that cannot be signed, or a store that cannot sign.
        """
        ...

    def probe(self) -> Sequence[Finding]:
        """Diagnosis: try everything that a job needs. Findings are returned, never raised."""
        ...

    def sweep_temporary(self, older_than_seconds: float) -> int:
        """Remove leftovers of interrupted writes; returns how many."""
        ...


def check_key(key: str) -> str:
    """Return ``key`` if it is a plain relative path.

    Raises:
        InvalidName: empty, absolute, with ``..``, ``.`` or an empty part, control characters, or too long.
    """
    parts = key.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in key:
        raise InvalidName("not a valid key for a store", key, "Use a relative path without '..'")
    if _CONTROL.search(key):
        raise InvalidName("a key holds a control character", key)
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        raise InvalidName("a key is not valid Unicode", ascii(key)) from None
    if max(sizes) > MAX_PART_BYTES or sum(sizes) + len(sizes) - 1 > MAX_KEY_BYTES:
        raise InvalidName("a key is too long", key, f"Use at most {MAX_PART_BYTES} bytes between slashes")
    return key


def check_prefix(prefix: str) -> str:
    """Return ``prefix`` if a key can begin with it; "" stands for all keys."""
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def content_type_of(key: str) -> str:
    """Media type of the key's suffix."""
    suffix = "." + key.rsplit(".", 1)[-1].lower()
    return CONTENT_TYPES.get(suffix) or mimetypes.guess_type(key)[0] or "application/octet-stream"
