"""Submission of a job: documents into the store, an entry into the ledger, the first chunks into the queues.

The order matters: chunks, then the manifest (the commit), then the ledger. A producer that dies on the way leaves
documents without a manifest, which no worker looks at and the next submission of the same id overwrites.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final

from redis import Redis

from koebin.engine.errors import InvalidMessage, InvalidScript, JobConflict
from koebin.tasks import redis_keys, store_keys
from koebin.tasks.broker.delayed_messages import Send
from koebin.tasks.contracts import InputError, Manifest, OmittedInput, Output, Pauses, Quality, dump, parse_json
from koebin.tasks.jobs.chunk_table import store_table
from koebin.tasks.jobs.garbage_collection import wait_for_quiet
from koebin.tasks.jobs.planning import Target, plan_chunks, script_content
from koebin.tasks.jobs.recovery import enter
from koebin.tasks.jobs.webhooks import check_webhook
from koebin.tasks.script import Script
from koebin.tasks.stores.base import Store

_LOCK_SECONDS: Final = 15
_LATER_OUTPUT: Final = ("epub", "audiobookshelf")
_MOST_OMITTED: Final = 10_000
"""Entries that a manifest lists."""


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What a submitter decides besides the script.

    Attributes:
        priority: 0 first, 6 for batch work; see ``koebin.tasks.priorities``.
        partial: deliver the rest if a segment cannot be spoken.
        webhook: URL that is notified when the job ends.
        quality: judge every segment; None does not.
    """

    output: Output = Output()
    pauses: Pauses = Pauses()
    priority: int = 6
    partial: bool = False
    webhook: str = ""
    quality: Quality | None = None

    def content(self) -> dict[str, object]:
        """Those options that belong to the identity of a job.

        Fields that came later are left out at their defaults, so that a job of an older producer stays the same job.
        """
        output = self.output.model_dump(mode="json")
        for name in _LATER_OUTPUT:
            if output[name] == Output.model_fields[name].default:
                del output[name]
        quality = {"quality": self.quality.model_dump(mode="json")} if self.quality else {}
        return {"output": output, "partial": self.partial, **quality}


def submit(
    redis: Redis,
    store: Store,
    send: Send,
    job: str,
    script: Script,
    job_options: JobOptions,
    targets: Mapping[str, Target],
) -> Manifest:
    """Submit a job. The same id with the same content is the same job: it is returned, and continued if it had stopped.

    Raises:
        JobConflict: the id belongs to another content, or is being submitted right now.
        InvalidScript: nothing to speak, or no chapters for the passages.
        InvalidOption: an invalid webhook URL.
        InvalidText, UnknownStyle, StoreDenied, StoreUnavailable: nothing is queued then.
    """
    if job_options.webhook:
        check_webhook(job_options.webhook)
    content = script_content(script, job_options.content(), job_options.pauses)
    manifest = stored_manifest(store, job)
    if manifest is None:
        lock = redis_keys.SUBMITTING + job
        token = secrets.token_hex(8)
        if not redis.set(lock, token, nx=True, ex=_LOCK_SECONDS):
            raise JobConflict("the job is being submitted by another process", job, "Wait for it, or use another id")
        try:
            keep = partial(_keep, redis, lock, token, job)
            wait_for_quiet(redis)
            keep()
            # Another process may have submitted it between the look above and the lock.
            manifest = stored_manifest(store, job) or _write(store, job, script, job_options, targets, content, keep)
        finally:
            if redis.get(lock) == token.encode():
                redis.delete(lock)
    if manifest.content != content:
        raise JobConflict("the job id belongs to another content", job, "Use another id")
    enter(redis, store, send, manifest)
    return manifest


def stored_manifest(store: Store, job: str) -> Manifest | None:
    """Manifest of a job, None if it was never submitted to this store.

    Raises:
        InvalidMessage: the stored object is not a manifest, or another job's.
    """
    data = store.find(store_keys.manifest(job))
    if data is None:
        return None
    manifest = parse_json(Manifest, data)
    if manifest.job != job:
        raise InvalidMessage("the stored manifest belongs to another job", manifest.job)
    return manifest


def _keep(redis: Redis, lock: str, token: str, job: str) -> None:
    """Renew the lock. Raises: JobConflict: it expired during a slow write, and another process has it now."""
    if redis.get(lock) != token.encode():
        raise JobConflict("the submission took too long, and another process may have begun it", job, "Submit it again")
    redis.expire(lock, _LOCK_SECONDS)


def _write(
    store: Store,
    job: str,
    script: Script,
    job_options: JobOptions,
    targets: Mapping[str, Target],
    content: str,
    keep: Callable[[], None],
) -> Manifest:
    table: list[tuple[str, float]] = []
    segments = characters = 0
    if script.dictionary.revision:
        store.put(store_keys.dictionary(script.dictionary.revision), script.dictionary.to_json().encode())
    for document in plan_chunks(script, targets, job_options.pauses, job_options.quality):
        store.put(store_keys.chunk(job, document.chunk), dump(document), if_absent=False)
        table.append((document.speaker, document.seconds))
        segments += len(document.segments)
        characters += sum(len(planned.segment.text) for planned in document.segments)
        keep()
    if not table:
        raise InvalidScript("there is nothing to speak")
    store_table(store, job, table)
    used = {speaker for speaker, _ in table}
    manifest = Manifest(
        job=job,
        content=content,
        created=time.time(),
        title=script.title,
        author=script.author,
        chapters=tuple(chapter.title for chapter in script.chapters),
        cover=_write_cover(store, job, script),
        items=script.items,
        errors=tuple(InputError(line=e.line, item=e.item, message=e.message) for e in script.errors),
        series=script.series,
        volume=script.volume,
        left_out=tuple(OmittedInput(**asdict(each)) for each in script.left_out[:_MOST_OMITTED]),
        warnings=tuple(
            InputError(line=e.line, item=e.item, message=e.message) for e in script.warnings[:_MOST_OMITTED]
        ),
        speakers={name: targets[name].planned for name in used},
        engine_revision=next(iter(targets.values())).engine_revision,
        dictionary_revision=script.dictionary.revision,
        store=store.uri,
        priority=job_options.priority,
        chunks=len(table),
        segments=segments,
        characters=characters,
        seconds=round(sum(seconds for _, seconds in table), 3),
        output=job_options.output,
        pauses=job_options.pauses,
        partial=job_options.partial,
        webhook=job_options.webhook,
        quality=job_options.quality,
    )
    keep()
    store.put(store_keys.manifest(job), dump(manifest))
    return parse_json(Manifest, store.get(store_keys.manifest(job)))


def _write_cover(store: Store, job: str, script: Script) -> str:
    if script.cover is None:
        return ""
    key = f"jobs/{store_keys.check_job(job)}/cover.{script.cover.media_type.rpartition('/')[2]}"
    store.put(key, script.cover.data, if_absent=False, content_type=script.cover.media_type)
    return key
