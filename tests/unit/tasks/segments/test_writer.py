"""Segments are stored while the next ones are rendered."""

import threading
from pathlib import Path

import numpy as np
import pytest

from koebin.engine.audio.audio import Audio
from koebin.engine.errors import GiveBack, StoreFull
from koebin.tasks.segments import store as segments
from koebin.tasks.segments.writer import AHEAD, SegmentWriter
from koebin.tasks.stores.local import LocalStore

KEYS = [f"{number:064x}" for number in range(2 * AHEAD)]


def audio(number: int) -> Audio:
    return Audio(np.full(1000 + number, 0.1, np.float32), 24_000)


class Gated(LocalStore):
    """A store that takes nothing until it is told to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gate = threading.Event()

    def put(self, key: str, data: bytes, *, if_absent: bool = True, content_type: str | None = None) -> bool:
        assert self.gate.wait(10)
        return super().put(key, data, if_absent=if_absent, content_type=content_type)


def test_rendering_goes_on_and_what_waits_is_bounded(tmp_path: Path) -> None:
    store = Gated(tmp_path)
    stored: list[int] = []
    added: list[int] = []

    def render() -> None:
        with SegmentWriter(store, lambda sound: stored.append(len(sound))) as writer:
            for number, key in enumerate(KEYS):
                added.append(number)
                writer.add(key, audio(number))

    thread = threading.Thread(target=render)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    assert (len(added), stored) == (AHEAD + 1, []), "one more waits for room"
    store.gate.set()
    thread.join(10)
    assert sorted(stored) == [1000 + number for number in range(len(KEYS))]
    assert segments.stored(store, KEYS) == set(KEYS), "the end waits for all of them"


def test_nothing_ahead_is_stored_at_once(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with SegmentWriter(store, lambda _: None, ahead=0) as writer:
        for number, key in enumerate(KEYS):
            writer.add(key, audio(number))
            assert segments.stored(store, [key])


def test_a_full_store_is_reported_and_what_had_begun_is_stored(tmp_path: Path) -> None:
    class Full(LocalStore):
        def put(self, key: str, data: bytes, *, if_absent: bool = True, content_type: str | None = None) -> bool:
            if KEYS[1] in key:
                raise StoreFull("no space is left in the store", key)
            return super().put(key, data, if_absent=if_absent, content_type=content_type)

    store = Full(tmp_path)
    stored: list[int] = []

    def render() -> None:
        with SegmentWriter(store, lambda sound: stored.append(len(sound))) as writer:
            for number, key in enumerate(KEYS):
                writer.add(key, audio(number))

    with pytest.raises(StoreFull):
        render()
    there = segments.stored(store, KEYS)
    assert KEYS[0] in there
    assert KEYS[1] not in there
    assert len(stored) == len(there), "progress is counted for what is stored and for nothing else"


def test_what_is_rendered_is_stored_when_the_chunk_is_given_back(tmp_path: Path) -> None:
    store = Gated(tmp_path)

    def render() -> None:
        with SegmentWriter(store, lambda _: None) as writer:
            for number, key in enumerate(KEYS[:AHEAD]):
                writer.add(key, audio(number))
            threading.Timer(0.1, store.gate.set).start()
            raise GiveBack("the worker shuts down", "")

    with pytest.raises(GiveBack):
        render()
    assert segments.stored(store, KEYS) == set(KEYS[:AHEAD])
