"""Work that stands still while its process does something more urgent, and goes on when its task runs again there.

An assembly that began anew each time would never end: what it has encoded is kept nowhere else.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Final

from koebin.engine.errors import GiveBack, LeaseLost
from koebin.engine.niceness import go_behind

if TYPE_CHECKING:
    from koebin.tasks.running.cancellation import Guard

Work = Callable[[Callable[[], None]], object]
"""It is given a function that it calls between its steps, from any of its threads; what that raises ends it."""

_LOOK_SECONDS: Final = 0.1
_LONGEST_SECONDS: Final = 3600.0
"""For which work stands still: by then another worker has done it."""
_MOST: Final = 2
"""Pieces of work that stand still in a process; each may have a book's sound in temporary files."""


class Paused:
    """What stands still in this process, by name. It is used by one thread: that of the tasks."""

    def __init__(self) -> None:
        self._paused: dict[str, _Begun] = {}

    def run(self, name: str, work: Work, guard: Guard) -> None:
        """Do the work, or go on with what stands still under that name.

        Raises:
            GiveBack: preempted; the work stands still after its present step.
        """
        begun = self._paused.pop(name, None)
        if begun is None or begun.has_failed():
            begun = _Begun(work, guard)
        if begun.ends(guard):
            return
        self._paused[name] = begun
        while len(self._paused) > _MOST:
            self.drop(next(iter(self._paused)))
        raise GiveBack("preempted by more urgent work", name)

    def drop(self, name: str) -> None:
        """End what stands still under that name, if anything does."""
        if begun := self._paused.pop(name, None):
            begun.end()


class _Begun:
    """Work in a thread of its own, behind the others of the process."""

    def __init__(self, work: Work, guard: Guard) -> None:
        self._guard = guard
        self._goes_on = threading.Event()
        self._dropped = False
        self._future: Future[object] = Future()
        context = contextvars.copy_context()  # with the trace that it belongs to
        threading.Thread(target=context.run, args=(self._run, work), name="koebin-pausable", daemon=True).start()

    def ends(self, guard: Guard) -> bool:
        """Let it go on under a guard; False once something is more urgent. Raises: what ended the work."""
        self._guard = guard
        self._goes_on.set()
        while not wait([self._future], _LOOK_SECONDS).done:
            if guard.may_be_preempted and guard.is_preempted():
                self._goes_on.clear()
                return False
        self._future.result()
        return True

    def has_failed(self) -> bool:
        """Whether it ended, while it stood still, with an error that its next run would have met."""
        return self._future.done() and self._future.exception() is not None

    def end(self) -> None:
        self._dropped = True
        self._goes_on.set()

    def _run(self, work: Work) -> None:
        if self._guard.may_be_preempted:
            go_behind()
        try:
            self._future.set_result(work(self._check))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
            self._future.set_exception(error)

    def _check(self) -> None:
        if not self._goes_on.wait(_LONGEST_SECONDS) or self._dropped:
            raise GiveBack("what stood still was not taken up again")
        guard = self._guard
        try:
            guard.check()
        except LeaseLost:
            if guard is self._guard:  # else a later run of this very work has the lease now
                raise
