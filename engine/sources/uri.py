"""Addresses of sources: parsing and opening."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from koebin.engine.errors import SourceError
from koebin.engine.sources.base import SingleFile, Source, SourceOptions

_HUB: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,95})/([A-Za-z0-9][A-Za-z0-9._-]{0,95})(?:@([^@]+))?")
_REVISION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f\\]")
_FORMS: Final = (
    "Use hf://user/repository[@revision], s3://bucket[/prefix], https://host/file.aivmx[#sha256=…], file:///folder, "
    "file:///voice.aivmx or an absolute path"
)
FILE_SUFFIXES: Final = (".aivm", ".aivmx")


def parse(uri: str, options: SourceOptions) -> Source:
    """Source at an address; nothing is requested or fetched yet.

    Raises:
        SourceError: the address has another form, or holds credentials.
    """
    if _UNPRINTABLE.search(uri):
        raise SourceError("the source's address contains an invalid character", uri, _FORMS)
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return _local(uri, uri)
    match scheme:
        case "hf":
            return _hub(uri, rest, options)
        case "s3":
            return _s3(uri, rest, options)
        case "file":
            return _file(uri)
        case _:
            raise SourceError("unknown kind of source", f"{scheme}://", _FORMS)


def open_source(uri: str, options: SourceOptions) -> Source | SingleFile:
    """The source at an address, which may also be that of a single file; nothing is fetched yet.

    Raises:
        SourceError: the address has another form, or holds credentials.
    """
    scheme = uri.partition("://")[0] if "://" in uri else ""
    if scheme in ("https", "http"):
        from koebin.engine.sources.web import WebFile

        if _UNPRINTABLE.search(uri):
            raise SourceError("the source's address holds a character that cannot be in one", "", _FORMS)
        return WebFile.parse(uri, options)
    source = parse(uri, options)
    from koebin.engine.sources.local import LocalFile, LocalSource

    if isinstance(source, LocalSource) and (source.root.suffix.lower() in FILE_SUFFIXES or source.root.is_file()):
        return LocalFile(source.root)
    return source


def _hub(uri: str, rest: str, options: SourceOptions) -> Source:
    from koebin.engine.sources.hf import HubSource

    match = _HUB.fullmatch(rest)
    user, repository, revision = match.groups() if match else ("", "", "")
    if not match or ".." in repository or (revision and (not _REVISION.fullmatch(revision) or ".." in revision)):
        raise SourceError(
            "not a valid repository of the hub", _without_credentials(uri), "Use hf://user/repository[@revision]"
        )
    return HubSource(f"{user}/{repository}", revision or "", options)


def _s3(uri: str, rest: str, options: SourceOptions) -> Source:
    from koebin.engine.sources.s3 import S3Source

    bucket, _, root = rest.partition("/")
    root = root.removesuffix("/")
    parts = root.split("/") if root else []
    if not _BUCKET.fullmatch(bucket) or any(part in ("", ".", "..") or "*" in part or "~" in part for part in parts):
        raise SourceError("not a valid bucket with a prefix", _without_credentials(uri), "Use s3://bucket[/prefix]")
    if "?" in root or "#" in root:
        raise SourceError(
            "a bucket's address must not contain ? or #", uri.split("?")[0], "Set the endpoint apart from it"
        )
    return S3Source(bucket, root, options)


def _file(uri: str) -> Source:
    parts = urlsplit(uri)
    if parts.netloc or parts.query or parts.fragment:
        raise SourceError("not a folder on this machine", _without_credentials(uri), "Use file:///folder")
    return _local(unquote(parts.path), uri)


def _local(path: str, uri: str) -> Source:
    from koebin.engine.sources.local import LocalSource

    if not path.startswith("/") or _UNPRINTABLE.search(path):
        raise SourceError("not a valid address of a source", uri, _FORMS)
    if ".." in path.split("/"):
        raise SourceError("the address of a source contains ..", uri, "Write the path without ..")
    return LocalSource(Path(path))


def _without_credentials(uri: str) -> str:
    """Printable part of an address that contains a user or a password."""
    scheme, _, rest = uri.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"
