"""Cached fetching: the steps that every source with a network shares."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from pathlib import Path
from urllib.parse import urlsplit

import tenacity

from koebin.engine.errors import (
    InvalidName,
    KoebinError,
    SourceCorrupt,
    SourceError,
    SourceNotFound,
    SourceUnavailable,
)
from koebin.engine.sources.base import Listing, RemoteFile, SourceOptions, check_prefix, not_found, parents
from koebin.engine.sources.cache import CachedFolder, Shelf, is_sealed
from koebin.engine.sources.manifest import is_fetched

log = logging.getLogger(__name__)


class CachedSource(ABC):
    """Source whose prefixes are fetched once and then read from the cache."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options
        self._found_elsewhere: dict[str, tuple[Path, str]] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri!r})"

    @property
    @abstractmethod
    def uri(self) -> str: ...

    @abstractmethod
    def _shelf(self) -> Shelf:
        """Cache of this source."""

    @abstractmethod
    def _list(self, prefix: str) -> Listing:
        """Present listing of ``prefix``; empty if there is nothing."""

    @abstractmethod
    def _download(self, prefix: str, listing: Listing, missing: list[RemoteFile], staging: Path) -> None:
        """Write the missing files below ``_staged(prefix, staging)``."""

    @abstractmethod
    def _children(self, prefix: str) -> list[str]:
        """Names directly under ``prefix`` at the source, sorted."""

    @property
    def _closed(self) -> bool:
        """Whether only the cache may be used."""
        return self._options.offline or is_sealed(self._options.cache_root)

    def _staged(self, prefix: str, staging: Path) -> Path:  # noqa: ARG002 - for subclasses that need it
        """Folder below ``staging`` in which downloads end up."""
        return staging / "files"

    def _foreign(self, prefix: str) -> tuple[Path, str] | None:  # noqa: ARG002 - for subclasses that have one
        """Complete folder in another program's cache, with its revision."""
        return None

    def fetch(self, prefix: str, *, refresh: bool = False) -> Path:
        found = None if refresh else self.cached(prefix)
        if found is not None:
            return found
        check_prefix(prefix)
        if self._closed:
            why = "the cache is sealed" if is_sealed(self._options.cache_root) else "the network is switched off"
            raise SourceNotFound(
                f"the source cannot be asked again: {why}" if refresh else f"not in the cache, and {why}",
                f"{self.uri}/{prefix}",
                f"The cache has: {', '.join(self._shelf().prefixes()) or 'nothing'}",
            )
        try:
            with self._shelf().lock(prefix):
                # Another process may have fetched it while this one waited.
                found = None if refresh else self.cached(prefix)
                return found or self._fetch(prefix, refresh)
        except OSError as error:
            raise SourceError(
                f"the cache cannot be written ({error.strerror or type(error).__name__})",
                str(self._options.cache_root),
                "Give it space and permissions, or use another folder",
            ) from error

    def _fetch(self, prefix: str, refresh: bool) -> Path:
        again = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._options.attempts),
            wait=tenacity.wait_exponential(self._options.delay, max=30) + tenacity.wait_random(0, self._options.delay),
            retry=tenacity.retry_if_exception_type((SourceUnavailable, SourceCorrupt)),
            before_sleep=lambda state: log.warning("fetching again: %s", state.outcome and state.outcome.exception()),
            reraise=True,
        )
        return again(self._fetch_once, prefix, refresh)

    def _fetch_once(self, prefix: str, refresh: bool) -> Path:
        listing = self._list(prefix)
        if not listing.files:
            raise self._nothing_under(prefix)
        entry = self._complete(prefix, listing.revision, refresh)
        if entry is None:
            staging = self._shelf().staging(prefix, listing.revision)
            staged = self._staged(prefix, staging)
            missing = [file for file in listing.files if not is_fetched(staged / file.path, file)]
            if missing:
                log.info("fetching %d files of %s/%s", len(missing), self.uri, prefix)
                self._download(prefix, listing, missing, staging)
            entry = self._shelf().commit(prefix, listing, staged)
        self._shelf().pin(prefix, listing.revision)
        return entry.folder

    def _complete(self, prefix: str, revision: str, every_byte: bool) -> CachedFolder | None:
        try:
            entry = self._shelf().entry(prefix, revision)
            if entry is not None and every_byte:
                entry.manifest.check_content(entry.folder)
        except SourceCorrupt as damage:
            log.warning("fetching a damaged entry again: %s", damage)
            return None
        return entry

    def cached(self, prefix: str) -> Path | None:
        check_prefix(prefix)
        try:
            entry = self._shelf().open(prefix)
        except SourceCorrupt as damage:
            if self._closed:
                raise
            log.warning("fetching a damaged entry again: %s", damage)
            return None
        if entry is not None:
            return entry.folder
        foreign = self._elsewhere(prefix)
        return foreign and foreign[0]

    def _elsewhere(self, prefix: str) -> tuple[Path, str] | None:
        """Folder that ``_foreign`` found, verified once, every byte of it."""
        if prefix not in self._found_elsewhere:
            found = self._foreign(prefix)
            if found is None:
                return None
            self._found_elsewhere[prefix] = found
        return self._found_elsewhere[prefix]

    def verify(self, prefix: str) -> None:
        """Compare every cached byte with the fetched files' manifest.

        Raises:
            SourceNotFound: it is not in the cache.
            SourceCorrupt: a file is missing or differs.
        """
        entry = self._shelf().open(check_prefix(prefix))
        if entry is None:
            raise SourceNotFound("not in the cache", f"{self.uri}/{prefix}")
        entry.manifest.check_content(entry.folder)

    def revision(self, prefix: str) -> str:
        entry = self._shelf().open(check_prefix(prefix))
        if entry is not None:
            return entry.manifest.revision
        foreign = self._elsewhere(prefix)
        if foreign is None:
            raise SourceNotFound("not in the cache", f"{self.uri}/{prefix}", "Fetch it first")
        return foreign[1]

    def children(self, prefix: str) -> list[str]:
        check_prefix(prefix)
        if self._closed:
            return self._cached_children(prefix)
        try:
            return self._children(prefix)
        except SourceUnavailable as error:
            # A worker must start from a filled cache while its source is away.
            known = self._cached_children("")
            if not known:
                raise
            log.warning("using the cache instead: %s", error)
            return self._cached_children(prefix)

    def _cached_children(self, prefix: str) -> list[str]:
        above = f"{prefix}/" if prefix else ""
        below = (cached.removeprefix(above) for cached in self._shelf().prefixes() if cached.startswith(above))
        return sorted({path.split("/")[0] for path in below if path})

    def _nothing_under(self, prefix: str) -> KoebinError:
        for parent in parents(prefix):
            names = self._children(parent)
            if names or not parent:
                return not_found(self.uri, prefix, parent, names)
        return not_found(self.uri, prefix, "", self._children(""))


def endpoint_name(endpoint: str) -> str:
    """Folder name that tells endpoints apart: host and port.

    Raises:
        InvalidName: not an ``http(s)`` address, or one with credentials.
    """
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        raise InvalidName("not a valid endpoint", "", "Use http(s)://host:port") from None
    if "@" in parts.netloc:
        raise InvalidName("the endpoint holds credentials", "", "Set the credentials separately from the endpoint")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InvalidName("not a valid endpoint", endpoint, "Use http(s)://host:port")
    path = parts.path.strip("/").replace("/", "~")
    host = parts.hostname.replace(":", "_")
    return f"{host}_{port}" * bool(port) + host * (not port) + (f"~{path}" if path else "")
