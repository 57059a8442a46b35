"""A voice in one file behind a web address, such as AivisHub's download links.

Kept in ``<cache>/sources/web/<host>/<hash of the address>/``: the file and ``file.json`` with its checksum. What is
there is never asked for again, so that a worker starts without the network.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import ipaddress
import json
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import tenacity

from koebin.engine.errors import (
    BackendMissing,
    SourceCorrupt,
    SourceDenied,
    SourceError,
    SourceNotFound,
    SourceUnavailable,
)
from koebin.engine.limits import VOICE_FILE_BYTES, VOICE_FILE_SECONDS
from koebin.engine.sources.base import SourceOptions
from koebin.engine.sources.cache import is_sealed
from koebin.engine.sources.manifest import checksum, sync, write_through

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger(__name__)

_CHECKSUM: Final = re.compile(r"sha256=([0-9a-fA-F]{64})")
_REDIRECTS: Final = 5
_SHORT_LABEL: Final = 3
"""Labels before a country's that are no names of their own: co.jp, or.jp, ac.uk."""
_HINT: Final = "Use https://host/path, and #sha256=… behind it for the file's checksum"


class WebFile:
    """A file behind ``https://``; ``http://`` only on this machine.

    Args:
        url: without fragment.
        sha256: of the file, hexadecimal; "" takes what comes, and keeps to that.
        options: cache, timeouts, tries, and keys by host.
    """

    def __init__(self, url: str, sha256: str, options: SourceOptions) -> None:
        self._url = url
        self._parts = urlsplit(url)
        self._sha256 = sha256.lower()
        self._options = options

    @classmethod
    def parse(cls, uri: str, options: SourceOptions) -> WebFile:
        """The file at an address.

        Raises:
            SourceError: an address with credentials, without host, over plain HTTP, or with another fragment.
        """
        url, _, fragment = uri.partition("#")
        checked = _CHECKSUM.fullmatch(fragment)
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise SourceError("not a web address", "", _HINT) from None
        if "@" in parts.netloc:
            raise SourceError("the address holds credentials", host or "", "Set KOEBIN_VOICE_KEYS=HOST=KEY instead")
        if not host or (fragment and not checked):
            raise SourceError("not a web address of a voice", _shown(parts), _HINT)
        if parts.scheme == "http" and not is_loopback(host):
            raise SourceError("a voice is not fetched over plain HTTP", _shown(parts), "Use https://")
        return cls(url, checked[1] if checked else "", options)

    def __repr__(self) -> str:
        return f"WebFile({self.uri!r})"

    @property
    def uri(self) -> str:
        """Address without its query, which may hold a key."""
        return _shown(self._parts)

    def fetch_file(self) -> Path:
        found = self._cached()
        if found is not None:
            return found
        if self._options.offline or is_sealed(self._options.cache_root):
            raise SourceNotFound("not in the cache, and the network is not to be used", self.uri, "Fetch it first")
        try:
            with self._locked():
                return self._cached() or self._fetch()
        except OSError as error:
            what = f"the cache cannot be written ({error.strerror or type(error).__name__})"
            hint = "Give it space and permissions, or use another folder"
            raise SourceError(what, str(self._options.cache_root), hint) from error

    @property
    def _folder(self) -> Path:
        name = hashlib.sha256(f"{self._url}#{self._sha256}".encode()).hexdigest()[:32]
        return self._options.cache_root / "sources" / "web" / self._parts.netloc.replace(":", "_") / name

    def _cached(self) -> Path | None:
        path = self._folder / "voice"
        try:
            known = json.loads((self._folder / "file.json").read_bytes())
            whole = path.stat().st_size == known["size"] and (not self._sha256 or known["sha256"] == self._sha256)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return path if whole else None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _fetch(self) -> Path:
        again = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._options.attempts),
            wait=tenacity.wait_exponential(self._options.delay, max=30) + tenacity.wait_random(0, self._options.delay),
            retry=tenacity.retry_if_exception_type((SourceUnavailable, SourceCorrupt)),
            before_sleep=lambda state: log.warning("fetching again: %s", state.outcome and state.outcome.exception()),
            reraise=True,
        )
        return again(self._fetch_once)

    def _fetch_once(self) -> Path:
        partial = self._folder / ".partial"
        try:
            self._download(partial)
            found = checksum(partial)
            if self._sha256 and found.sha256 != self._sha256:
                raise SourceCorrupt("what arrived has another checksum", self.uri, "Check the checksum, or try again")
            sync([partial])
            partial.replace(self._folder / "voice")
            document = {"source": self.uri, "size": found.size, "sha256": found.sha256}
            write_through(self._folder / "file.json", json.dumps(document).encode())
        finally:
            partial.unlink(missing_ok=True)
        return self._folder / "voice"

    def _download(self, target: Path) -> None:
        try:
            import httpx2
        except ModuleNotFoundError:
            raise BackendMissing("httpx2 is not installed", "https", "Install koebin[engine]") from None
        timeout = httpx2.Timeout(self._options.read_timeout, connect=self._options.connect_timeout)
        url, until = self._url, time.monotonic() + VOICE_FILE_SECONDS
        try:
            with httpx2.Client(timeout=timeout, follow_redirects=False) as client:
                for _ in range(_REDIRECTS + 1):
                    with client.stream("GET", url, headers=self._headers(url)) as answer:
                        if answer.is_redirect:
                            url = self._followed(url, answer.headers.get("location", ""))
                            continue
                        self._check(answer)
                        self._write(answer, target, until)
                        return
        except httpx2.TransportError as error:
            what = f"the source does not answer ({type(error).__name__})"
            raise SourceUnavailable(what, self.uri, "Try again") from None
        except httpx2.InvalidURL:
            raise SourceError("the source leads to an address that is none", self.uri) from None
        raise SourceError(f"the source redirects more than {_REDIRECTS} times", self.uri)

    def _headers(self, url: str) -> dict[str, str]:
        parts = urlsplit(url)
        key = self._options.keys.get(parts.netloc) or self._options.keys.get(parts.hostname or "")
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _followed(self, url: str, location: str) -> str:
        """The address that is redirected to, if it is of the same kind and the same site."""
        target = urljoin(url, location)
        try:
            old, new = urlsplit(url), urlsplit(target)
            old_host, new_host = old.hostname or "", new.hostname or ""
        except ValueError:
            raise SourceError("the source leads to an address that is none", self.uri) from None
        same = old.scheme == new.scheme and site_of(old_host) == site_of(new_host)
        if not same or is_loopback(old_host) != is_loopback(new_host) or "@" in new.netloc:
            place = f"{new.scheme}://{new_host}"
            raise SourceError("the source redirects to another site", place, "Use the address of the file itself")
        return target

    def _check(self, answer: httpx2.Response) -> None:
        status = answer.status_code
        if status in (401, 403):
            place = self._parts.netloc
            raise SourceDenied(f"the source refuses ({status})", self.uri, f"Set KOEBIN_VOICE_KEYS={place}=KEY")
        if status in (404, 410):
            raise SourceNotFound("there is no such file", self.uri, "Check the address")
        if status == 429 or status >= 500:
            raise SourceUnavailable(f"the source answers {status}", self.uri, "Try again later")
        if status != 200:
            raise SourceError(f"the source answers {status}", self.uri)
        announced = answer.headers.get("content-length", "")
        if announced.isdigit() and int(announced[:20]) > VOICE_FILE_BYTES:
            raise SourceError(f"the file has more than {VOICE_FILE_BYTES} bytes", self.uri)

    def _write(self, answer: httpx2.Response, target: Path, until: float) -> None:
        size = 0
        with target.open("wb") as file:
            for block in answer.iter_raw():
                size += len(block)
                if size > VOICE_FILE_BYTES:
                    raise SourceError(f"the file has more than {VOICE_FILE_BYTES} bytes", self.uri)
                if time.monotonic() > until:
                    raise SourceUnavailable(f"the file did not arrive within {VOICE_FILE_SECONDS:.0f} s", self.uri)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        announced = answer.headers.get("content-length", "")
        if announced.isdigit() and int(announced) != size:
            raise SourceCorrupt("the file ends too early", self.uri, "Try again")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def site_of(host: str) -> str:
    """Who a host belongs to: its last two labels, three below co.jp and the like; an address is its own."""
    labels = host.lower().rstrip(".").split(".")
    if host.replace(".", "").isdigit() or ":" in host or len(labels) <= 2:
        return host.lower()
    second_level = len(labels[-1]) == 2 and len(labels[-2]) <= _SHORT_LABEL
    return ".".join(labels[-3 if second_level else -2 :])


def _shown(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
