"""Publication of finished briefings under a dated key and as ``latest``.

```
briefings/morning/2026-11-23-0700.mp3      an edition, written once
briefings/morning/latest.mp3               its copy, replaced whole
briefings/morning/index.json               the editions there are; written last, it is what makes an edition the latest
```

Every object appears whole or not at all, the edition before the index, and what is no longer kept goes after it. So a
reader of the index finds every file it names, and the previous edition is there until the new one is complete.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from koebin.engine.errors import JobFailed
from koebin.producers.briefings.briefing_file import Briefing, edition_key
from koebin.producers.briefings.compose import Composed, job_id
from koebin.producers.publishing.podcast import (
    FEED_NAME,
    MEDIA_TYPES,
    TRANSCRIPTS,
    Episode,
    Show,
    feed,
    public_url,
)
from koebin.tasks.store_keys import output
from koebin.tasks.stores.base import Store

INDEX_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Edition:
    """Edition to publish; JSON throughout, because another process may publish it.

    Attributes:
        job: whose output is published; it lies in the same store.
        home: prefix of ``latest`` and of the index.
        key: of the edition, without suffix.
        failures: reports of sources that had a problem.
        podcast: fields of ``spec.Podcast`` and the briefing's title; None writes no feed.
    """

    briefing: str
    title: str
    due: str
    job: str
    store: str
    home: str
    key: str
    keep: int
    keep_days: int | None
    failures: tuple[dict[str, Any], ...] = ()
    podcast: dict[str, Any] | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Edition:
        fields = json.loads(text)
        return cls(**{**fields, "failures": tuple(fields["failures"])})


def edition_of(briefing: Briefing, due: datetime, composed: Composed) -> Edition:
    """Edition of a composed briefing."""
    local = due.astimezone(ZoneInfo(briefing.when.time_zone))
    # The last hour of summer time occurs twice.
    clock = f"{local:%H%M}" + ("-2" if local.fold else "")
    delivery = briefing.output
    return Edition(
        briefing=briefing.name,
        title=composed.submission.title,
        due=due.astimezone(UTC).isoformat(),
        job=job_id(briefing, due),
        store=composed.submission.store,
        home=_home(delivery.key, briefing.name),
        key=edition_key(delivery.key, briefing.name, f"{local:%Y-%m-%d}", clock),
        keep=delivery.keep,
        keep_days=delivery.keep_days,
        failures=tuple(source.as_json() for source in composed.rendered.failures),
        podcast=_podcast(briefing),
    )


def _podcast(briefing: Briefing) -> dict[str, Any] | None:
    wanted = briefing.output.podcast
    if wanted is None:
        return None
    return {**wanted.model_dump(), "title": wanted.title or briefing.title or briefing.name}


def publish(edition: Edition, store: Store, result: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Publish the job's output. Idempotent.

    One publication of a briefing at a time: the index is read and written.

    Args:
        result: the job's result, kept in the index.
        now: aware; reference for ``keep_days``.

    Returns:
        The edition's entry in the index: ``{"due", "title", "job", "key", "files", "uris", "failures", "result"}``.

    Raises:
        JobFailed: the job has no output.
        StoreError, StoreUnavailable: see `Store`.
    """
    files = _files(edition, store)
    entry = {
        "due": edition.due,
        "title": edition.title,
        "job": edition.job,
        "key": edition.key,
        "files": sorted(files),
        "uris": {name: store.url(name) for name in sorted(files)},
        "failures": list(edition.failures),
        "result": result,
    }
    before = _index(edition, store)
    editions = [each for each in before["editions"] if each["due"] != edition.due]
    editions = sorted([*editions, entry], key=lambda each: str(each["due"]), reverse=True)
    for name, source in files.items():
        _copy(store, source, name, if_absent=True)
        if editions[0] is entry:
            _copy(store, source, _latest(edition.home, entry, name), if_absent=False)
    kept = _kept(editions, edition, now)
    retired = _retired(editions, kept)
    index = {"version": INDEX_VERSION, "briefing": edition.briefing, "editions": kept, "retired": retired}
    store.put(f"{edition.home}/index.json", json.dumps(index, ensure_ascii=False).encode(), if_absent=False)
    if edition.podcast:
        store.put(f"{edition.home}/{FEED_NAME}", _feed(edition, edition.podcast, kept), if_absent=False)
    # A process that died between the index and its deletions left the names in the previous index.
    for name in {*before["retired"], *retired} - {name for each in kept for name in each["files"]}:
        store.delete(name)
    _tidy_latest(edition.home, editions[0], store)
    return entry


def _feed(edition: Edition, wanted: dict[str, Any], editions: list[dict[str, Any]]) -> bytes:
    """The podcast of the editions there are, latest first; replaced whole, after the files that it names."""
    base = wanted["base_url"]
    show = Show(
        title=wanted["title"],
        link=public_url(base, f"{edition.home}/"),
        feed=public_url(base, f"{edition.home}/{FEED_NAME}"),
        description=wanted["description"],
        author=wanted["author"],
        image=wanted["image"],
        category="News",
        subcategory="Daily News",
        medium="podcast",
    )
    return feed(show, [episode for each in editions if (episode := _episode(edition.briefing, base, each))])


def _episode(briefing: str, base: str, entry: dict[str, Any]) -> Episode | None:
    result = entry["result"]
    audio = f"{entry['key']}.{result.get('format', '')}"
    if audio not in entry["files"] or result["format"] not in MEDIA_TYPES:
        return None
    transcripts = [f"{entry['key']}.{kind}" for kind in TRANSCRIPTS]
    transcript = next((name for name in transcripts if name in entry["files"]), "")
    return Episode(
        guid=f"{briefing}/{entry['due']}",
        title=entry["title"],
        published=datetime.fromisoformat(entry["due"]),
        url=public_url(base, audio),
        media_type=MEDIA_TYPES[result["format"]],
        bytes=int(result["bytes"]),
        seconds=float(result["duration_seconds"]),
        transcript=public_url(base, transcript) if transcript else "",
    )


def _home(pattern: str, name: str) -> str:
    """Part of a key pattern that is the same for every edition."""
    fixed: list[str] = []
    for part in pattern.split("/")[:-1]:
        if "{date}" in part or "{time}" in part:
            break
        fixed.append(part)
    if not any("{name}" in part for part in fixed):
        fixed.append("{name}")
    return "/".join(fixed).replace("{name}", name)


def _files(edition: Edition, store: Store) -> dict[str, str]:
    """Key of the edition -> key of the job's output.

    The programme takes the edition's own name, in every format and with its marks; other files keep their names.
    """
    prefix = output(edition.job, "x")[:-1]
    names = sorted(key.removeprefix(prefix) for key in store.list(prefix))
    if not names:
        raise JobFailed("the job has no output files", edition.job, "See: koebin status")
    programme, _ = Counter(name.partition(".")[0] for name in names).most_common(1)[0]
    files = {}
    for name in names:
        stem, dot, suffix = name.partition(".")
        files[edition.key + (f"{dot}{suffix}" if stem == programme else f"/{name}")] = prefix + name
    return files


def _latest(home: str, entry: dict[str, Any], name: str) -> str:
    return f"{home}/latest{name.removeprefix(entry['key'])}"


def _copy(store: Store, source: str, target: str, if_absent: bool) -> None:
    if if_absent and store.exists(target):
        return
    with tempfile.TemporaryDirectory(prefix="koebin-briefing-") as folder:
        path = Path(folder) / "file"
        store.download(source, path)
        store.put_file(target, path, if_absent=if_absent)


def _index(edition: Edition, store: Store) -> dict[str, Any]:
    data = store.find(f"{edition.home}/index.json")
    document: dict[str, Any] = {"editions": [], "retired": []} if data is None else json.loads(data)
    return document


def _kept(editions: list[dict[str, Any]], edition: Edition, now: datetime) -> list[dict[str, Any]]:
    kept = editions[: edition.keep]
    if edition.keep_days is None:
        return kept
    oldest = now - timedelta(days=edition.keep_days)
    return [each for each in kept if each is editions[0] or datetime.fromisoformat(each["due"]) >= oldest]


def _retired(editions: list[dict[str, Any]], kept: list[dict[str, Any]]) -> list[str]:
    """Files that are no longer in the index."""
    still = {name for each in kept for name in each["files"]}
    return sorted({name for each in editions for name in each["files"]} - still)


def _tidy_latest(home: str, latest: dict[str, Any], store: Store) -> None:
    """Delete copies of a format that the latest edition does not have."""
    wanted = {_latest(home, latest, name) for name in latest["files"]}
    stem = f"{home}/latest"
    for name in list(store.list(stem)):
        if name.removeprefix(stem)[:1] in ("/", ".") and name not in wanted:
            store.delete(name)
