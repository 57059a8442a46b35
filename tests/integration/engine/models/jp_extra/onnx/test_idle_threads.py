"""Idle threads help, and nobody waits for them who need not."""

from __future__ import annotations

import threading

import pytest

from koebin.engine.models.jp_extra.onnx.idle_threads import IdleThreads


def test_two_threads_share_the_items_of_the_only_caller() -> None:
    idle = IdleThreads(2)
    both = threading.Barrier(2, timeout=10)
    done: list[int] = []

    def work(item: int) -> None:
        if item < 2:
            both.wait()  # passes only if two threads are here at once
        done.append(item)

    with idle.caller():
        idle.each(work, range(5))
    idle.close()
    assert sorted(done) == [0, 1, 2, 3, 4]


def test_a_caller_gets_no_help_while_all_threads_have_callers() -> None:
    idle = IdleThreads(2)
    names: set[str] = set()
    with idle.caller(), idle.caller():
        idle.each(lambda _: names.add(threading.current_thread().name), range(20))
    idle.close()
    assert names == {threading.current_thread().name}


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_is_raised_when_nobody_works_any_more(threads: int) -> None:
    idle = IdleThreads(threads)

    def work(item: int) -> None:
        raise ValueError(str(item))

    with idle.caller(), pytest.raises(ValueError, match=r"\d"):
        idle.each(work, range(3))
    with idle.caller():
        done: list[int] = []
        idle.each(done.append, [1, 2])
    idle.close()
    assert sorted(done) == [1, 2]


def test_a_thread_that_becomes_idle_meanwhile_helps_with_what_is_left() -> None:
    idle = IdleThreads(2)
    other_speaks, other_is_done = threading.Event(), threading.Event()
    both = threading.Barrier(2, timeout=10)

    def speak() -> None:
        with idle.caller():
            other_speaks.set()
            assert begun.wait(10)
        other_is_done.set()

    def work(item: int) -> None:
        if item == 0:
            begun.set()
            assert other_is_done.wait(10)
        else:
            both.wait()  # passes only if two threads are here at once

    begun = threading.Event()
    other = threading.Thread(target=speak)
    other.start()
    assert other_speaks.wait(10)
    with idle.caller():
        idle.each(work, range(3))
    other.join()
    idle.close()
