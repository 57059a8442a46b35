"""Loading, eviction and waiting in the pool of models."""

from __future__ import annotations

import threading
import time
from typing import cast

import pytest

from koebin.engine.models.base import AcousticModel
from koebin.engine.models.pool import ModelPool


class Model:
    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    def close(self) -> None:
        assert not self.closed
        self.closed = True


class Opened:
    """Opens models and remembers them."""

    def __init__(self) -> None:
        self.models: list[Model] = []
        self.failing: set[str] = set()

    def __call__(self, name: str) -> AcousticModel:
        if name in self.failing:
            raise RuntimeError(name)
        self.models.append(Model(name))
        return cast(AcousticModel, self.models[-1])

    @property
    def names(self) -> list[str]:
        return [model.name for model in self.models]


@pytest.fixture
def opened() -> Opened:
    return Opened()


def use(pool: ModelPool, *names: str) -> None:
    for name in names:
        with pool.lease(name) as model:
            assert not cast(Model, model).closed


def test_a_model_is_opened_once(opened: Opened) -> None:
    pool = ModelPool(opened)
    use(pool, "a", "a", "b", "a")
    assert opened.names == ["a", "b"]
    assert pool.loaded == ("b", "a")


def test_the_one_unused_for_longest_makes_room(opened: Opened) -> None:
    pool = ModelPool(opened, limit=2)
    use(pool, "a", "b", "a", "c")
    assert pool.loaded == ("a", "c")
    assert [model.closed for model in opened.models] == [False, True, False]
    use(pool, "b")
    assert opened.names == ["a", "b", "c", "b"]
    assert pool.loaded == ("c", "b")


def test_a_model_in_use_is_not_evicted_but_waited_for(opened: Opened) -> None:
    pool = ModelPool(opened, limit=1)
    order: list[str] = []

    def other() -> None:
        with pool.lease("b"):
            order.append("b")

    with pool.lease("a") as model:
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.05)
        assert not cast(Model, model).closed
        order.append("a")
    thread.join(5)
    assert order == ["a", "b"]
    assert pool.loaded == ("b",)


def test_two_threads_that_want_a_model_open_it_once() -> None:
    started, go = threading.Event(), threading.Event()
    count = 0

    def slow(name: str) -> AcousticModel:
        nonlocal count
        count += 1
        started.set()
        go.wait(5)
        return cast(AcousticModel, Model(name))

    pool = ModelPool(slow)
    threads = [threading.Thread(target=use, args=(pool, "a")) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.wait(5)
    go.set()
    for thread in threads:
        thread.join(5)
    assert count == 1


def test_a_failed_opening_leaves_room_and_can_be_tried_again(opened: Opened) -> None:
    pool = ModelPool(opened, limit=1)
    opened.failing.add("a")
    with pytest.raises(RuntimeError):
        use(pool, "a")
    opened.failing.clear()
    use(pool, "a", "b")
    assert pool.loaded == ("b",)


def test_a_removed_model_is_closed_when_its_last_user_is_done(opened: Opened) -> None:
    pool = ModelPool(opened)
    with pool.lease("a") as model:
        pool.remove("a")
        assert not cast(Model, model).closed
        assert pool.loaded == ()
    assert cast(Model, model).closed


def test_clearing_closes_all(opened: Opened) -> None:
    pool = ModelPool(opened)
    use(pool, "a", "b")
    pool.clear()
    assert [model.closed for model in opened.models] == [True, True]
