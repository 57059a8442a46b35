"""Sentences in threads: who is told to stop does not wait for what runs, and nothing that has begun is spoken twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from koebin.engine.permits import Errand, Permits
from koebin.engine.request import Request
from koebin.engine.sentence_threads import Job, SentenceThreads
from tests.servers.waiting import PATIENCE, wait_until


class Model:
    """It gives a sentence's text; one with 本 only once ``released`` is set. ``begun`` counts what it was asked for."""

    def __init__(self, threads: int) -> None:
        self.permits = Permits(threads)
        self.threads: SentenceThreads[str] = SentenceThreads(threads, "test", self.permits)
        self.released = threading.Event()
        self.begun: Counter[str] = Counter()

    def jobs(self, *texts: str) -> Iterator[Job[str]]:
        return (Job(Request(text), lambda errand, text=text: self.speak(text, errand)) for text in texts)  # type: ignore[misc]

    def speak(self, text: str, errand: Errand) -> str:
        with self.permits.hold(errand):
            self.begun[text] += 1
            if "本" in text:
                assert self.released.wait(PATIENCE)
            return text


BOOK = tuple(f"本{number}" for number in range(8))


@pytest.fixture(params=[1, 2])
def model(request: pytest.FixtureRequest) -> Iterator[Model]:
    made = Model(request.param)
    yield made
    made.released.set()


def leave_book(model: Model, threads: int) -> None:
    """Begin the book, and stop once as many of its sentences are spoken as there are threads."""
    given = list(model.threads.speak(model.jobs(*BOOK), lambda: len(model.begun) < threads))
    assert given == []
    assert model.begun.total() == threads


def threads_of(model: Model) -> int:
    return model.permits._limit


def test_what_is_urgent_goes_past_what_was_left_and_that_is_taken_over(model: Model) -> None:
    leave_book(model, threads_of(model))
    assert list(model.threads.speak(model.jobs("急ぎ", "もう一つ"))) == ["急ぎ", "もう一つ"]
    assert not model.released.is_set()
    model.released.set()
    assert list(model.threads.speak(model.jobs(*BOOK), lambda: True)) == list(BOOK)
    assert set(model.begun.values()) == {1}, "a sentence was spoken twice"


def test_whatever_is_stopped_at_once_and_again_gets_on(model: Model) -> None:
    leave_book(model, threads_of(model))
    for _ in range(5):
        assert list(model.threads.speak(model.jobs(*BOOK), lambda: False)) == []
    model.released.set()
    given: list[str] = []
    while len(given) < len(BOOK):
        given += model.threads.speak(model.jobs(*BOOK[len(given) :]), lambda: False)
    assert given == list(BOOK)
    assert set(model.begun.values()) == {1}


def test_another_book_waits_for_what_was_left_and_may_be_stopped_meanwhile(model: Model) -> None:
    leave_book(model, threads_of(model))
    asked = Counter[str]()

    def go_on() -> bool:
        asked["times"] += 1
        return asked["times"] < 3

    assert list(model.threads.speak(model.jobs("別の本", "その次"), go_on)) == []
    assert "別の本" not in model.begun
    model.released.set()
    assert list(model.threads.speak(model.jobs("別の本", "その次"), lambda: True)) == ["別の本", "その次"]


def test_what_fails_after_it_was_left_fails_where_it_is_wanted() -> None:
    model = Model(1)
    failing = threading.Event()

    def fail(errand: Errand) -> str:
        with model.permits.hold(errand):
            model.begun["失敗"] += 1
            assert failing.wait(PATIENCE)
            raise ValueError("no")

    job = Job(Request("失敗"), fail)
    assert list(model.threads.speak([job], lambda: not model.begun)) == []
    failing.set()
    with pytest.raises(ValueError, match="no"):
        list(model.threads.speak([job]))
    assert list(model.threads.speak(model.jobs("急ぎ"))) == ["急ぎ"]


def test_no_thread_is_left_once_what_was_left_has_ended() -> None:
    before = threading.active_count()
    model = Model(2)
    leave_book(model, 2)
    assert threading.active_count() > before
    model.released.set()
    wait_until(lambda: threading.active_count() == before)


def test_only_so_many_sentences_are_kept() -> None:
    model = Model(1)
    model.released.set()
    for number in range(20):
        text = f"本の{number}"
        list(model.threads.speak(model.jobs(text, "続き"), lambda text=text: text not in model.begun))  # type: ignore[misc]
    assert len(model.threads._left) <= 4
