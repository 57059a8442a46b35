"""A narration as a podcast: each chapter an episode, or the whole with its chapters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from koebin.engine.errors import JobFailed, JobNotFound
from koebin.producers.publishing.podcast import (
    FEED_NAME,
    MEDIA_TYPES,
    TRANSCRIPTS,
    Episode,
    Show,
    feed,
    podcast_chapters,
    public_url,
)
from koebin.tasks import store_keys
from koebin.tasks.contracts import Manifest
from koebin.tasks.jobs.outcome import JobOutcome, OutputFile, stored_outcome
from koebin.tasks.jobs.submission import stored_manifest
from koebin.tasks.stores.base import Store

CHAPTERS_NAME = "podcast-chapters.json"


def publish_narration(store: Store, job: str, base: str, *, title: str = "", image: str = "") -> str:
    """Write the feed of a finished job beside its files; returns the feed's URI.

    The feed is replaced as a whole. The same job gives the same feed.

    Args:
        base: public address of the job's folder of files.
        title, image: instead of the book's own title and cover.

    Raises:
        JobNotFound: the store does not know the job.
        JobFailed: it has no sound.
        InvalidOption: ``base`` is no http address.
    """
    manifest, outcome = stored_manifest(store, job), stored_outcome(store, job)
    if manifest is None or outcome is None:
        raise JobNotFound("no such finished job", job, f"The store is {store.uri}")
    audio = _episodes_of(outcome)
    if not audio:
        raise JobFailed("the job has no sound that a podcast can hold", job, "Use -f mp3")
    cover = next((_name(file) for file in outcome.files if file.kind == "cover"), "")
    show = Show(
        title=title or manifest.title or job,
        link=public_url(base, ""),
        feed=public_url(base, FEED_NAME),
        author=manifest.author,
        image=image or (public_url(base, cover) if cover else ""),
        serial=True,
    )
    chapters = ""
    if len(audio) == 1 and len(outcome.report.get("chapters", ())) > 1:
        data = podcast_chapters(outcome.report["chapters"])
        store.put(store_keys.output(job, CHAPTERS_NAME), data, if_absent=False)
        chapters = public_url(base, CHAPTERS_NAME)
    episodes = [_episode(manifest, outcome, file, base, chapters) for file in audio]
    store.put(store_keys.output(job, FEED_NAME), feed(show, reversed(episodes)), if_absent=False)
    return store.url(store_keys.output(job, FEED_NAME))


def _episodes_of(outcome: JobOutcome) -> list[OutputFile]:
    """The chapters' files in the best known format there is, else the whole's."""
    audio = [file for file in outcome.files if file.kind == "audio"]
    best = next((name for name in MEDIA_TYPES if any(file.format == name for file in audio)), "")
    chosen = [file for file in audio if file.format == best]
    return [file for file in chosen if file.chapter] or chosen


def _episode(manifest: Manifest, outcome: JobOutcome, file: OutputFile, base: str, chapters: str) -> Episode:
    marks = [each for each in outcome.files if each.kind == "marks" and each.chapter == file.chapter]
    transcript = next((each for kind in TRANSCRIPTS for each in marks if each.format == kind), None)
    titles = {row["number"]: row["title"] for row in outcome.report.get("chapters", ())}
    created = datetime.fromtimestamp(manifest.created, UTC).replace(microsecond=0)
    return Episode(
        guid=f"{manifest.job}/{file.chapter}",
        title=str(titles.get(file.chapter) or manifest.title or manifest.job),
        published=created + timedelta(minutes=file.chapter),
        url=public_url(base, _name(file)),
        media_type=MEDIA_TYPES[file.format],
        bytes=file.bytes,
        seconds=file.duration_seconds,
        number=file.chapter,
        transcript=public_url(base, _name(transcript)) if transcript else "",
        chapters=chapters,
    )


def _name(file: OutputFile) -> str:
    return file.uri.rpartition("/")[2]
