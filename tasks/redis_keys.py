"""Names of everything that Koebin keeps in Redis, the queues' lists included.

A user of Redis who may touch ``koebin*``, ``speaker.*``, ``assemble*`` and Celery's own keys needs no more than that.
"""

from __future__ import annotations

from typing import Final

from koebin.engine.checked_names import check_speaker

KEY_PREFIXES: Final = ("koebin", "speaker.", "assemble", "_kombu.", "celery-task-meta-")
"""Of all keys that a user must be allowed, Celery's own included."""
CONTROL_SUFFIX: Final = ".koebin.pidbox"
"""Of the lists of Celery's remote control, behind the name of a worker or of who asks it."""
CHANNEL_PREFIXES: Final = ("/", "celery-task-meta-")
"""Of all channels: kombu's broadcasts, and results."""
ASSEMBLE_QUEUE: Final = "assemble"

UNACKED: Final = "koebin.unacked"
"""Delivered messages by their tags; kombu's hash."""
UNACKED_INDEX: Final = "koebin.unacked_index"
UNACKED_MUTEX: Final = "koebin.unacked_mutex"

JOBS: Final = "koebin:jobs"
"""Live jobs by the time of their creation."""
ENDED: Final = "koebin:ended"
"""Ended jobs by the time of their end."""
DEAD_LETTERS: Final = "koebin:dead"
WEBHOOKS: Final = "koebin:webhooks"
"""Ended jobs whose webhook is still to be delivered, by the time at which it is due."""
WEBHOOK_ATTEMPTS: Final = "koebin:webhooks:attempts"
DELAYED: Final = "koebin:delayed"
"""Messages by the time at which they are to be sent."""
HELD: Final = "koebin:held"
"""Messages with an ETA by the time at which they are due, as their sender wrote them."""
UNREADABLE: Final = "koebin:parked"
"""Messages that no worker can read."""
PREEMPTION_CLAIMS: Final = "koebin:claims"
WORKERS: Final = "koebin:workers"
"""Names of the announced workers."""
FLEET: Final = "koebin:fleet"
"""How many processes serve each speaker and revision, counted."""
REQUEUE_LOCK: Final = "koebin:sweep"
REQUEUE_SUSPECTS: Final = "koebin:sweep:suspects"
COLLECTING: Final = "koebin:collecting"
"""Exists while the garbage collector removes."""
PLACES: Final = "koebin:place:"
"""Prefix of the chunk that was laid last into each list."""
SPEAKERS: Final = "koebin:speakers"
"""Speakers whose queues may hold something, by the time at which one was last announced."""
WRITE_PROBE: Final = "koebin:probe"
BRIEFINGS: Final = "koebin:briefing:"
"""Prefix of what the beat remembers."""
HTTP: Final = "koebin:http:"
"""Prefix of what the HTTP door remembers: spent rates, and which text a query was made from."""
SUBMITTING: Final = "koebin:submitting:"
"""Prefix of the locks of jobs that are being submitted."""


def speaker_queue(speaker: str) -> str:
    """The queue that the workers of ``speaker`` consume."""
    return f"speaker.{check_speaker(speaker)}"


def priority_list(queue: str, step: int) -> str:
    """The list that holds a queue's messages of one priority step, as kombu names it."""
    return queue if step == 0 else f"{queue}\x06\x16{step}"


def looks(queue: str) -> str:
    """Prefix of the counters of looks into a queue by idle workers, each for one second."""
    return f"koebin:looks:{queue}"


def chunk_task(job: str, chunk: int) -> str:
    """Task id of a chunk; always the same, so that a copy of its message is recognised."""
    return f"{job}/{chunk}"


def assemble_task(job: str) -> str:
    """Task id of a job's assembly."""
    return f"{job}/assemble"


def job(job_id: str) -> str:
    """The ledger's hash of a job; the prefix of its other keys."""
    return f"koebin:job:{job_id}"


def creating(job_id: str) -> str:
    """The lock of the process that writes a job's slices before it is entered."""
    return f"{job(job_id)}:creating"


def done_chunks(job_id: str) -> str:
    """The set of a job's chunks that are done."""
    return f"{job(job_id)}:done"


def lease(task_id: str) -> str:
    """The nonce of the worker that runs a task; expires with the visibility timeout."""
    return f"koebin:lease:{task_id}"


def attempt(task_id: str) -> str:
    """How many processes died under a task since it last made progress."""
    return f"koebin:attempt:{task_id}"


def worker(name: str) -> str:
    """The announcement of a worker."""
    return f"koebin:worker:{name}"
