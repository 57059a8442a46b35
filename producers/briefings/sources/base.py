"""What a source gives, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


class SourceFailed(Exception):
    """A source gave nothing usable; the message says why, for people. Ends in the fallback text, never in an error."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The values of one source, or why there are none.

    Attributes:
        values: JSON values that the source's ``say`` template sees; None when the source failed.
        origin: ``fresh``, ``cache``, or ``stale`` when it failed but its last good value is recent enough.
        problem: why it failed, "" if it did not.
        seconds: how long it took.
    """

    values: Mapping[str, Any] | None
    origin: str = "fresh"
    problem: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SourceReport:
    """How one source fared in one rendering.

    Attributes:
        ok: its own words are spoken, fresh, cached or stale; False: the fallback is.
        text: what is spoken for it.
    """

    name: str
    kind: str
    ok: bool
    origin: str
    problem: str
    seconds: float
    text: str

    def as_json(self) -> dict[str, Any]:
        """A JSON object with all fields."""
        return asdict(self)
