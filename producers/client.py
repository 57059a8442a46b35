"""Client: submit, follow, cancel and fetch jobs. Needs no engine, no torch and no Open JTalk."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final, Self

from celery import Celery
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from koebin.engine.checked_names import check_speaker
from koebin.engine.display import mask
from koebin.engine.errors import (
    ConfigurationError,
    JobCancelled,
    JobFailed,
    JobNotFound,
    SpeakerError,
    StoreDenied,
    StoreUnavailable,
)
from koebin.engine.options import SynthesisOptions
from koebin.engine.reading import Reading
from koebin.engine.text.checks import check_text
from koebin.engine.text.dictionary import Dictionary
from koebin.engine.text.unreadable import find_unreadable
from koebin.producers.job_status import Status, status_of, stored_status
from koebin.producers.served_speakers import find_targets, without_unserved
from koebin.tasks import store_keys
from koebin.tasks.broker.celery_config import configure, sender
from koebin.tasks.broker.delayed_messages import Send
from koebin.tasks.broker.fleet import Fleet, ServedSpeaker, fleet
from koebin.tasks.broker.leases import Leases
from koebin.tasks.broker.unreadable_messages import remove_unreadable, unreadable_messages
from koebin.tasks.connection import check, connect
from koebin.tasks.contracts import Manifest, Result
from koebin.tasks.jobs.dead_letters import DeadLetters, redrive
from koebin.tasks.jobs.garbage_collection import storage
from koebin.tasks.jobs.ledger import Ledger, State
from koebin.tasks.jobs.older_release import readable_by_older
from koebin.tasks.jobs.outcome import JobOutcome, store_outcome, stored_outcome
from koebin.tasks.jobs.planning import Target
from koebin.tasks.jobs.preview import Preview, preview
from koebin.tasks.jobs.recovery import enter
from koebin.tasks.jobs.submission import JobOptions, stored_manifest, submit
from koebin.tasks.priorities import PRIORITIES
from koebin.tasks.script import LeftOut, Passage, Script
from koebin.tasks.settings import Settings, load_settings
from koebin.tasks.stores.base import Store
from koebin.tasks.stores.uri import open_store
from koebin.tasks.traces import VARIABLE, current, set_up_traces, span

_POLL_SECONDS: Final = 0.25
_OUTAGE_POLL_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


class Client:
    """Client of one broker and one store.

    Args:
        broker_url: ``redis://…``; None takes ``KOEBIN_BROKER_URL``.
        store: URI of the store; None takes ``KOEBIN_STORE``.
        settings: all settings at once, instead of the environment's.

    Raises:
        ConfigurationError: no broker is configured.
        BrokerUnavailable: it does not answer.
    """

    def __init__(
        self, broker_url: str | None = None, store: str | None = None, *, settings: Settings | None = None
    ) -> None:
        overrides: dict[str, Any] = {"broker_url": broker_url, "store": store}
        settings = settings or load_settings(**{name: value for name, value in overrides.items() if value is not None})
        url = settings.broker_url.get_secret_value()
        if not url:
            raise ConfigurationError("no broker is configured", "", "Set KOEBIN_BROKER_URL to redis://host:6379/0")
        set_up_traces(settings.traces, "koebin-producer")
        self._settings = settings
        self._redis = connect(url)
        check(self._redis, mask(url))
        self._app = Celery("koebin-producer", set_as_current=False)
        configure(
            self._app,
            broker=url,
            result_backend=settings.result_backend.get_secret_value(),
            visibility_timeout=settings.visibility_timeout,
        )
        self._send: Send = sender(self._app, settings.signing_keys(), self._redis)
        self._ledger = Ledger(self._redis)
        self._leases = Leases(self._redis, settings.visibility_timeout)
        self._store = open_store(settings.store_uri(), options=settings.store_options())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._app.close()
        self._redis.close()

    @property
    def app(self) -> Celery:
        """Celery app behind this client, for plain ``send_task``."""
        return self._app

    @property
    def store(self) -> Store:
        return self._store

    @property
    def redis(self) -> Redis:
        return self._redis

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    def fleet(self) -> Fleet:
        """Live workers."""
        return fleet(self._redis)

    def speakers(self) -> dict[str, ServedSpeaker]:
        """Speakers that live workers serve."""
        return {name: found[0][1] for name, found in sorted(self.fleet().speakers().items())}

    def submit(
        self,
        script: Script | str | Iterable[Passage],
        *,
        speaker: str = "mei",
        options: SynthesisOptions | None = None,
        readings: Sequence[Reading] = (),
        dictionary: Dictionary | None = None,
        job_id: str | None = None,
        job_options: JobOptions | None = None,
        priority: str | None = None,
        wait_seconds: float = 0.0,
    ) -> str:
        """Submit a script, or a text to be read by one speaker, and return the job's id.

        Args:
            script: a parsed script, passages, or a text.
            speaker, options, readings, dictionary: of a text.
            job_id: an id of the caller's: submitting the same content under it again returns the same job.
            job_options: output, pauses, priority and others.
            priority: ``interactive``, ``briefing`` or ``batch``; overrides that of ``job_options``.
            wait_seconds: seconds to wait for a worker that serves the speakers.

        Raises:
            UnknownSpeaker, SpeakerNotServed, UnknownStyle, InvalidText, InvalidName: refused, nothing is queued.
            BackendMissing: a live worker that assembles cannot write a format; nothing is queued.
            JobConflict: ``job_id`` belongs to another content.
            StoreDenied, StoreFull, StoreUnavailable, BrokerUnavailable: nothing is queued.
        """
        job = store_keys.check_job(job_id) if job_id is not None else new_job_id()
        wished = job_options or JobOptions()
        if priority is not None:
            wished = replace(wished, priority=PRIORITIES[priority])
        whole = _script(script, speaker, options or SynthesisOptions(), readings, dictionary)
        now, targets = self._serving(whole, wait_seconds)
        now.check_formats(wished.output.formats)
        whole = without_unserved(whole, targets)
        if older := now.older():
            whole, targets = readable_by_older(older[0], whole, wished, targets)
        with span("koebin.submit", current() or os.environ.get(VARIABLE), **{"koebin.job": job}):
            return submit(self._redis, self._store, self._send, job, whole, wished, targets).job

    def preview(self, script: Script, job_options: JobOptions | None = None, wait_seconds: float = 0.0) -> Preview:
        """Preview of a submission: segments, those already stored, duration, time. Queues nothing.

        Raises:
            As ``submit``.
        """
        now, targets = self._serving(script, wait_seconds)
        script = without_unserved(script, targets)
        job_options = job_options or JobOptions()
        now.check_formats(job_options.output.formats)
        processes = {
            name: now.children(name, target.planned.model_revision, target.engine_revision)
            for name, target in targets.items()
        }
        return preview(script, targets, job_options.pauses, self._store, processes=processes)

    def targets(self, names: Iterable[str], wait_seconds: float = 0.0) -> dict[str, Target]:
        """Announcements of live workers for these speakers, for planning.

        Raises:
            UnknownSpeaker: no live worker serves one, and its name looks like another's.
            SpeakerNotServed: no live worker serves one.
        """
        return find_targets(self.fleet, names, wait_seconds)[1]

    def _serving(self, script: Script, wait_seconds: float) -> tuple[Fleet, dict[str, Target]]:
        """Live workers, and their announcements for the script's speakers; errors name the script's lines."""
        lines = {passage.speaker: passage.line for passage in reversed(script.passages)}
        try:
            return find_targets(self.fleet, lines, wait_seconds, some=script.items)
        except SpeakerError as error:
            raise type(error)(error.what, error.value, error.hint, lines.get(error.value, 0)) from error

    def status(self, job: str) -> Status:
        """Status of a job; asks the store if Redis does not know it.

        Raises:
            JobNotFound: neither Redis nor the store knows it.
        """
        store_keys.check_job(job)
        try:
            entry = self._ledger.entry(job)
            return status_of(entry, self._ledger.remaining_seconds(entry))
        except JobNotFound:
            manifest = self._manifest(job)
            return stored_status(manifest, stored_outcome(self._store, job), self._count_done(job))

    def _manifest(self, job: str) -> Manifest:
        manifest = stored_manifest(self._store, job)
        if manifest is None:
            raise JobNotFound("no such job", job, f"The store is {self._store.uri}")
        return manifest

    def _count_done(self, job: str) -> int:
        return sum(1 for _ in self._store.list(store_keys.done_prefix(job)))

    def wait(
        self, job: str, timeout: float | None = None, on_progress: Callable[[Status], None] | None = None
    ) -> JobOutcome:
        """Wait until a job has ended.

        A job that Redis has lost meanwhile is entered again from the store; an outage of Redis or of the store is
        waited out.

        Raises:
            TimeoutError: it has not ended in time; it goes on.
            JobNotFound: no such job.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                outcome = self._look(job, on_progress)
            except (RedisConnectionError, RedisTimeoutError, StoreUnavailable) as error:
                outcome = None
                log.warning("waiting for the end of an outage: %s", error)
                time.sleep(_OUTAGE_POLL_SECONDS)
            if outcome is not None:
                return outcome
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"job {job} has not ended after {timeout:.0f} s")
            time.sleep(_POLL_SECONDS)

    def _look(self, job: str, on_progress: Callable[[Status], None] | None) -> JobOutcome | None:
        """Outcome if there is one; else report the status, and make sure that Redis knows the job."""
        outcome = self.outcome(job)
        if outcome is None:
            if on_progress is not None:
                on_progress(self.status(job))
            if self._ledger.state(job) is None:
                self.resume(job)
        return outcome

    def outcome(self, job: str) -> JobOutcome | None:
        """Outcome of a job; None while it runs."""
        state = self._ledger.state(store_keys.check_job(job))
        if state in (State.RUNNING, State.ASSEMBLING):
            return None
        stored = stored_outcome(self._store, job)
        if stored is not None:
            return stored
        if state is None:
            self._manifest(job)
            return None
        return JobOutcome(job=job, state=state, error=self._ledger.entry(job).error)

    def result(self, job: str) -> Result:
        """Result of a job that has ended.

        Raises:
            JobFailed: it failed, or has not ended.
            JobCancelled: it was cancelled.
        """
        outcome = self.outcome(job)
        if outcome is None:
            raise JobFailed("the job has not ended", job, "Call wait()")
        if outcome.state is State.CANCELLED:
            raise JobCancelled("the job was cancelled", job)
        if outcome.result is None:
            raise JobFailed(outcome.error or "the job failed", job)
        return outcome.result

    def presign(self, uri: str, seconds: int) -> str:
        """URL that lets anyone read one object of this client's S3 store for a limited time.

        Raises:
            StoreDenied: the URI is not in this client's store.
            InvalidOption: the store is local, or a time that cannot be signed.
        """
        root = self._store.uri + "/"
        if not uri.startswith(root):
            raise StoreDenied("not in this client's store", uri, f"The store is {self._store.uri}")
        return self._store.presign(uri.removeprefix(root), seconds)

    def storage(self, job: str, *, with_segments: bool = False) -> tuple[int, int]:
        """Bytes of a job's own objects, optionally with its segments, which other jobs may share."""
        return storage(self._store, job, with_segments=with_segments)

    def cancel(self, job: str) -> State:
        """Cancel a job: drop what is queued, stop what runs at its next sentence, assemble nothing. This is final.

        Returns:
            The job's state; not CANCELLED if it had ended already.
        """
        state = self._ledger.state(store_keys.check_job(job))
        if state is None:
            self._manifest(job)
        elif state.ended:
            return state
        outcome = store_outcome(self._store, JobOutcome(job=job, state=State.CANCELLED))
        ended = self._ledger.end(job, outcome.state, outcome.error)
        return State(ended) if ended else outcome.state

    def resume(self, job: str) -> bool:
        """Enter a job that Redis has lost, from its manifest and its done chunks; True if that was necessary.

        Raises:
            JobNotFound: the store does not know it either.
        """
        return enter(self._redis, self._store, self._send, self._manifest(store_keys.check_job(job)))

    def dead_letters(self) -> list[dict[str, Any]]:
        """Evidence of every dead letter of all jobs."""
        return sorted((letter for _, _, letter in DeadLetters(self._redis).all()), key=lambda letter: letter["time"])

    def unreadable_messages(self) -> list[dict[str, Any]]:
        """Unreadable messages, latest first."""
        return unreadable_messages(self._redis)

    def remove_dead_letters(self, job: str) -> int:
        """Remove a job's dead letters that were handled in another way; returns how many there were."""
        return DeadLetters(self._redis).remove(store_keys.check_job(job))

    def remove_unreadable(self) -> int:
        """Remove the unreadable messages; returns how many there were."""
        return remove_unreadable(self._redis)

    def redrive(self, job: str) -> int:
        """Retry a failed job, or the dead segments of a partial one.

        Returns:
            Number of dead segments to be retried, 1 for a job that failed without any, 0 if there is nothing to retry.

        Raises:
            JobNotFound: the store does not know the job.
            JobCancelled: it was cancelled, which is final; its dead letters stay.
        """
        manifest = self._manifest(store_keys.check_job(job))
        return redrive(self._redis, self._store, self._send, self._leases, manifest, self.outcome(job))

    def events(self, job: str, timeout: float | None = None) -> Iterator[Mapping[str, str]]:
        """Events of a job, from its beginning until it has ended.

        Yields:
            ``{"event": "submitted" | "chunk" | "assembling" | "ended", "time": seconds since 1970, …}``
        """
        after = "0"
        deadline = None if timeout is None else time.monotonic() + timeout
        while deadline is None or time.monotonic() < deadline:
            for event_id, event in self._ledger.events(job, after, block_ms=1000):
                after = event_id
                yield {**event, "time": f"{int(event_id.partition('-')[0]) / 1000:.3f}"}
                if event["event"] == "ended":
                    return
            if self._ledger.state(job) is None:
                return

    def jobs(self, limit: int = 100, state: State | None = None, skip: int = 0) -> list[Status]:
        """Live jobs, oldest first, then ended ones, last first.

        Args:
            limit: at most so many.
            state: only those in this state.
            skip: pass over so many first, for the next page.
        """
        page = islice(self._ledger.listed(state), skip, skip + limit)
        return [status_of(entry) for entry in self._ledger.entries(page)]


def new_job_id() -> str:
    """Job id that sorts by time and cannot be guessed."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + f"-{secrets.token_hex(4)}"


def _script(
    script: Script | str | Iterable[Passage],
    speaker: str,
    options: SynthesisOptions,
    readings: Sequence[Reading],
    dictionary: Dictionary | None,
) -> Script:
    if isinstance(script, Script):
        return script
    left_out: tuple[LeftOut, ...] = ()
    if isinstance(script, str):
        check_text(script)
        left_out = tuple(
            LeftOut(script.count("\n", 0, each.start) + 1, each.text, f"cannot be read ({each.name})")
            for each in find_unreadable(script)
        )
        script = [Passage(script, check_speaker(speaker), options, tuple(readings))]
    return Script(tuple(script), dictionary=dictionary or Dictionary(), left_out=left_out)
