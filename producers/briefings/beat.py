"""Beat: scheduler that runs the briefings of a folder; any number of processes may share one Redis.

Each process looks at every schedule and writes down what is due (`koebin.producers.briefings.schedule.journal`);
whichever gets a tick's lease takes it to the end (`koebin.producers.briefings.schedule.progress`). A process that
dies loses its leases within seconds, and another one goes on. A clock that jumps, forth or back, repeats no tick:
ticks are remembered, not just the time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from redis import Redis, RedisError

from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.briefing_file import Briefing, load_folder
from koebin.producers.briefings.compose import Submitter, compose
from koebin.producers.briefings.schedule.catch_up import notice
from koebin.producers.briefings.schedule.journal import Journal, LeaseGone, schedule_key
from koebin.producers.briefings.schedule.lease import holding
from koebin.producers.briefings.schedule.progress import Compose, Follow, OpenStore, Progress
from koebin.tasks.stores.uri import open_store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BeatOptions:
    """Options of a beat process.

    Attributes:
        interval: seconds between two checks of the schedules.
        lease: seconds after which a dead process's ticks are taken over.
        poll: seconds between two checks of a running job, and before a retry.
        reload: seconds between two checks of the folder.
        threads: number of ticks in progress at once.
        attempt: seconds without progress after which a tick is left to another process.
    """

    interval: float = 0.5
    lease: float = 10.0
    poll: float = 2.0
    reload: float = 5.0
    threads: int = 8
    attempt: float = 300.0


def run_beat(
    folder: Path,
    redis: Redis,
    submit: Submitter,
    follow: Follow,
    stop: threading.Event,
    *,
    policy: Policy | None = None,
    render: Compose | None = None,
    stores: OpenStore = open_store,
    clock: Callable[[], datetime] | None = None,
    options: BeatOptions = BeatOptions(),
) -> None:
    """Run the briefings of ``folder`` until ``stop`` is set; work in progress is finished or left to another process.

    Args:
        redis: a client made with ``decode_responses=True``.
        submit: submits a briefing's job; the same submission twice must be one job.
        follow: outcome of a job, None while it runs.
        policy: access policy of sources.
        render: replaces the rendering, for tests.
        stores: opens the store that editions are published in.
        clock: the aware time; None is the server's, which all processes share.
    """
    chosen = policy or Policy()
    journal = Journal(redis)
    progress = Progress(
        journal,
        render or (lambda briefing, due: compose(briefing, due, chosen)),
        submit,
        follow,
        stores,
        clock or journal.now,
        options.lease,
    )
    beat = _Beat(_Folder(folder, options.reload), progress, options)
    beat.run(stop)


class _Beat:
    def __init__(self, folder: _Folder, progress: Progress, options: BeatOptions) -> None:
        self._folder = folder
        self._progress = progress
        self._journal = progress.journal
        self._options = options
        self._busy: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        with ThreadPoolExecutor(self._options.threads, thread_name_prefix="briefing") as pool:
            while not stop.is_set():
                try:
                    self._look(pool)
                except RedisError as error:
                    log.warning("the beat cannot reach Redis and retries (%s)", type(error).__name__)
                    stop.wait(1.0)
                stop.wait(self._options.interval)

    def _look(self, pool: ThreadPoolExecutor) -> None:
        briefings = self._folder.briefings()
        seen = self._journal.seen()
        now = self._progress.clock()
        for briefing in briefings.values():
            notice(self._journal, briefing, seen.get(schedule_key(briefing), ""), now)
        for tick in self._journal.free_ticks():
            if len(self._busy) >= self._options.threads:
                return
            if tick not in self._busy:
                self._busy.add(tick)
                pool.submit(self._work, tick, briefings.get(tick.partition("@")[0]))

    def _work(self, tick: str, briefing: Briefing | None) -> None:
        times = self._options
        try:
            with holding(self._journal, tick, times.lease, rest=times.poll, limit=times.attempt) as owner:
                if owner:
                    self._progress.advance(tick, owner, briefing)
        except LeaseGone:
            log.warning("tick %s was taken over by another process", tick)
        except RedisError as error:
            log.warning("tick %s waits for Redis (%s)", tick, type(error).__name__)
        finally:
            self._busy.discard(tick)


class _Folder:
    """Briefings of a folder, reloaded when a file changes; a file that breaks keeps its last good state."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path = path
        self._seconds = seconds
        self._looked = -seconds
        self._stamp: object = None
        self._briefings: dict[str, Briefing] = {}

    def briefings(self) -> dict[str, Briefing]:
        """Briefings by name."""
        if time.monotonic() - self._looked >= self._seconds:
            self._looked = time.monotonic()
            stamp = [(path, path.stat().st_mtime_ns) for path in sorted(self._path.glob("*"))]
            if stamp != self._stamp:
                self._stamp = stamp
                self._read()
        return self._briefings

    def _read(self) -> None:
        loaded, problems = load_folder(self._path)
        for path, problem in problems.items():
            log.error("%s: %s", path.name, problem)
        broken = {name: each for name, each in self._briefings.items() if each.path in map(Path.absolute, problems)}
        self._briefings = {**broken, **loaded}
        log.info("briefings: %s", ", ".join(self._briefings) or "none")
