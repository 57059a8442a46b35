"""Keys of the HTTP door: who may speak with whom, how much, and with which share of the queue.

```toml
[keys.kitchen]
sha256 = "…"                    # of the key itself: koebin serve --new-key kitchen
speakers = ["mei", "jvnv-*"]    # patterns; all, if left out
share = 2.0                     # of the queue, against the other keys' shares
requests_per_minute = 120
characters_per_minute = 60000
concurrent = 64                 # requests at once
jobs = 20                       # jobs that have not ended
upload_bytes = 10000000
```
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from koebin.engine.errors import InvalidSettings

log = logging.getLogger(__name__)

_RELOAD_SECONDS: Final = 5.0
NAME: Final = r"^[a-z0-9][a-z0-9-]{0,31}$"
_PREFIX: Final = "kb-"


class Key(BaseModel):
    """What one holder of a key may do.

    Attributes:
        name: its jobs' ids begin with it.
        alone: there are no keys, and whoever reaches the door may do everything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=NAME)
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$", repr=False)
    speakers: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ("*",)
    share: float = Field(default=1.0, gt=0.0, le=1000.0)
    requests_per_minute: float = Field(default=120.0, gt=0.0)
    characters_per_minute: float = Field(default=60_000.0, gt=0.0)
    concurrent: int = Field(default=64, ge=1)
    jobs: int = Field(default=20, ge=0)
    upload_bytes: int | None = Field(default=None, ge=1024)
    alone: bool = False

    def may_use(self, speaker: str) -> bool:
        """Whether the speaker is on the key's list."""
        return any(fnmatchcase(speaker, pattern) for pattern in self.speakers)


ALONE: Final = Key(
    name="local",
    requests_per_minute=1e9,
    characters_per_minute=1e12,
    concurrent=100_000,
    jobs=100_000,
    alone=True,
)
"""Of whoever reaches a door without keys."""


class KeyRing:
    """The keys of a file, read again when it changes.

    Args:
        path: None: no key is asked for.

    Raises:
        InvalidSettings: the file cannot be read, or holds something else.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._looked = time.monotonic()
        self._stamp = _stamp(path)
        self._keys = _load(path) if path else {}

    @property
    def open(self) -> bool:
        """Whether no key is asked for."""
        return self._path is None

    def find(self, token: str | None) -> Key | None:
        """The key that a client presents; None if it is none."""
        if self._path is None:
            return ALONE
        self._refresh(self._path)
        return self._keys.get(digest(token)) if token else None

    def names(self) -> tuple[str, ...]:
        """Of all keys."""
        return tuple(key.name for key in self._keys.values()) or (ALONE.name,)

    def _refresh(self, path: Path) -> None:
        if time.monotonic() - self._looked < _RELOAD_SECONDS:
            return
        self._looked = time.monotonic()
        stamp = _stamp(path)
        if stamp == self._stamp:
            return
        try:
            self._keys, self._stamp = _load(path), stamp
            log.info("the keys were read again: %d", len(self._keys))
        except InvalidSettings as error:
            log.error("the keys stay as they were: %s", error)


def new_token() -> str:
    """A key that is not guessed."""
    return _PREFIX + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What the file holds of a key. Keys are random, so that a plain hash of one is not turned back."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None


def _load(path: Path) -> dict[str, Key]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSettings("the keys' file cannot be read", str(path), str(error)) from None
    table = document.get("keys")
    if not isinstance(table, dict) or not table or set(document) != {"keys"}:
        raise InvalidSettings("the keys' file has no table of keys", str(path), "Run: koebin serve --new-key NAME")
    keys: dict[str, Key] = {}
    for name, fields in table.items():
        key = _key(name, fields, path)
        if key.sha256 in keys:
            raise InvalidSettings("two keys are the same", name, "Make another one: koebin serve --new-key NAME")
        keys[key.sha256] = key
    return keys


def _key(name: str, fields: object, path: Path) -> Key:
    try:
        key = Key.model_validate({**(fields if isinstance(fields, dict) else {"fields": fields}), "name": name})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidSettings(f"keys.{name}: {where}: {first['msg']}", str(path), "See docs/http.md") from None
    if not key.sha256 or key.alone:
        raise InvalidSettings(f"keys.{name} has no sha256", str(path), f"Run: koebin serve --new-key {name}")
    return key
