"""Results and failures of sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


class SourceFailed(Exception):
    """A source has no usable value; the message gives the reason. It leads to the fallback text, never to an error."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Values of one source, or the reason why there are none.

    Attributes:
        values: JSON values for the source's ``say`` template; None if the source failed.
        origin: ``fresh``, ``cache``, or ``stale`` when it failed but its last good value is recent enough.
        problem: reason of a failure, "" if there is none.
        seconds: duration of the fetch.
    """

    values: Mapping[str, Any] | None
    origin: str = "fresh"
    problem: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SourceReport:
    """Report of one source in one rendering.

    Attributes:
        ok: True: its own text is spoken, fresh, cached or stale; False: the fallback.
        text: spoken for it.
    """

    name: str
    kind: str
    ok: bool
    origin: str
    problem: str
    seconds: float
    text: str

    def as_json(self) -> dict[str, Any]:
        """JSON object with all fields."""
        return asdict(self)
