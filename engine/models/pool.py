"""Pool of loaded models with a limit, least recently used first out."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from koebin.engine.models.base import AcousticModel


@dataclass(slots=True)
class _Entry:
    model: AcousticModel
    users: int = 0
    removed: bool = False


class ModelPool:
    """Loaded models by name, at most ``limit`` of them; the least recently used one is closed for the next.

    A model in use is never closed; whoever needs room waits until one is idle. Any thread may call any method.

    Args:
        open_model: loads a model by its name; called without the pool's lock.
        limit: None keeps all.
    """

    def __init__(self, open_model: Callable[[str], AcousticModel], limit: int | None = None) -> None:
        self._open = open_model
        self._limit = limit
        self._loaded: OrderedDict[str, _Entry] = OrderedDict()
        self._loading: set[str] = set()
        self._changed = threading.Condition()

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of the models in memory, the most recently used one last."""
        with self._changed:
            return tuple(self._loaded)

    @contextmanager
    def lease(self, name: str) -> Iterator[AcousticModel]:
        """The model, loaded if necessary, kept in memory until the block ends."""
        entry = self._take(name)
        try:
            yield entry.model
        finally:
            self._give_back(entry)

    def add(self, name: str, model: AcousticModel) -> None:
        """Add a model that was opened elsewhere; it counts as just used.

        Where all others are in use, there is one more than the limit for a while.
        """
        with self._changed:
            self._discard(name)
            while not self._has_room() and self._evict():
                pass
            self._loaded[name] = _Entry(model)
            self._changed.notify_all()

    def remove(self, name: str) -> None:
        """Close a model, once nobody uses it; a name that is not loaded is ignored."""
        with self._changed:
            self._discard(name)
            self._changed.notify_all()

    def clear(self) -> None:
        """Close all models, each once nobody uses it."""
        for name in self.loaded:
            self.remove(name)

    def _take(self, name: str) -> _Entry:
        with self._changed:
            while name not in self._loaded:
                if name not in self._loading and (self._has_room() or self._evict()):
                    break
                self._changed.wait()
            else:
                return self._use(name)
            self._loading.add(name)
        try:
            entry = _Entry(self._open(name))
        except BaseException:
            with self._changed:
                self._loading.discard(name)
                self._changed.notify_all()
            raise
        with self._changed:
            self._loading.discard(name)
            self._loaded[name] = entry
            self._changed.notify_all()
            return self._use(name)

    def _use(self, name: str) -> _Entry:
        entry = self._loaded[name]
        entry.users += 1
        self._loaded.move_to_end(name)
        return entry

    def _give_back(self, entry: _Entry) -> None:
        with self._changed:
            entry.users -= 1
            if entry.removed and not entry.users:
                entry.model.close()
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._limit is None or len(self._loaded) + len(self._loading) < self._limit

    def _evict(self) -> bool:
        idle = next((name for name, entry in self._loaded.items() if not entry.users), None)
        if idle is None:
            return False
        self._discard(idle)
        return True

    def _discard(self, name: str) -> None:
        entry = self._loaded.pop(name, None)
        if entry is None:
            return
        entry.removed = True
        if not entry.users:
            entry.model.close()
