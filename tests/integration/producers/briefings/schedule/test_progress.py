"""One tick and everything that can go wrong on its way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from koebin.engine.errors import (
    InvalidBriefing,
    InvalidText,
    JobConflict,
    JobNotFound,
    SpeakerNotServed,
    StoreUnavailable,
    UnknownSpeaker,
)
from koebin.producers.briefings.briefing_file import Briefing, load_briefing
from koebin.producers.briefings.compose import Composed, Rendered, Submission, job_id
from koebin.producers.briefings.schedule.journal import Journal, LeaseGone, TickState, tick_id
from koebin.producers.briefings.schedule.lease import holding
from koebin.producers.briefings.schedule.progress import FOLLOWED, MAX_ATTEMPTS, BriefingOutcome, Progress
from koebin.tasks.stores.base import Store
from koebin.tasks.stores.uri import open_store
from tests.servers.redis import RedisServer

DUE = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)


class Bench:
    """A tick and the steps it takes; every step can be made to fail."""

    def __init__(self, server: RedisServer, folder: Path) -> None:
        self.redis = Redis.from_url(server.url)
        self.redis.flushdb()
        path = folder / "morning.toml"
        path.write_text(
            f'[when]\ncrontab = "0 7 * * *"\n[template]\ntext = "x"\n[output]\nstore = "file://{folder}/s"\n'
        )
        self.briefing = load_briefing(path)
        self.store: Store = open_store(f"file://{folder}/s")
        self.rendered = 0
        self.submitted: list[str] = []
        self.submitting: Callable[[], None] = lambda: None
        self.outcome: Callable[[], BriefingOutcome | None] = lambda: BriefingOutcome("", {})
        self.now = DUE
        self.journal = Journal(self.redis)
        self.tick = tick_id("morning", DUE)
        self.journal.add(self.tick)
        self.progress = Progress(
            self.journal, self.compose, self.submit, lambda _: self.outcome(), open_store, lambda: self.now
        )

    def compose(self, briefing: Briefing, due: datetime) -> Composed:
        self.rendered += 1
        words, job = f"{self.rendered} 番目", job_id(briefing, due)
        store = briefing.output.store
        return Composed(
            Submission("morning", due.isoformat(), job, "", words, "mei", {}, (), store, {}), Rendered(words, ())
        )

    def submit(self, submission: Submission) -> str:
        self.submitting()
        self.submitted.append(submission.text)
        self.store.put(f"jobs/{submission.job}/out/programme.mp3", submission.text.encode())
        return submission.job

    def advance(self, known: bool = True) -> TickState:
        with holding(self.journal, self.tick, 5, rest=0, limit=60) as owner:
            assert owner
            state = self.progress.advance(self.tick, owner, self.briefing if known else None)
        self.redis.delete(f"koebin:briefing:lease:{self.tick}")
        assert (self.tick in self.journal.open_ticks()) is not state.ended
        return state

    def last(self) -> dict[str, str]:
        return self.journal.last()["morning"]


@pytest.fixture
def bench(server: RedisServer, tmp_path: Path) -> Bench:
    return Bench(server, tmp_path)


def raising(error: Exception) -> Callable[[], None]:
    def _raise() -> None:
        raise error

    return _raise


def test_from_due_to_published(bench: Bench) -> None:
    assert bench.advance() is TickState.PUBLISHED
    assert bench.store.get("briefings/morning/latest.mp3").decode() == "1 番目"
    assert bench.last() == {"due": DUE.isoformat(), "state": "PUBLISHED", "error": ""}
    assert not bench.journal.add(bench.tick)
    assert bench.advance() is TickState.PUBLISHED
    assert bench.submitted == ["1 番目"]
    tick = bench.journal.tick(bench.tick)
    assert tick is not None
    assert tick.submission == ""
    assert list(json.loads(tick.entry)["uris"]) == ["briefings/morning/2026-11-23-0700.mp3"]


@pytest.mark.parametrize("error", [StoreUnavailable("away"), SpeakerNotServed("no worker"), RuntimeError("a bug")])
def test_what_may_succeed_later_is_tried_again_with_the_same_words(bench: Bench, error: Exception) -> None:
    bench.submitting = raising(error)
    for _ in range(3):
        assert bench.advance() in (TickState.DUE, TickState.RENDERED)
    bench.submitting = lambda: None
    assert bench.advance() is TickState.PUBLISHED
    assert (bench.rendered, bench.submitted) == (1, ["1 番目"])


@pytest.mark.parametrize("error", [UnknownSpeaker("unknown", "mai", "Did you mean mei?"), InvalidText("no")])
def test_what_never_will_ends_the_tick(bench: Bench, error: Exception) -> None:
    bench.submitting = raising(error)
    assert bench.advance() is TickState.FAILED
    assert bench.last()["error"] == str(error)


def test_a_template_that_fails_ends_the_tick(bench: Bench) -> None:
    def fails(*_: object) -> Composed:
        raise InvalidBriefing("the template fails")

    bench.progress = replace(bench.progress, compose=fails)
    assert bench.advance() is TickState.FAILED
    assert bench.last()["error"] == "the template fails"


def test_a_job_with_other_words_is_taken_as_it_is(bench: Bench) -> None:
    bench.submitting = raising(JobConflict("the job id belongs to another content", "x"))
    bench.store.put(f"jobs/{job_id(bench.briefing, DUE)}/out/programme.mp3", b"by hand")
    assert bench.advance() is TickState.PUBLISHED
    assert bench.store.get("briefings/morning/latest.mp3") == b"by hand"


def test_a_job_that_is_just_being_submitted_is_waited_for(bench: Bench) -> None:
    """The process that submitted it may have died in the middle: then there is no job yet, and no outcome."""
    bench.submitting = raising(JobConflict("the job is being submitted by another process", "x"))
    bench.outcome = raising(JobNotFound("no such job"))  # type: ignore[assignment]
    assert bench.advance() is TickState.DUE
    bench.submitting, bench.outcome = lambda: None, lambda: BriefingOutcome("", {})
    assert bench.advance() is TickState.PUBLISHED
    assert bench.submitted == ["1 番目"]


def test_a_job_that_fails_leaves_the_previous_edition(bench: Bench) -> None:
    bench.store.put("briefings/morning/latest.mp3", b"yesterday")
    bench.outcome = lambda: BriefingOutcome("no child survived it", {})
    assert bench.advance() is TickState.FAILED
    assert bench.last()["error"] == "no child survived it"
    assert bench.store.get("briefings/morning/latest.mp3") == b"yesterday"


def test_a_job_that_takes_its_time_is_followed_but_not_for_ever(bench: Bench) -> None:
    bench.outcome = lambda: None
    for _ in range(MAX_ATTEMPTS + 3):
        assert bench.advance() is TickState.SUBMITTED
    bench.now = DUE + FOLLOWED + timedelta(hours=1)
    assert bench.advance() is TickState.FAILED
    assert bench.submitted == ["1 番目"]


def test_a_tick_whose_file_is_gone_waits_and_one_that_is_rendered_does_not(bench: Bench) -> None:
    assert bench.advance(known=False) is TickState.DUE
    bench.submitting = raising(StoreUnavailable("away"))
    bench.advance()
    bench.submitting = lambda: None
    assert bench.advance(known=False) is TickState.PUBLISHED


def test_what_kills_its_process_does_not_do_so_for_ever(bench: Bench) -> None:
    class Killed(BaseException):
        pass

    bench.submitting = raising(Killed())  # type: ignore[arg-type]
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(Killed):
            bench.advance()
        bench.redis.delete(f"koebin:briefing:lease:{bench.tick}")
    assert bench.advance() is TickState.FAILED
    assert "given up after 10 attempts" in bench.last()["error"]


def test_who_lost_its_lease_changes_nothing(bench: Bench) -> None:
    owner = bench.journal.claim(bench.tick, 5)
    bench.redis.set(f"koebin:briefing:lease:{bench.tick}", "somebody else")
    with pytest.raises(LeaseGone):
        bench.progress.advance(bench.tick, owner, bench.briefing)
    assert (bench.rendered, bench.submitted) == (0, [])


def test_a_lease_is_renewed_while_it_is_held_and_rests_afterwards(bench: Bench) -> None:
    with holding(bench.journal, "x", 2.0, rest=60, limit=60) as owner:
        assert owner
        with holding(bench.journal, "x", 2.0, rest=0, limit=60) as other:
            assert other == ""
        assert bench.redis.pttl("koebin:briefing:lease:x") > 0
        for _ in range(5):
            time.sleep(0.5)
            assert bench.redis.exists("koebin:briefing:lease:x")
    assert bench.journal.claim("x", 1) == ""
