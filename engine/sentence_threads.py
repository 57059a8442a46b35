"""Sentences spoken in threads of their own, a few ahead of whoever takes them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from koebin.engine.permits import Errand, Permits
from koebin.engine.request import Request

T = TypeVar("T")

_LOOK_SECONDS: Final = 0.1
"""Seconds between two questions whether to go on, while a sentence is awaited."""
_KEPT: Final = 4
"""Sentences that are kept for each thread, once they were left."""


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """A sentence that is to be spoken: ``speak`` is called in a thread, and asks for its permits with the errand."""

    request: Request
    speak: Callable[[Errand], T]


@dataclass(frozen=True, slots=True)
class _Begun(Generic[T]):
    request: Request
    errand: Errand
    future: Future[T]


class SentenceThreads(Generic[T]):
    """Threads for the sentences of one speaker.

    Whoever is told to stop does not wait for the sentences that are being spoken. They are left to end by themselves,
    and the next who wants one of them takes it over, running or finished: so what is stopped again and again gets on.
    """

    def __init__(self, threads: int, name: str, permits: Permits) -> None:
        self._threads = threads
        self._name = name
        self._permits = permits
        self._left: deque[_Begun[T]] = deque(maxlen=_KEPT * threads)
        self._lock = threading.Lock()

    def speak(self, jobs: Iterable[Job[T]], go_on: Callable[[], bool] | None = None) -> Iterator[T]:
        """What the jobs give, in order.

        Args:
            go_on: asked before anything but the first job is begun, and ten times a second while one is awaited. After
                a no, what has ended is given, and what runs is left. None: yes, and past what others have left.
        """
        question = _Question(go_on or (lambda: True))
        ahead: deque[_Begun[T]] = deque()
        pool = ThreadPoolExecutor(self._threads, self._name)
        try:
            for job in _after_the_first(jobs, question.ask):
                ahead.append(self._begin(pool, job, waits=go_on is not None))
                if len(ahead) >= 2 * self._threads:
                    if not _ends(ahead[0].future, question.ask):
                        break
                    yield ahead.popleft().future.result()
            while ahead and _ends(ahead[0].future, question.ask):
                yield ahead.popleft().future.result()
        finally:
            for begun in ahead:
                self._drop(begun, leave=question.refused)
            pool.shutdown(wait=not question.refused)

    def _begin(self, pool: ThreadPoolExecutor, job: Job[T], *, waits: bool) -> _Begun[T]:
        with self._lock:
            found = next((left for left in self._left if left.request == job.request), None)
            if found is not None:
                self._left.remove(found)
        if found is not None and not (found.future.done() and found.future.exception()):
            return found
        errand = Errand(waits=waits)
        return _Begun(job.request, errand, pool.submit(job.speak, errand))

    def _drop(self, begun: _Begun[T], *, leave: bool) -> None:
        begun.future.cancel()
        if leave and self._permits.leave(begun.errand):
            with self._lock:
                self._left.append(begun)
        else:
            self._permits.stop(begun.errand)


def _after_the_first(jobs: Iterable[Job[T]], go_on: Callable[[], bool]) -> Iterator[Job[T]]:
    for number, job in enumerate(jobs):
        if number and not go_on():
            return
        yield job


def _ends(future: Future[T], go_on: Callable[[], bool]) -> bool:
    """Wait for the end, or for a no. Returns: whether it has ended."""
    while not future.done():
        if not go_on():
            return False
        wait([future], _LOOK_SECONDS)
    return True


class _Question:
    """Whether to go on; after the first no it is not asked again."""

    def __init__(self, go_on: Callable[[], bool]) -> None:
        self._go_on = go_on
        self.refused = False

    def ask(self) -> bool:
        self.refused = self.refused or not self._go_on()
        return not self.refused
