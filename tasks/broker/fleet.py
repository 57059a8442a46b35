"""Fleet: live workers and the speakers they serve, from announcements in Redis that expire without a heartbeat."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from redis import Redis

from koebin.engine.bounded_json import loads
from koebin.engine.errors import BackendMissing, KoebinError
from koebin.tasks import redis_keys
from koebin.tasks.connection import as_text, server_time

ANNOUNCEMENT_SECONDS: Final = 15
"""Seconds after the last heartbeat at which an announcement expires."""
_SPEAKER_SECONDS: Final = 90 * 24 * 3600
"""After which a speaker that nobody serves any more is forgotten."""
_CREDIT: Final = ("display_name", "licence", "creators")


@dataclass(frozen=True, slots=True)
class ServedSpeaker:
    """Speaker as one worker serves it.

    Attributes:
        speed_factor: audio seconds per wall second of the whole worker, measured at warm-up and then at work.
        display_name, licence, creators: as the voice's maker gives them; of the licence its title.
    """

    name: str
    styles: tuple[str, ...]
    sample_rate_hz: int
    model_revision: str
    speed_factor: float
    display_name: str = ""
    licence: str = ""
    creators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Announcement:
    """Announcement of one ready worker.

    Attributes:
        assembles: whether it assembles jobs.
        formats: output formats that it can write; empty if unknown.
        tasks: names of the tasks that it knows; empty if unknown.
        problem: why it takes nothing now, until it has proved itself again; "" if it does.
        instance: tells two workers of one name apart; "" if unknown.
    """

    worker: str
    engine_revision: str
    children: int
    assembles: bool
    speakers: tuple[ServedSpeaker, ...] = ()
    formats: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    problem: str = ""
    instance: str = ""

    @property
    def key(self) -> str:
        """Name under which it is announced, one for each process."""
        return f"{self.worker}#{self.instance}" if self.instance else self.worker


@dataclass(frozen=True, slots=True)
class Fleet:
    """All live announcements at one moment."""

    workers: tuple[Announcement, ...] = field(default_factory=tuple)

    def speakers(self) -> dict[str, list[tuple[Announcement, ServedSpeaker]]]:
        """Announcements of each speaker."""
        served: dict[str, list[tuple[Announcement, ServedSpeaker]]] = {}
        for worker in self.workers:
            for speaker in worker.speakers:
                served.setdefault(speaker.name, []).append((worker, speaker))
        return served

    def children(self, speaker: str, model_revision: str, engine_revision: str) -> int:
        """Number of pool processes that can run a chunk planned with these revisions."""
        return sum(
            worker.children
            for worker, served in self.speakers().get(speaker, [])
            if served.model_revision == model_revision and worker.engine_revision == engine_revision
        )

    def able(self, speaker: str, model_revision: str = "", engine_revision: str = "") -> set[str]:
        """Names of the workers that may take a speaker's work now.

        Args:
            speaker: "" stands for assembling.
            model_revision, engine_revision: that the work needs; "" takes any.
        """

        def may(worker: Announcement) -> bool:
            if not speaker:
                return worker.assembles
            return engine_revision in ("", worker.engine_revision) and any(
                one.name == speaker and model_revision in ("", one.model_revision) for one in worker.speakers
            )

        return {worker.worker for worker in self.workers if worker.children and may(worker)}

    def older(self) -> list[str]:
        """Names of the workers of an older release: they say no tasks."""
        return [worker.worker for worker in self.workers if not worker.tasks]

    def of_one_engine(self, speakers: Iterable[str]) -> Fleet:
        """The workers of one engine revision: the one that serves most of these speakers, by most processes."""
        wanted = set(speakers)
        serving: dict[str, list[Announcement]] = {}
        for worker in self.workers:
            if any(served.name in wanted for served in worker.speakers):
                serving.setdefault(worker.engine_revision, []).append(worker)

        def rank(revision: str) -> tuple[int, int, str]:
            names = {served.name for worker in serving[revision] for served in worker.speakers}
            return len(names & wanted), sum(worker.children for worker in serving[revision]), revision

        return Fleet(tuple(serving[max(serving, key=rank)])) if serving else Fleet()

    def assemblers(self) -> int:
        """Number of pool processes that assemble."""
        return sum(worker.children for worker in self.workers if worker.assembles)

    def check_formats(self, formats: Iterable[str]) -> None:
        """Check output formats. Raises: BackendMissing: a worker that may assemble the job cannot write one."""
        for worker in self.workers:
            if worker.assembles and worker.formats:
                for name in formats:
                    if name not in worker.formats:
                        raise BackendMissing(
                            f"a worker with --assemble cannot write {name}",
                            worker.worker,
                            f"Install koebin[m4b] there, or choose from {', '.join(worker.formats)}",
                        )


def announcement_document(announcement: Announcement) -> str:
    """JSON of an announcement, by which everybody reads it.

    Readers of the release before this one take no further field of a speaker: what came later stands beside them.
    """
    fields = asdict(announcement)
    makers: dict[str, dict[str, Any]] = {}
    for speaker in fields["speakers"]:
        found = {name: speaker.pop(name) for name in _CREDIT}
        makers |= {speaker["name"]: found} if any(found.values()) else {}
    return json.dumps(fields | {"makers": makers})


def announce(redis: Redis, announcement: Announcement) -> None:
    """Send a worker's heartbeat: write or refresh its announcement."""
    pipe = redis.pipeline()
    pipe.set(redis_keys.worker(announcement.key), announcement_document(announcement), ex=ANNOUNCEMENT_SECONDS)
    pipe.sadd(redis_keys.WORKERS, announcement.key)
    pipe.execute()
    remember_speakers(redis, announcement)


def remember_speakers(redis: Redis, announcement: Announcement) -> None:
    """Enter the speakers that a worker serves among those whose queues may hold something."""
    now = server_time(redis)
    if announcement.speakers:
        redis.zadd(redis_keys.SPEAKERS, dict.fromkeys((speaker.name for speaker in announcement.speakers), now))
    redis.zremrangebyscore(redis_keys.SPEAKERS, "-inf", now - _SPEAKER_SECONDS)


def known_speakers(redis: Redis) -> set[str]:
    """Speakers that somebody serves or has served; nobody searches a database for the names of their queues."""
    names: Any = redis.zrange(redis_keys.SPEAKERS, 0, -1)
    return {as_text(name) for name in names}


def withdraw(redis: Redis, key: str) -> None:
    """Remove a worker's announcement."""
    redis.delete(redis_keys.worker(key))
    redis.srem(redis_keys.WORKERS, key)


def namesakes(redis: Redis, announcement: Announcement) -> int:
    """Number of other live workers of the same name."""
    members: Any = redis.smembers(redis_keys.WORKERS)
    named = {as_text(name) for name in members if as_text(name).rpartition("#")[0] == announcement.worker}
    others = [redis_keys.worker(name) for name in named - {announcement.key}]
    return int(redis.exists(*others)) if others else 0


def fleet(redis: Redis) -> Fleet:
    """All live announcements; names of workers that are gone are removed on the way."""
    members: Any = redis.smembers(redis_keys.WORKERS)
    names = sorted(as_text(name) for name in members)
    documents: Any = redis.mget([redis_keys.worker(name) for name in names]) if names else []
    gone = [name for name, document in zip(names, documents, strict=True) if document is None]
    if gone:
        redis.srem(redis_keys.WORKERS, *gone)
    found = (_announcement(document) for document in documents if document is not None)
    return Fleet(tuple(announcement for announcement in found if announcement is not None))


def _announcement(raw: bytes | str) -> Announcement | None:
    """None for what is no announcement; fields that another version has besides are ignored."""
    try:
        document = loads(raw)
        return Announcement(
            worker=str(document["worker"]),
            engine_revision=str(document["engine_revision"]),
            children=int(document["children"]),
            assembles=bool(document["assembles"]),
            speakers=tuple(_served(speaker, document.get("makers", {})) for speaker in document["speakers"]),
            formats=tuple(str(name) for name in document.get("formats", ())),
            tasks=tuple(str(name) for name in document.get("tasks", ())),
            problem=str(document.get("problem", "")),
            instance=str(document.get("instance", "")),
        )
    except (KoebinError, LookupError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _served(speaker: Mapping[str, Any], makers: Mapping[str, Any]) -> ServedSpeaker:
    credit = makers.get(speaker["name"], {})
    return ServedSpeaker(
        name=str(speaker["name"]),
        styles=tuple(str(style) for style in speaker["styles"]),
        sample_rate_hz=int(speaker["sample_rate_hz"]),
        model_revision=str(speaker["model_revision"]),
        speed_factor=float(speaker["speed_factor"]),
        display_name=str(credit.get("display_name", ""))[:200],
        licence=str(credit.get("licence", ""))[:200],
        creators=tuple(str(creator)[:255] for creator in credit.get("creators", ())[:100]),
    )
