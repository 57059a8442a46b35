"""Store URIs: ``s3://bucket/prefix`` and ``file:///folder``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote

from koebin.engine.errors import BackendMissing, InvalidName
from koebin.tasks.stores.base import Store, StoreOptions
from koebin.tasks.stores.signed import SignedStore

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_FORMS = "Use s3://bucket/prefix or file:///absolute/folder"


@dataclass(frozen=True, slots=True)
class StoreUri:
    """A parsed store URI.

    Attributes:
        bucket: "" for a local folder.
        parts: of the prefix or of the absolute folder; none is empty, ``.`` or ``..``.
    """

    bucket: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        if self.bucket:
            return "s3://" + "/".join((self.bucket, *self.parts))
        return "file:///" + quote("/".join(self.parts))

    @property
    def folder(self) -> Path:
        """Local folder as it is written; symbolic links are not followed."""
        return Path("/", *self.parts)

    def lies_under(self, root: StoreUri) -> bool:
        """Whether this is ``root`` or something below it; whole path parts are compared."""
        return self.bucket == root.bucket and self.parts[: len(root.parts)] == root.parts


def parse_uri(uri: str) -> StoreUri:
    """Parse a store URI.

    Raises:
        InvalidName: another scheme, no bucket, a relative folder, ``..``, credentials, a query or a control character.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in ("s3", "file"):
        raise InvalidName("not a valid store URI", _without_credentials(uri), _FORMS)
    if "@" in rest.partition("/")[0]:
        raise InvalidName("a store URI holds credentials", _without_credentials(uri), "Set them in the environment")
    if any(ord(character) < 32 or ord(character) == 127 for character in unquote(rest)):
        raise InvalidName("a store URI holds a control character", ascii(uri), _FORMS)
    host, _, path = rest.partition("/")
    if scheme == "s3":
        if not _BUCKET.fullmatch(host):
            raise InvalidName("not a bucket name", host, _FORMS)
        return StoreUri(host, _parts(uri, path.removesuffix("/")))
    if host not in ("", "localhost"):
        raise InvalidName("a file URI names another machine", uri, _FORMS)
    return StoreUri("", _parts(uri, re.sub("/+", "/", unquote(path)).strip("/")))


def _parts(uri: str, path: str) -> tuple[str, ...]:
    parts = tuple(path.split("/")) if path else ()
    if any(part in ("", ".", "..") for part in parts) or any("\\" in part for part in parts):
        raise InvalidName("a store URI holds an empty part, '.' or '..'", uri, _FORMS)
    return parts


def _without_credentials(uri: str) -> str:
    return re.sub(r"(^|//)[^/@]*@", r"\1***@", uri)


def canonical_uri(uri: str) -> str:
    """Canonical spelling of a store URI.

    Raises:
        InvalidName: see `parse_uri`.
    """
    return str(parse_uri(uri))


def under_root(uri: str, roots: Iterable[str]) -> bool:
    """Whether the store lies in one of ``roots``; symbolic links of local folders are followed first.

    Raises:
        InvalidName: one of them is not a valid store URI.
    """
    wanted = _real(parse_uri(uri))
    return any(wanted.lies_under(_real(parse_uri(root))) for root in roots)


def _real(uri: StoreUri) -> StoreUri:
    if uri.bucket:
        return uri
    return StoreUri("", tuple(part for part in os.path.realpath(uri.folder).split("/") if part))


def open_store(uri: str, *, options: StoreOptions | None = None) -> Store:
    """Store at ``uri``; nothing is contacted or created yet.

    Raises:
        InvalidName: see `parse_uri`.
        BackendMissing: an S3 URI without boto3 installed.
    """
    parsed = parse_uri(uri)
    if not parsed.bucket:
        from koebin.tasks.stores.local import LocalStore

        chosen = options or StoreOptions()
        store: Store = LocalStore(parsed.folder, chosen.document_mode, chosen.file_mode)
    else:
        store = _open_bucket(parsed, options or StoreOptions())
    return SignedStore(store, options.message_keys) if options and options.message_keys else store


@lru_cache(maxsize=64)
def _open_bucket(uri: StoreUri, options: StoreOptions) -> Store:
    """One store per process and location: it remembers what it has learnt of its server."""
    try:
        from koebin.tasks.stores.s3 import S3Store
    except ModuleNotFoundError as error:
        raise BackendMissing("boto3 is not installed", str(uri), "Run: pip install 'koebin[s3]'") from error
    return S3Store(uri.bucket, "/".join(uri.parts), options)
