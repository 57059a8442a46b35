"""Micro-batching of texts: when a batch goes, its size, and the prefetch count meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from kombu.common import QoS

from koebin.tasks.contracts import SYNTHESIZE, SYNTHESIZE_CHUNK
from koebin.tasks.observer import Observer
from koebin.worker.celery_ext.gather_texts import LONGEST_CHARACTERS, MicroBatch, MicroBatcher
from koebin.worker.child.speak_texts import Call, message_of, text_of

LIMIT = 4


class Timer:
    """Calls when it is told to."""

    def __init__(self) -> None:
        self.due: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def call_after(self, seconds: float, call: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        del seconds
        self.due.append((call, arguments))

    def run_out(self) -> None:
        due, self.due = self.due, []
        for call, arguments in due:
            call(*arguments)


class Desk:
    """A worker's parent with one process, as ``MicroBatcher`` sees it."""

    def __init__(self) -> None:
        self.timer = Timer()
        self.qos = QoS(lambda **_: None, 1)
        self.struck: set[str] = set()
        self.given_back: list[str] = []
        self.asked: list[Any] = []
        self.running: Any = None
        held_leases: Any = SimpleNamespace(release=self.given_back.append, observer=Observer())
        self.texts = MicroBatcher(self.asked.append, self, held_leases, LIMIT)

    def receive(self, task: str, queue: str = "speaker.mei", text: str = "はい。", **fields: Any) -> Any:
        request: Any = SimpleNamespace(
            id=task,
            name=SYNTHESIZE,
            delivery_info={"routing_key": queue},
            request_dict={},
            body=json.dumps([[{"text": text}], {}, {}]).encode(),
            content_type="application/json",
            content_encoding="utf-8",
            revoked=lambda: False,
            on_success=lambda _: None,
            strikes=int(task in self.struck),
            **fields,
        )
        self.texts.add(request)
        return request

    def begin(self) -> list[str]:
        """A process is free: what it is given."""
        batch = self.asked.pop(0)
        batch.execute_using_pool(SimpleNamespace(apply_async=lambda *_, **__: None))
        self.running = batch
        return [request.id for request in batch.requests]


def test_a_full_batch_goes_at_once_and_the_next_is_gathered_while_it_runs() -> None:
    desk = Desk()
    for task in "abcd":
        assert not desk.asked
        desk.receive(task)
    assert desk.begin() == list("abcd")
    assert desk.qos.value == LIMIT + 1
    for task in "efgh":
        desk.receive(task)
    assert desk.qos.value == 2 * LIMIT, "what is gathered is a batch, and no more is let in"
    desk.timer.run_out()
    assert len(desk.asked) == 1


def test_a_batch_ends_after_the_next_one_has_begun_and_another_is_gathered_all_the_same() -> None:
    """billiard releases the process, and so begins what waits for it, before it tells of a result."""
    desk = Desk()
    for task in "abcd":
        desk.receive(task)
    assert desk.begin() == list("abcd")
    first = desk.running
    for task in "efgh":
        desk.receive(task)
    assert desk.begin() == list("efgh")
    assert desk.qos.value > 2 * LIMIT, "eight are here"
    first._returned([(0, None, 0.0)] * LIMIT)
    assert desk.qos.value == LIMIT + 1, "four run, and the next one is let in"
    for task in "ijkl":
        desk.receive(task)
    assert desk.qos.value == 2 * LIMIT
    desk.running._returned([(0, None, 0.0)] * LIMIT)
    assert desk.qos.value == LIMIT, "four wait"


def test_what_is_there_goes_when_nothing_more_comes() -> None:
    desk = Desk()
    desk.receive("a")
    desk.receive("b")
    desk.timer.run_out()
    desk.receive("c")
    for _ in range(2):
        desk.timer.run_out()
        assert not desk.asked, "one has just come"
    desk.timer.run_out()
    assert len(desk.asked) == 1
    assert desk.begin() == list("abc")
    assert desk.qos.value == 4, "the one message that Redis was asked for already, and no second one"
    desk.receive("d")
    assert desk.qos.value == 4


def test_what_has_asked_for_a_process_grows_until_one_is_free() -> None:
    desk = Desk()
    desk.receive("a")
    for _ in range(3):
        desk.timer.run_out()
    assert len(desk.asked) == 1
    desk.receive("b")
    assert desk.begin() == ["a", "b"]


def test_what_is_no_short_text_goes_alone_after_what_came_before_it() -> None:
    desk = Desk()
    desk.struck.add("killed")
    desk.receive("a")
    chunk = SimpleNamespace(id="chunk", name=SYNTHESIZE_CHUNK)
    desk.texts.add(chunk)  # type: ignore[arg-type]
    long = desk.receive("long", text="長" * (LONGEST_CHARACTERS + 1))
    killed = desk.receive("killed")
    assert isinstance(desk.asked[0], MicroBatch)
    assert desk.asked[1:] == [chunk, long, killed]
    assert desk.qos.value == 2


def test_speakers_are_not_mixed() -> None:
    desk = Desk()
    for task, queue in (("a", "speaker.mei"), ("b", "speaker.ken"), ("c", "speaker.mei"), ("d", "speaker.ken")):
        desk.receive(task, queue)
    assert [desk.begin(), desk.begin()] == [["a", "c"], ["b", "d"]]


def test_what_was_given_back_is_not_run() -> None:
    from celery.exceptions import TaskRevokedError

    desk = Desk()
    desk.receive("a")
    desk.receive("b", "speaker.ken")
    desk.texts._send_all()
    desk.texts.drop()
    assert desk.given_back == ["a", "b"]
    for batch in desk.asked:
        with pytest.raises(TaskRevokedError):
            batch.execute_using_pool(None)
    desk.timer.run_out()
    assert len(desk.asked) == 2


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[]", b"[[], {}, {}]", b"[[1], {}, {}]", b'[[{"text": 3}], {}, {}]']
)
def test_a_message_without_a_text_is_left_to_its_task(body: bytes) -> None:
    assert text_of(Call(SYNTHESIZE, "a", {}, body, "application/json", "utf-8")) == ""


def test_the_message_is_what_was_sent() -> None:
    body = json.dumps([[{"text": "朝。", "speaker": "mei"}], {}, {}]).encode()
    assert message_of(Call(SYNTHESIZE, "a", {}, body, "application/json", "utf-8"))["speaker"] == "mei"
    assert message_of(Call(SYNTHESIZE, "a", {}, body, "application/x-python-serialize", "binary")) is None
