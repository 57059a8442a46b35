"""Recovery of a job that Redis does not know, new or forgotten: its entry in the ledger is made from the store.

The manifest, the chunk table and the done documents say all that the ledger held. What is stored is not made again.
"""

from __future__ import annotations

import json

from redis import Redis

from koebin.tasks import store_keys, traces
from koebin.tasks.broker.delayed_messages import Send
from koebin.tasks.broker.fleet_summary import serving
from koebin.tasks.contracts import Manifest
from koebin.tasks.jobs.chunk_table import stored_table
from koebin.tasks.jobs.dispatch import assemble_message, dispatch
from koebin.tasks.jobs.ledger import Ledger, State
from koebin.tasks.jobs.outcome import stored_outcome
from koebin.tasks.stores.base import Store


def enter(redis: Redis, store: Store, send: Send, manifest: Manifest) -> bool:
    """Enter a submitted job into the ledger from the store, if it is missing there; False if it is not.

    A job whose result the store has is not entered: it has ended. But Redis may have lost its webhook with it, so that
    one is told again.
    """
    ledger = Ledger(redis)
    unknown = ledger.state(manifest.job) is None
    outcome = stored_outcome(store, manifest.job)
    if outcome is not None:
        if unknown and manifest.webhook and _create(ledger, store, manifest, State.ASSEMBLING):
            ledger.end(manifest.job, outcome.state, outcome.error)
        return False
    entered = unknown and _create(ledger, store, manifest)
    entry = ledger.entry(manifest.job)
    if entered and entry.state is State.ASSEMBLING:
        send(assemble_message(entry))
    dispatch(ledger, serving(redis, entry.speakers, entry.engine_revision), send, entry)
    return entered


def _create(ledger: Ledger, store: Store, manifest: Manifest, state: State = State.RUNNING) -> bool:
    chunks = stored_table(store, manifest)
    stored = set(store.list(store_keys.done_prefix(manifest.job)))
    done = [chunk.number for chunk in chunks if store_keys.done(manifest.job, chunk.number) in stored]
    fields = {
        "state": state,
        "store": manifest.store,
        "created": manifest.created,
        "priority": manifest.priority,
        "chunks": manifest.chunks,
        "segments": manifest.segments,
        "characters": manifest.characters,
        "seconds": manifest.seconds,
        "speakers": json.dumps({name: speaker.model_revision for name, speaker in manifest.speakers.items()}),
        "engine_revision": manifest.engine_revision,
        "dictionary_revision": manifest.dictionary_revision,
        "title": manifest.title,
        "webhook": manifest.webhook,
        "trace": traces.current(),
    }
    created = ledger.create(manifest.job, fields, chunks, done)
    if created and len(done) == manifest.chunks:
        # Everything was spoken when the ledger was lost; marking a chunk done again requests the assembly.
        ledger.mark_done(manifest.job, chunks[0].number, chunks[0].speaker)
    return created
