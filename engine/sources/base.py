"""Interface of voice sources."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from koebin.engine.checked_names import nearest
from koebin.engine.errors import InvalidName, SourceCorrupt, SourceNotFound
from koebin.engine.s3.options import Checksums, S3Options

DEFAULT_SOURCE: Final = "hf://lemondouble/hayakoe"
"""Default source of voices and of the BERT model."""

PICKLES: Final = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})
"""Suffixes of files that run code when they are loaded; never fetched."""

_SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f\\]")
_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Connection options of sources, and their cache.

    Attributes:
        cache_root: folder for everything that is fetched; created on demand.
        offline: never use the network, only the cache.
        hub_token: for private repositories; "" leaves it to huggingface_hub's own settings.
        hub_endpoint: another hub; "" leaves it to huggingface_hub.
        s3_endpoint: ``http(s)://host:port`` of an S3-compatible server; "" leaves it to boto3.
        s3_region, s3_access_key_id, s3_secret_access_key, s3_session_token: "" leaves them to boto3's own chain.
        keys: by host, or host:port; a key is sent to that place alone.
        connect_timeout, read_timeout: seconds.
        attempts: number of attempts at a fetch that fails temporarily, the first included.
        delay: seconds before the second attempt; doubled for each further one.
        s3_path_style, s3_checksums: as in ``koebin.engine.s3.options``.
    """

    cache_root: Path
    offline: bool = False
    hub_token: str = field(default="", repr=False)
    hub_endpoint: str = ""
    s3_endpoint: str = ""
    s3_region: str = ""
    s3_access_key_id: str = field(default="", repr=False)
    s3_secret_access_key: str = field(default="", repr=False)
    s3_session_token: str = field(default="", repr=False)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    attempts: int = 4
    delay: float = 0.5
    s3_path_style: bool | None = None
    s3_checksums: Checksums = "auto"

    def s3(self) -> S3Options:
        """How a bucket of voices is reached."""
        return S3Options(
            endpoint=self.s3_endpoint,
            region=self.s3_region,
            path_style=self.s3_path_style,
            access_key_id=self.s3_access_key_id,
            secret_access_key=self.s3_secret_access_key,
            session_token=self.s3_session_token,
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            attempts=3,  # a fetch is tried again as a whole
            checksums=self.s3_checksums,
        )


class Source(Protocol):
    """Tree of voices. A prefix is a folder in it, ``onnx/speakers/mei``; "" means the files in its root alone."""

    @property
    def uri(self) -> str:
        """Address without credentials."""
        ...

    def fetch(self, prefix: str, *, refresh: bool = False) -> Path:
        """Complete files under ``prefix`` as a folder on this machine.

        Args:
            prefix: names joined by "/".
            refresh: ask the source again, and verify every local byte.

        Raises:
            InvalidName: the prefix could leave the source, or is a glob.
            SourceNotFound: nothing is there; the message lists what is.
            SourceDenied, SourceCorrupt, SourceUnavailable, SourceError, BackendMissing
        """
        ...

    def cached(self, prefix: str) -> Path | None:
        """Result of ``fetch`` without any request; None if a request is necessary."""
        ...

    def children(self, prefix: str) -> list[str]:
        """Names of the files and folders directly under ``prefix``, sorted; [] if there is nothing."""
        ...

    def revision(self, prefix: str) -> str:
        """Identity of the content that ``fetch(prefix)`` returned: a commit, or a hash of the files."""
        ...

    def upload(self, prefix: str, local_dir: Path) -> None:
        """Publish the files of ``local_dir`` under ``prefix``: readers see the whole old version or the whole new one.

        Raises:
            InvalidName, SourceError: as for ``fetch``; SourceNotFound when ``local_dir`` has no files.
        """
        ...


@runtime_checkable
class SingleFile(Protocol):
    """A voice that is one file."""

    @property
    def uri(self) -> str:
        """Address without credentials."""
        ...

    def fetch_file(self) -> Path:
        """The complete file on this machine, an absolute path.

        Raises:
            SourceNotFound, SourceDenied, SourceCorrupt, SourceUnavailable, SourceError
        """
        ...


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """File in a listing.

    Attributes:
        path: below the prefix, names joined by "/".
        size: bytes.
        digest: ``sha256:<hex>``, ``md5:<hex>``, ``git:<hex>`` (of a git blob) or ``parts:<bytes>:<hex>-<number>`` (an
            upload to S3 in parts of that size); "" where the source tells none.
        tag: what makes a request conditional (an ETag); "" where there is none.
    """

    path: str
    size: int
    digest: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """Files under a prefix at one revision; ``base`` is the folder below the prefix that holds them."""

    revision: str
    files: tuple[RemoteFile, ...]
    base: str = ""


def check_prefix(prefix: str) -> str:
    """Return ``prefix`` if it can only name a folder inside a source.

    Raises:
        InvalidName: empty names, ``.``, ``..``, globs, backslashes, a leading or trailing slash.
    """
    if prefix and not all(_SEGMENT.fullmatch(part) for part in prefix.split("/")):
        raise InvalidName(
            "not a valid prefix of a source",
            prefix,
            "Use names of A-Z a-z 0-9 . _ - joined by /, no .. and no wildcard",
        )
    return prefix


def check_file(path: str, where: str) -> str:
    """Return ``path`` if it stays below the folder it is joined to.

    Raises:
        SourceCorrupt: a listing of ``where`` names a file outside of it.
    """
    parts = path.split("/")
    if _UNPRINTABLE.search(path) or any(part in ("", ".", "..") for part in parts):
        raise SourceCorrupt("the source lists a file outside its folder", path, f"Remove it from {where}")
    return path


def is_wanted(path: str) -> bool:
    """Whether a file belongs to a voice: neither hidden nor a pickle."""
    parts = path.split("/")
    return not any(part.startswith(".") for part in parts) and Path(path).suffix.lower() not in PICKLES


def not_found(uri: str, prefix: str, parent: str, names: list[str]) -> SourceNotFound:
    """Error for an empty or misspelt prefix; ``names`` are those under ``parent``, its nearest folder."""
    wanted = prefix.removeprefix(f"{parent}/" if parent else "").split("/")[0]
    close = nearest(wanted, names)
    listed = ", ".join([*close, *(name for name in names if name not in close)][:_LISTED])
    place = f"{uri}/{parent}" if parent else uri
    hint = f"Under {place} there is: {listed}" if names else f"{place} is empty"
    more = len(names) - _LISTED
    return SourceNotFound(
        "nothing was found under that prefix", f"{uri}/{prefix}", hint + (f" and {more} more" * (more > 0))
    )


def parents(prefix: str) -> list[str]:
    """Folders above ``prefix``, the nearest first, the root ("") last."""
    parts = prefix.split("/") if prefix else []
    return ["/".join(parts[:length]) for length in range(len(parts) - 1, -1, -1)]
