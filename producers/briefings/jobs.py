"""Jobs of briefings through the ordinary client; each may have a store of its own."""

from __future__ import annotations

import threading
from pathlib import Path

from koebin.producers.briefings.compose import Submission, script_of
from koebin.producers.briefings.schedule.progress import BriefingOutcome
from koebin.producers.client import Client
from koebin.tasks.contracts import Output, parse
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.submission import JobOptions
from koebin.tasks.settings import Settings
from koebin.tasks.stores.base import Store
from koebin.tasks.stores.uri import open_store


class Jobs:
    """Submits and follows jobs; one client per store, shared by the threads of a beat process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clients: dict[str, Client] = {}
        self._lock = threading.Lock()

    def submit(self, submission: Submission) -> str:
        """Submit the job; the same submission again is the same job.

        Raises:
            SpeakerNotServed, TransientError: to be retried.
            KoebinError: see ``Client.submit``.
        """
        paths = [Path(path) for path in submission.dictionaries]
        script = script_of(submission.text, submission.speaker, submission.options, paths, title=submission.title)
        job_options = JobOptions(parse(Output, submission.output), priority=submission.priority)
        return self._client(submission.store).submit(script, job_id=submission.job, job_options=job_options)

    def follow(self, submission: Submission) -> BriefingOutcome | None:
        """Outcome of a job, None while it runs; one that Redis has lost is entered again from the store.

        Raises:
            JobNotFound: neither Redis nor the store knows it.
        """
        client = self._client(submission.store)
        outcome = client.outcome(submission.job)
        if outcome is None:
            if client.ledger.state(submission.job) is None:
                client.resume(submission.job)
            return None
        if outcome.state is State.SUCCEEDED and outcome.result is not None:
            return BriefingOutcome("", outcome.result.model_dump(mode="json"))
        return BriefingOutcome(outcome.error or f"the job ended as {outcome.state}", {})

    def open_store(self, uri: str) -> Store:
        """Store with this deployment's credentials."""
        return open_store(uri, options=self._settings.store_options())

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _client(self, store: str) -> Client:
        with self._lock:
            if store not in self._clients:
                self._clients[store] = Client(settings=self._settings.model_copy(update={"store": store}))
            return self._clients[store]
