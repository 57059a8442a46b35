"""A beat process for `test_briefings_beat.py`: its clock, its jobs and its record of what it did all live in Redis."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from redis import Redis

from koebin.producers.briefings.beat import BeatOptions, run_beat
from koebin.producers.briefings.briefing_file import Briefing
from koebin.producers.briefings.compose import Composed, Rendered, Submission, job_id
from koebin.producers.briefings.schedule.progress import BriefingOutcome


def main(folder: Path, url: str, dies: str) -> None:
    """Run until SIGTERM.

    Args:
        dies: ``before-submit`` and ``after-submit`` kill the process there, as a power cut would.
    """
    redis = Redis.from_url(url, decode_responses=True)
    logging.disable()

    def clock() -> datetime:
        return datetime.fromtimestamp(float(redis.get("test:now")), UTC)

    def render(briefing: Briefing, due: datetime) -> Composed:
        number = redis.incr("test:rendered")
        words = f"{number} 番目"  # never the same twice, as a feed that changes
        job = job_id(briefing, due)
        submission = Submission(
            briefing.name, due.isoformat(), job, "", words, "mei", {}, (), briefing.output.store, {"formats": ["mp3"]}
        )
        return Composed(submission, Rendered(words, ()))

    def submit(submission: Submission) -> str:
        if dies == "before-submit":
            os.kill(os.getpid(), signal.SIGKILL)
        redis.rpush("test:submissions", f"{submission.job} {submission.text}")
        # As a client does: the same id is the same job.
        if redis.hsetnx("test:jobs", submission.job, submission.text):
            output = folder.parent / "store" / "jobs" / submission.job / "out"
            output.mkdir(parents=True)
            (output / "audio.mp3").write_text(submission.text)
        if dies == "after-submit":
            os.kill(os.getpid(), signal.SIGKILL)
        return submission.job

    def follow(submission: Submission) -> BriefingOutcome:
        return BriefingOutcome("", {"uri": submission.job})

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    options = BeatOptions(interval=0.04, lease=0.6, poll=0.05, threads=4)
    redis.rpush("test:started", str(time.time()))
    run_beat(folder, redis, submit, follow, stop, render=render, clock=clock, options=options)
