"""Nobody starves, and a voice is not changed with every message."""

from __future__ import annotations

from collections import Counter

from kombu.utils.scheduling import cycle_by_name

from koebin.worker.celery_ext.queue_order import QueueOrder


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def serve(turns: QueueOrder, waiting: Counter[str]) -> str:
    """Take one message as BRPOP does: of the first queue that has one."""
    queue = next(queue for queue in turns.consume(len(waiting)) if waiting[queue])
    waiting[queue] -= 1
    turns.rotate(queue)
    return queue


def served(turns: QueueOrder, waiting: Counter[str], messages: int) -> str:
    return "".join(serve(turns, waiting) for _ in range(messages))


def test_with_rounds_of_one_the_queues_take_turns() -> None:
    turns = QueueOrder()
    turns.update("abc")
    assert served(turns, Counter(a=9, b=9, c=2), 9) == "abcabcaba"


def test_a_round_fills_a_batch_and_then_the_next_queue_has_its_own() -> None:
    turns = QueueOrder(messages=3)
    turns.update("abc")
    assert served(turns, Counter(a=9, b=9, c=9), 12) == "aaabbbcccaaa"
    assert served(turns, Counter(a=0, b=1, c=9), 4) == "bccc"


def test_a_round_lasts_where_changing_the_voice_is_dear() -> None:
    clock = Clock()
    turns = QueueOrder(messages=1, seconds=10, clock=clock)
    turns.update("abc")
    assert served(turns, Counter(a=9, b=9), 5) == "aaaaa"
    clock.now = 10.0
    assert served(turns, Counter(a=4, b=9), 3) == "bbb"


def test_two_that_trickle_do_not_keep_a_third_waiting() -> None:
    clock = Clock()
    turns = QueueOrder(messages=1, seconds=10, clock=clock)
    turns.update("abc")
    waiting: Counter[str] = Counter(c=100)
    taken = []
    for second in range(60):
        clock.now = float(second)
        waiting["ab"[second % 2]] += 1
        taken.append(serve(turns, waiting))
    assert 5 <= taken.count("c") <= 40
    assert taken.index("c") <= 20


def test_a_queue_that_joins_is_served_in_the_next_round_and_one_that_leaves_is_not() -> None:
    turns = QueueOrder()
    turns.update("ab")
    assert served(turns, Counter(a=2, b=2), 2) == "ab"
    turns.update("abc")
    assert turns.consume(3) == ["c", "a", "b"]
    turns.update("bc")
    assert turns.consume(2) == ["c", "b"]


def test_the_latest_is_a_speaker_unless_there_is_none() -> None:
    turns = QueueOrder()
    turns.update(["speaker.a", "speaker.b", "assemble"])
    for queue, latest in (("speaker.a", "speaker.a"), ("assemble", "speaker.a"), ("speaker.b", "speaker.b")):
        turns.rotate(queue)
        assert turns.latest() == latest
    turns.update(["assemble"])
    assert turns.latest() == "assemble"


def test_kombu_takes_it_as_it_is() -> None:
    from functools import partial

    made = cycle_by_name(partial(QueueOrder, messages=8, seconds=1.0))()
    assert isinstance(made, QueueOrder)
