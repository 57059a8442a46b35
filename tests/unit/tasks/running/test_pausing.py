"""Work that stands still: it goes on where it was, ends when it is dropped, and raises what ended it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

import pytest

from koebin.engine.errors import GiveBack, LeaseLost, StoreFull
from koebin.tasks.running.cancellation import Guard
from koebin.tasks.running.pausing import Paused
from tests.servers.waiting import PATIENCE, wait_until


class FakeGuard:
    """Of a task that is preempted as soon as ``urgent`` is set; ``error`` is raised by ``check``."""

    may_be_preempted = True

    def __init__(self) -> None:
        self.urgent = threading.Event()
        self.error: Exception | None = None
        self.checked = 0

    def is_preempted(self) -> bool:
        return self.urgent.is_set()

    def check(self) -> None:
        self.checked += 1
        if self.error:
            raise self.error


class Steps:
    """Work of steps, each of which waits until it may be done."""

    def __init__(self, number: int) -> None:
        self.may = [threading.Event() for _ in range(number)]
        self.done = 0
        self.runs = 0
        self.ended_by: BaseException | None = None

    def __call__(self, check: Callable[[], None]) -> None:
        self.runs += 1
        try:
            for may in self.may:
                check()
                assert may.wait(PATIENCE)
                self.done += 1
        except BaseException as error:
            self.ended_by = error
            raise


def run(paused: Paused, work: Steps, guard: FakeGuard, name: str = "book") -> None:
    paused.run(name, work, cast(Guard, guard))


def pause(paused: Paused, work: Steps, name: str = "book") -> None:
    guard = FakeGuard()
    guard.urgent.set()
    with pytest.raises(GiveBack):
        run(paused, work, guard, name)


def test_work_that_nothing_disturbs_is_done_in_one_go() -> None:
    work, guard = Steps(3), FakeGuard()
    for may in work.may:
        may.set()
    run(Paused(), work, guard)
    assert (work.done, guard.checked) == (3, 3)


def test_it_makes_way_within_a_step_and_goes_on_under_the_guard_of_its_next_run() -> None:
    paused, work = Paused(), Steps(4)
    pause(paused, work)
    assert work.done == 0
    work.may[0].set()
    wait_until(lambda: work.done == 1)
    for may in work.may:
        may.set()
    assert work.done == 1, "it did not stand still"
    guard = FakeGuard()
    run(paused, work, guard)
    assert (work.done, work.runs) == (4, 1)
    assert guard.checked == 3


def test_every_run_gets_a_step_further_however_soon_it_is_disturbed() -> None:
    paused, work = Paused(), Steps(5)
    for number in range(4):
        pause(paused, work)
        work.may[number].set()
        wait_until(lambda number=number: work.done == number + 1)  # type: ignore[misc]
    work.may[4].set()
    run(paused, work, FakeGuard())
    assert (work.done, work.runs) == (5, 1)


def test_what_ends_it_is_raised_and_the_next_run_begins_anew() -> None:
    paused, work, guard = Paused(), Steps(1), FakeGuard()
    guard.error = StoreFull("no space is left")
    with pytest.raises(StoreFull):
        run(paused, work, guard)
    work.may[0].set()
    run(paused, work, FakeGuard())
    assert work.runs == 2


def test_an_older_guard_that_lost_its_lease_to_a_later_run_of_the_same_work_ends_nothing() -> None:
    paused, work = Paused(), Steps(2)
    later = FakeGuard()

    class Older(FakeGuard):
        def check(self) -> None:
            work.may[0].set()
            assert later_runs.wait(PATIENCE)
            raise LeaseLost("another run has it")

    later_runs = threading.Event()
    older = Older()
    older.urgent.set()
    with pytest.raises(GiveBack):
        run(paused, work, older)
    later.is_preempted = lambda: later_runs.set() or False  # type: ignore[method-assign, func-returns-value]
    work.may[1].set()
    run(paused, work, later)
    assert work.done == 2


def test_what_is_dropped_ends_and_so_does_the_oldest_of_too_many() -> None:
    paused = Paused()
    works = {name: Steps(2) for name in "abc"}
    for name, work in works.items():
        pause(paused, work, name)
        work.may[0].set()
    wait_until(lambda: works["a"].ended_by is not None)
    paused.drop("c")
    paused.drop("never seen")
    wait_until(lambda: works["c"].ended_by is not None)
    assert isinstance(works["c"].ended_by, GiveBack)
    assert works["b"].ended_by is None
    paused.drop("b")
    wait_until(lambda: works["b"].ended_by is not None)
