"""Access policy of briefings on this machine: the operator's limits on what a briefing file may ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from koebin.tasks.public_addresses import IpNetwork

Resolve = Callable[[str, int], Sequence[str]]
"""Name resolution: host and port to numeric addresses; blocking, raises OSError."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits that no briefing file can widen.

    Attributes:
        hosts: patterns of hosts that sources may reach, on top of each briefing's own list.
        networks: private networks (CIDR) that may be reached; none by default.
        file_roots: folders that file sources may read; empty: each briefing's own folder.
        commands: whether command sources run at all.
        cache: folder of fetched values; None disables it.
        store: for editions that name no store.
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
        """Folders that the file sources of a briefing in ``folder`` may read."""
        return self.file_roots or (folder,)
