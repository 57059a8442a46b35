"""Store whose job documents carry signatures (``koebin.tasks.message_signing``); everything else passes through."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from koebin.tasks.message_signing import MessageKeys
from koebin.tasks.stores.base import Finding, Stat, Store

_DOCUMENT: Final = re.compile(
    r"jobs/[^/]+/(manifest\.json|result\.json|chunks/[^/]+\.json|done/[^/]+\.json)|dictionaries/[^/]+\.json"
)


class SignedStore:
    """Signs the documents of jobs as they are written, and takes none that no known key has signed.

    Args:
        store: that holds them.
        keys: of the deployment.
    """

    def __init__(self, store: Store, keys: MessageKeys) -> None:
        self._store = store
        self._keys = keys

    @property
    def uri(self) -> str:
        return self._store.uri

    def put(self, key: str, data: bytes, *, if_absent: bool = True, content_type: str | None = None) -> bool:
        if _DOCUMENT.fullmatch(key):
            data = self._keys.seal(key, data)
        return self._store.put(key, data, if_absent=if_absent, content_type=content_type)

    def put_file(
        self, key: str, path: Path, *, if_absent: bool = False, content_type: str | None = None, given: bool = False
    ) -> bool:
        return self._store.put_file(key, path, if_absent=if_absent, content_type=content_type, given=given)

    def get(self, key: str) -> bytes:
        """Raises: NotSigned: a document that no known key has signed."""
        data = self._store.get(key)
        return self._keys.open(key, data) if _DOCUMENT.fullmatch(key) else data

    def find(self, key: str) -> bytes | None:
        """Raises: NotSigned: a document that no known key has signed."""
        data = self._store.find(key)
        return self._keys.open(key, data) if data is not None and _DOCUMENT.fullmatch(key) else data

    def get_range(self, key: str, first: int, count: int) -> bytes:
        return self._store.get_range(key, first, count)

    def download(self, key: str, path: Path) -> None:
        self._store.download(key, path)

    def exists(self, key: str) -> bool:
        return self._store.exists(key)

    def head(self, key: str) -> Stat | None:
        return self._store.head(key)

    def list(self, prefix: str = "") -> Iterator[str]:
        return self._store.list(prefix)

    def delete(self, key: str) -> None:
        self._store.delete(key)

    def url(self, key: str) -> str:
        return self._store.url(key)

    def presign(self, key: str, seconds: int) -> str:
        return self._store.presign(key, seconds)

    def probe(self) -> Sequence[Finding]:
        return self._store.probe()

    def sweep_temporary(self, older_than_seconds: float) -> int:
        return self._store.sweep_temporary(older_than_seconds)
