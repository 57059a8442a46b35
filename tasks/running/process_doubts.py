"""Doubts of a process about itself: errors that are about the worker, until it has proved that it can work.

A worker is guilty before its task is. One error may pass; when a class of errors repeats without a success in between,
the process asks to be left without work until it has proved itself (``koebin.worker.child.self_test``).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from koebin.tasks.errors_table import Payer, payer

if TYPE_CHECKING:
    from koebin.engine.speaker import Speaker

PROOF_TEXT: Final = "声が出るか、確かめています。"
_ERRORS_IN_A_ROW: Final = {Payer.WORKER: 2, None: 2, Payer.WORLD: 4}
"""So many of one class are a doubt. The world's may be this worker's alone: a wrong address, a cut cable."""
_FIRST_TRUST_SECONDS: Final = 10.0
_LONGEST_TRUST_SECONDS: Final = 300.0


class Doubts:
    """Counts errors of one process.

    Args:
        tell: called with the reason when the process doubts itself.
    """

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._kind: type[BaseException] | None = None
        self._in_a_row = 0
        self._trusted_until = -math.inf
        self._trust = _FIRST_TRUST_SECONDS

    def failed(self, error: BaseException) -> None:
        """A task met an error that is not its own."""
        self._in_a_row = self._in_a_row + 1 if type(error) is self._kind else 1
        self._kind = type(error)
        if self._in_a_row < _ERRORS_IN_A_ROW.get(payer(error), math.inf) or self._clock() < self._trusted_until:
            return
        self._tell(f"{type(error).__name__}: {error}"[:300])

    def succeeded(self) -> None:
        """A task has done its work."""
        self._kind, self._in_a_row, self._trust = None, 0, _FIRST_TRUST_SECONDS

    def proved(self) -> None:
        """The process can work: the same error does not count for a while, and longer each time."""
        self._kind, self._in_a_row = None, 0
        self._trusted_until = self._clock() + self._trust
        self._trust = min(_LONGEST_TRUST_SECONDS, 2 * self._trust)


def speaks(speaker: Speaker) -> bool:
    """Whether a speaker says a harmless sentence; tells a text's fault from its process'."""
    import numpy as np

    from koebin.engine.request import Request

    try:
        (audio,) = speaker.render([Request(PROOF_TEXT)])
        return len(audio.samples) > 0 and bool(np.isfinite(audio.samples).all())
    except Exception:  # noqa: BLE001 - whatever it is, it is not the text's
        return False
