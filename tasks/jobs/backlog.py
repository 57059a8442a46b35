"""Backlog: predicted audio that waits to be rendered, by speaker and priority.

That of jobs comes from the ledgers, because queues hold only a small dispatched window. That of single texts, which are
not jobs, comes from the queues.
"""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from koebin.tasks.broker.fleet import fleet, known_speakers
from koebin.tasks.jobs.live_jobs import LiveJobs
from koebin.tasks.jobs.waiting_texts import WaitingTexts, waiting_texts


@dataclass(frozen=True, slots=True)
class Backlog:
    """Backlog of one speaker: audio that is planned, queued or being rendered.

    Attributes:
        audio_seconds: predicted, by the priority of the jobs and single texts (0 goes first).
        children: processes that serve the speaker now.
        speed_factor: audio seconds per wall second of one worker, as its workers announce; 0 without any.
        texts: number of single texts among that.
        work_seconds: wall seconds that one such worker would need; the audio's if no speed is known.
    """

    speaker: str
    audio_seconds: dict[int, float]
    children: int
    speed_factor: float
    texts: int = 0

    @property
    def work_seconds(self) -> float:
        total = sum(self.audio_seconds.values())
        return total / self.speed_factor if self.speed_factor > 0 else total


def backlog(redis: Redis) -> dict[str, Backlog]:
    """Backlog of every speaker that has one or is served, by name.

    Raises:
        redis.RedisError: the broker does not answer.
    """
    served = fleet(redis).speakers()
    texts = waiting_texts(redis, known_speakers(redis) | served.keys())
    waiting = _waiting(redis, texts)
    found = {}
    for speaker in sorted({*waiting, *served}):
        workers = served.get(speaker, [])
        speeds = [offer.speed_factor for _, offer in workers if offer.speed_factor > 0]
        found[speaker] = Backlog(
            speaker=speaker,
            audio_seconds=dict(sorted(waiting.get(speaker, {}).items())),
            texts=sum(single.texts for single in texts.get(speaker, {}).values()),
            children=sum(worker.children for worker, _ in workers),
            speed_factor=sum(speeds) / len(speeds) if speeds else 0.0,
        )
    return found


def assembling(redis: Redis) -> int:
    """Number of jobs that wait for their assembly, or are being assembled."""
    return LiveJobs(redis).waiting()[1]


def _waiting(redis: Redis, texts: dict[str, dict[int, WaitingTexts]]) -> dict[str, dict[int, float]]:
    waiting = {speaker: {step: single.seconds for step, single in found.items()} for speaker, found in texts.items()}
    planned, _ = LiveJobs(redis).waiting()
    for speaker, by_priority in planned.items():
        total = waiting.setdefault(speaker, {})
        for priority, seconds in by_priority.items():
            total[priority] = total.get(priority, 0.0) + seconds
    return waiting
