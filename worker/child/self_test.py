"""Proof of a pool process that it can do its work, before it is given any and when it doubts itself.

A segment is rendered, encoded, stored, read and removed in every store below the worker's roots; there is memory, disk
and room for files. One wrong worker beside good ones would fail what they could do.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from redis import Redis
from redis.exceptions import RedisError

from koebin.engine.errors import KoebinError
from koebin.tasks.connection import clock_skew
from koebin.tasks.errors_table import Payer, payer
from koebin.tasks.running.process_doubts import PROOF_TEXT
from koebin.tasks.stores.base import Store
from koebin.worker.child.free_resources import lacking_room

if TYPE_CHECKING:
    from koebin.engine.speaker import Speaker

log = logging.getLogger(__name__)

_FOLDER: Final = "doctor"
"""In a store, beside what ``koebin doctor`` tries."""


class Proof:
    """What one process has to prove.

    Args:
        roots: of the stores that are tried.
        work_dir: where assembling needs room.
        say: called with what is lacking, "" if nothing is.
    """

    def __init__(
        self,
        redis: Redis,
        open_store: Callable[[str], Store],
        roots: Sequence[str],
        speakers: Mapping[str, Speaker],
        work_dir: Path,
        say: Callable[[str], None],
    ) -> None:
        self._redis = redis
        self._open_store = open_store
        self._roots = roots
        self._speakers = speakers
        self._work_dir = work_dir
        self._say = say

    def run(self) -> str:
        """What is lacking, "" if nothing is; whoever asks for it is told as well."""
        try:
            self._room()
            self._stores(self._segment())
            lacking = ""
        except Exception as error:  # noqa: BLE001 - whatever it is, this process cannot work
            lacking = str(error) if isinstance(error, KoebinError) else f"{type(error).__name__}: {error}"
            lacking = f"{lacking[:300]}{self._skew()}"
            log.error("the worker cannot do its work: %s", lacking)
        self._say(lacking)
        return lacking

    def _room(self) -> None:
        """Raises: OSError: too little memory, disk or descriptors."""
        for lacking, _hint in lacking_room(self._work_dir):
            raise OSError(lacking)

    def _segment(self) -> bytes:
        """The audio of a sentence as it would be stored; any bytes where nobody speaks."""
        if not self._speakers:
            return b"koebin"
        from koebin.engine.request import Request

        speaker = next(iter(self._speakers.values()))
        (audio,) = speaker.render([Request(PROOF_TEXT)])
        return audio.to_bytes("flac")

    def _stores(self, data: bytes) -> None:
        """Raises: KoebinError, OSError: one is wrong, or none answers; one of several that is away is the world's."""
        away: list[KoebinError] = []
        for root in self._roots:
            key = f"{_FOLDER}/{secrets.token_hex(8)}.flac"
            try:
                store = self._open_store(root)
                store.put(key, data)
                try:
                    same = store.get(key) == data
                finally:
                    store.delete(key)
            except KoebinError as error:
                if payer(error) is not Payer.WORLD:
                    raise
                away.append(error)
            else:
                if not same:
                    raise OSError(f"{root} gives other bytes than it was given")
        if away and len(away) == len(self._roots):
            raise away[0]

    def _skew(self) -> str:
        """How far this machine's clock is off, where that may be why."""
        try:
            skew = clock_skew(self._redis)
        except RedisError:
            return ""
        return f" (this machine's clock is {skew:+.0f} s off the broker's)" if skew else ""


_installed: list[Proof] = []


def install_proof(proof: Proof) -> None:
    """Set what this process has to prove; the pool runs functions by name and can hand them nothing."""
    _installed[:] = [proof]


def prove() -> str:
    """Run in a pool process: what is lacking, "" if nothing is."""
    return _installed[0].run() if _installed else "the process has no engine"
