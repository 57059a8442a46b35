"""What briefings may reach on this machine: the operator's word, over whatever a briefing file asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from koebin.tasks.addresses import IpNetwork

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port to numeric addresses; blocking, raises OSError."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits that no briefing file can widen.

    Attributes:
        hosts: patterns of hosts that sources may reach, on top of each briefing's own list.
        networks: private networks (CIDR) that may be reached all the same; none by default.
        file_roots: folders that file sources may read; empty: each briefing's own folder.
        commands: whether command sources run at all.
        cache: folder of fetched values; None keeps none.
        store: where editions go that name no store.
        resolve: replaces the system's name resolution.
    """

    hosts: tuple[str, ...] = ("*",)
    networks: tuple[IpNetwork, ...] = ()
    file_roots: tuple[Path, ...] = ()
    commands: bool = False
    cache: Path | None = None
    store: str = ""
    resolve: Resolve | None = field(default=None, repr=False)

    def roots(self, folder: Path) -> tuple[Path, ...]:
        """The folders that the file sources of a briefing in ``folder`` may read."""
        return self.file_roots or (folder,)
