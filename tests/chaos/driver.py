"""One run after the other: submit a job, wait for a step, break something, see whether and when the job recovers."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redis.exceptions import RedisError

from koebin.engine.errors import KoebinError
from koebin.producers.client import Client
from koebin.tasks import redis_keys, store_keys
from koebin.tasks.broker.fleet import withdraw
from koebin.tasks.contracts import Output
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.outcome import JobOutcome
from koebin.tasks.jobs.submission import JobOptions
from koebin.tasks.stores.base import Store
from tests.chaos.arena import Arena, Supervised
from tests.chaos.checks import Undisturbed, check_nothing_left, check_outputs, fingerprint
from tests.chaos.faults import FAULTS, Fault, StoreKind
from tests.chaos.probes import MAKING_WAY, STEPS
from tests.chaos.producer import SUBMITTING, killed_submission
from tests.chaos.texts import KINDS, VOICES, script
from tests.servers.waiting import wait_until

RANDOM: Final = "random moment"
PRODUCER: Final = "SIGKILL producer"
JOB_OPTIONS: Final = JobOptions(Output(subtitles=("srt",)))
URGENT_SENTENCES: Final = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """One fault at one step.

    Attributes:
        outage: seconds that the fault lasts, if it is one that lasts.
        long: it lasts longer than those of most runs.
    """

    number: int
    fault: str
    step: str
    store: StoreKind
    book: int
    seed: int
    outage: float
    long: bool = False


@dataclass(frozen=True, slots=True)
class Outages:
    """How long outages last: most of them ``seconds``, a share of them longer."""

    seconds: float = 4.0
    long_seconds: float = 30.0
    share_of_long: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a run.

    Attributes:
        seconds: from the fault until all that was in flight then is done; None if it never was.
        problems: what did not hold; empty if the job recovered.
        made_way: how often a task made way for something more urgent.
    """

    plan: Plan
    seconds: float | None
    problems: tuple[str, ...]
    made_way: int = 0


def plans(runs: int, seed: int, arena: Arena, outages: Outages, *, urgent: bool = False) -> Iterator[Plan]:
    """Every pair of fault and step comes before one comes again, in an order that the seed decides."""
    rng = random.Random(seed)
    steps = (*STEPS, MAKING_WAY, RANDOM) if urgent else (*STEPS, RANDOM)
    pairs: list[tuple[str, str]] = []
    for number in range(runs):
        if not pairs:
            pairs = [(fault.name, step) for fault in FAULTS for step in steps if arena.can(fault.store)]
            pairs += [(PRODUCER, SUBMITTING)] * 5
            rng.shuffle(pairs)
        name, step = pairs.pop()
        fault = next((fault for fault in FAULTS if fault.name == name), None)
        wanted = fault.store if fault else ""
        store: StoreKind = wanted or ("s3" if arena.can("s3") and rng.random() < 0.2 else "file")
        long = rng.random() < outages.share_of_long and fault is not None and fault.outage
        seconds = outages.long_seconds if long else outages.seconds
        yield Plan(number, name, step, store, rng.randrange(KINDS), rng.randrange(2**31), seconds, long)


class Driver:
    """Runs plans in an arena.

    Attributes:
        urgent: whether something more urgent is asked for in every run, just before its fault.
    """

    def __init__(
        self,
        arena: Arena,
        sentences: int = 48,
        patience: float = 120.0,
        logs: Path | None = None,
        *,
        urgent: bool = False,
    ) -> None:
        self.arena = arena
        self.urgent = urgent
        self._logs = logs
        self._ending: threading.Timer | None = None
        self.patience = patience
        self._sentences = sentences
        self._undisturbed: dict[tuple[int, int], Undisturbed] = {}

    def undisturbed(self, book: int, sentences: int) -> Undisturbed:
        """What the book gives when nothing happens."""
        if (book, sentences) not in self._undisturbed:
            uri = f"{self.arena.root('file')}/undisturbed-{book}-{sentences}"
            with self.arena.client(uri) as client:
                job = client.submit(script(book, sentences), job_options=JOB_OPTIONS, wait_seconds=60)
                outcome = client.wait(job, self.patience)
                if outcome.state is not State.SUCCEEDED:
                    raise RuntimeError(f"the undisturbed job ended {outcome.state}: {outcome.error}")
            self._undisturbed[book, sentences] = fingerprint(self.arena.store(uri), job)
        return self._undisturbed[book, sentences]

    def run(self, plan: Plan) -> Report:
        """Break it, wait, look."""
        wanted = self.undisturbed(plan.book, self._sentences)
        uri = f"{self.arena.root(plan.store)}/run-{plan.number}"
        store = self.arena.store(uri)
        job = f"chaos-{plan.number}-{plan.seed}"
        if self.urgent:
            self.undisturbed(0, URGENT_SENTENCES)
        made_way = self._made_way()
        with self.arena.client(uri) as client:
            try:
                seconds, outcome = self._break(plan, client, store, job, uri)
                self._end_fault()
                problems = list(check_outputs(store, job, outcome, wanted))
                problems += self._urgent_problems(plan)
                problems += check_nothing_left(self.arena, 4 * self.arena.timeout + 10)
            except TimeoutError as error:
                seconds, problems = None, [str(error)]
            finally:
                self._end_fault()
        self.arena.steps.reset()
        if problems:
            self._keep_logs(plan)
            self._start_over()
        elif plan.store != "s3":
            for used in (uri, f"{uri}-urgent") if self.urgent else (uri,):
                store = self.arena.store(used)
                for key in list(store.list()):
                    store.delete(key)
        # What is killed while it makes way says nothing of it.
        made_way = max(self._made_way() - made_way, int(plan.step == MAKING_WAY))
        return Report(plan, seconds, tuple(problems), made_way)

    def _made_way(self) -> int:
        """How often the workers' logs say so."""
        return sum(worker.text().count("preempted by more urgent work") for worker in self.arena.workers)

    def _break(self, plan: Plan, client: Client, store: Store, job: str, uri: str) -> tuple[float | None, JobOutcome]:
        rng = random.Random(plan.seed)
        book = script(plan.book, self._sentences)
        if plan.fault == PRODUCER:
            client.targets(VOICES, 60)
            killed_submission(self.arena.settings(uri, direct=True), job, plan.book, self._sentences, rng.randrange(12))
            return self._submit_again(client, job, plan)
        fault = next(found for found in FAULTS if found.name == plan.fault)
        self.arena.steps.reset()
        workers = len(self.arena.workers)
        if plan.step == MAKING_WAY:  # all are to be busy: whoever is idle would take what is urgent
            for live in client.fleet().workers:
                withdraw(self.arena.redis, live.key)  # it may have been killed; if not, it says so again
            wait_until(lambda: len(client.fleet().workers) == workers, self.patience, "not all workers are ready")
        if plan.step != RANDOM:
            client.targets(VOICES, 60)
            self.arena.steps.arm(plan.step)
        client.submit(book, job_id=job, job_options=JOB_OPTIONS, wait_seconds=60)
        if plan.step == MAKING_WAY:
            wait_until(
                lambda: self.arena.redis.zcard(redis_keys.UNACKED_INDEX) >= workers,
                self.patience,
                "not all took a chunk",
            )
            self._submit_urgent(plan, job)
        victim = self._victim(plan, job, client, rng)
        if self.urgent and plan.step != MAKING_WAY:
            self._submit_urgent(plan, job)
        in_flight = self._in_flight(client, job)
        started = time.monotonic()
        self._cause(plan, fault, victim)
        return self._recovered(client, store, job, in_flight, started)

    def _submit_urgent(self, plan: Plan, job: str) -> None:
        with self._urgent_client(plan) as client:
            book = script(0, URGENT_SENTENCES)
            client.submit(
                book, job_id=f"{job}-urgent", job_options=JOB_OPTIONS, priority="interactive", wait_seconds=60
            )

    def _urgent_client(self, plan: Plan) -> Client:
        return self.arena.client(f"{self.arena.root(plan.store)}/run-{plan.number}-urgent")

    def _urgent_problems(self, plan: Plan) -> list[str]:
        """What is wrong with what was urgent; the producer's own fault comes before anything is."""
        if not self.urgent or plan.fault == PRODUCER:
            return []
        job = f"chaos-{plan.number}-{plan.seed}-urgent"
        with self._urgent_client(plan) as client:
            outcome = self._wait(client, job, time.monotonic() + self.patience)
            found = check_outputs(client.store, job, outcome, self.undisturbed(0, URGENT_SENTENCES))
            return [f"urgent: {problem}" for problem in found]

    def _victim(self, plan: Plan, job: str, client: Client, rng: random.Random) -> Supervised:
        if plan.step == RANDOM:
            time.sleep(rng.uniform(0.0, 2.0))
            return rng.choice(self.arena.workers)
        deadline = time.monotonic() + self.patience
        while (pid := self.arena.steps.hit(plan.step)) is None:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"nobody came to the step {plan.step!r} ({client.status(job).state})")
            time.sleep(0.01)
        return self.arena.worker_of(pid)

    def _in_flight(self, client: Client, job: str) -> set[int] | None:
        """Chunks that are dispatched and not done; None once the job is being assembled or has ended."""
        if client.ledger.state(job) is not State.RUNNING:
            return None
        return {number for speaker in client.ledger.speakers(job) for number, _ in client.ledger.open(job, speaker)}

    def _cause(self, plan: Plan, fault: Fault, victim: Supervised) -> None:
        self.arena.outage_seconds = plan.outage
        fault.start(self.arena, victim)
        self.arena.steps.go()
        if fault.end is not None:
            lasts = plan.outage if fault.outage else 2 * self.arena.timeout
            self._ending = threading.Timer(lasts, fault.end, (self.arena, victim))
            self._ending.start()

    def _submit_again(self, client: Client, job: str, plan: Plan) -> tuple[float | None, JobOutcome]:
        started = time.monotonic()
        while True:
            try:
                client.submit(script(plan.book, self._sentences), job_id=job, job_options=JOB_OPTIONS, wait_seconds=30)
                break
            except KoebinError as error:  # the dead producer's lock
                if time.monotonic() > started + self.patience:
                    raise TimeoutError(f"the job cannot be submitted again: {error}") from error
                time.sleep(0.2)
        taken = time.monotonic() - started
        return taken, self._wait(client, job, started + self.patience)

    def _recovered(
        self, client: Client, store: Store, job: str, in_flight: set[int] | None, started: float
    ) -> tuple[float | None, JobOutcome]:
        """Seconds until what was in flight is done, and how the job ended."""
        names = (
            [store_keys.result(job)] if in_flight is None else [store_keys.done(job, number) for number in in_flight]
        )
        seconds: float | None = None
        while time.monotonic() < started + self.patience:
            if seconds is None and all(store.exists(name) for name in names):
                seconds = time.monotonic() - started
            with contextlib.suppress(RedisError, KoebinError, TimeoutError):
                outcome = client.wait(job, 0.0)
                if seconds is None and not all(store.exists(name) for name in names):
                    raise RuntimeError("a job ended without its chunks")
                return seconds if seconds is not None else time.monotonic() - started, outcome
            time.sleep(0.1)
        raise TimeoutError(self._where_it_stands(client, job))

    def _wait(self, client: Client, job: str, deadline: float) -> JobOutcome:
        while time.monotonic() < deadline:
            with contextlib.suppress(RedisError, KoebinError, TimeoutError):
                return client.wait(job, 1.0)
        raise TimeoutError(self._where_it_stands(client, job))

    def _where_it_stands(self, client: Client, job: str) -> str:
        status = client.status(job)
        return (
            f"not ended after {self.patience:.0f} s: {status.state}, {status.chunks_done} of {status.chunks} chunks, "
            f"waiting: {status.waiting or '-'}"
        )

    def _end_fault(self) -> None:
        if self._ending is not None:
            self._ending.join()
            self._ending = None

    def _keep_logs(self, plan: Plan) -> None:
        if self._logs is None:
            return
        self._logs.mkdir(parents=True, exist_ok=True)
        for worker in self.arena.workers:
            (self._logs / f"run-{plan.number}-{worker.name}.log").write_text(worker.text()[-100_000:])

    def _start_over(self) -> None:
        """A run that failed must not spoil the next one."""
        self.arena.redis.flushall()
        for worker in self.arena.workers:
            with contextlib.suppress(ProcessLookupError):
                worker.signal_all(9)
        for process in self.arena.orphans():
            process.kill()
        time.sleep(1.0)
        self.arena.redis.flushall()
