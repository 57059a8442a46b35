"""Chunk table of a job, ``jobs/<id>/chunks/table.json``: speaker and predicted seconds of every chunk."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import RootModel

from koebin.engine.errors import InvalidMessage
from koebin.tasks import store_keys
from koebin.tasks.contracts import Manifest, parse_json
from koebin.tasks.jobs.ledger import LedgerChunk
from koebin.tasks.stores.base import Store


class ChunkTable(RootModel[tuple[tuple[str, float], ...]]):
    """Rows of speaker and predicted seconds, by the number of the chunk."""


def store_table(store: Store, job: str, rows: Sequence[tuple[str, float]]) -> None:
    """Write the table, also over that of a submission that died."""
    store.put(_key(job), ChunkTable(tuple(rows)).model_dump_json().encode(), if_absent=False)


def stored_table(store: Store, manifest: Manifest) -> list[LedgerChunk]:
    """Chunks of a submitted job.

    Raises:
        InvalidMessage: the table is not that of the manifest.
    """
    table = parse_json(ChunkTable, store.get(_key(manifest.job))).root
    if len(table) != manifest.chunks or not {speaker for speaker, _ in table} <= manifest.speakers.keys():
        raise InvalidMessage("the table of chunks does not match the manifest", manifest.job)
    return [LedgerChunk(number, speaker, seconds) for number, (speaker, seconds) in enumerate(table)]


def _key(job: str) -> str:
    return f"jobs/{store_keys.check_job(job)}/chunks/table.json"
