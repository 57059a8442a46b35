"""Queue order strategy: fair rounds over a worker's queues that keep a voice while its queue lasts.

It decides among messages of one priority. kombu's own strategies do not fit: one serves the first queue for as long as
it has messages, the other changes the speaker with every message, and so loads a voice for each of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from koebin.tasks.redis_keys import ASSEMBLE_QUEUE


class QueueOrder:
    """Rounds over the queues. Each begins with the queue served longest ago, and stays with a queue while it has
    messages.

    So no queue that has work waits for more rounds than there are queues; within a round another speaker's voice is
    only called for when the queues of those served last are empty.

    Args:
        messages: a round lasts for so many at least, so that they fill a batch.
        seconds: and for so long, where changing the speaker costs loading a voice.
    """

    def __init__(self, messages: int = 1, seconds: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._messages = messages
        self._seconds = seconds
        self._clock = clock
        self._queues: list[str] = []
        self._taken = 0
        self._began = clock() - seconds

    def update(self, queues: Iterable[str]) -> None:
        """Set the queues to serve; new ones count as never served."""
        wanted = list(queues)
        known = [queue for queue in self._queues if queue in wanted]
        self._queues = [queue for queue in wanted if queue not in known] + known

    def consume(self, count: int) -> list[str]:
        """Queues, the one to be served first at the front."""
        return (self._queues if self._is_over() else self._queues[::-1])[:count]

    def rotate(self, last_used: str) -> str:
        """Note that a message of this queue was delivered."""
        if self._is_over():
            self._taken, self._began = 0, self._clock()
        self._taken += 1
        if last_used in self._queues:
            self._queues.remove(last_used)
            self._queues.append(last_used)
        return last_used

    def latest(self) -> str:
        """Queue that was served last, preferably a speaker's: there the next message is most likely."""
        served = self._queues[::-1]
        return next((queue for queue in served if queue != ASSEMBLE_QUEUE), served[0])

    def _is_over(self) -> bool:
        if not self._taken:
            return True
        return self._taken >= self._messages and self._clock() - self._began >= self._seconds
