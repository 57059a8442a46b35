"""Assembly of a job: finished files and the job's result from stored segments."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from koebin.engine.errors import InvalidMessage, JobFailed, KoebinError, StoreError
from koebin.tasks import redis_keys, store_keys
from koebin.tasks.assembly.block_boundaries import Placed, cut
from koebin.tasks.assembly.programme import Deliverables, render_programme
from koebin.tasks.assembly.timed import is_timed, on_time
from koebin.tasks.contracts import (
    AssembleRequest,
    ChunkDocument,
    DoneDocument,
    Judged,
    Manifest,
    Result,
    SegmentCounts,
    VoiceCredit,
    dump,
    parse,
    parse_json,
)
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.outcome import Failure, ItemResult, JobOutcome, OutputFile, store_outcome, stored_outcome
from koebin.tasks.running.runtime import Runtime
from koebin.tasks.stores.base import Store

log = logging.getLogger(__name__)

_ITEM_BYTES: Final = 150
"""Of an item's id in the names of its files; file systems take 255 in all."""

TEMPORARY_SECONDS: Final = 2 * 3600
"""Age in seconds above which an unfinished write counts as abandoned."""


class StoreShelf:
    """Cache of a programme's intermediate products in the store, until ``koebin gc`` removes them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, name: str) -> bytes | None:
        return self._store.find(store_keys.block_product(name))

    def put(self, name: str, data: bytes) -> None:
        self._store.put(store_keys.block_product(name), data, if_absent=False)  # the stored object may be damaged


def assemble_job(runtime: Runtime, request: AssembleRequest, check: Callable[[], None]) -> JobOutcome:
    """Render, upload, write the result, end the job. If the store has a result already (also of a cancel), only end it.

    Args:
        check: called at least for every block of the programme; what it raises ends the work.

    Raises:
        StoreNotFound: a segment of a done chunk is not in the store.
    """
    store = runtime.open_store(request.store)
    manifest = parse_json(Manifest, store.get(store_keys.manifest(request.job)))
    outcome = stored_outcome(store, request.job)
    if outcome is None:
        outcome = store_outcome(store, _assemble(runtime, store, manifest, check))
    runtime.ledger.end(request.job, outcome.state, outcome.error)
    runtime.leases.forget(redis_keys.assemble_task(request.job))
    _sweep_temporary(store)
    return outcome


def _sweep_temporary(store: Store) -> None:
    """Remove unfinished writes of killed processes from the store. It is done here because every job ends here."""
    try:
        removed = store.sweep_temporary(TEMPORARY_SECONDS)
    except KoebinError as error:  # for example no right to list uploads; that must not change the job's end
        log.warning("unfinished writes in the store could not be cleaned up: %s", error)
        return
    if removed:
        log.info("%d unfinished writes removed from the store", removed)


def fail_job(runtime: Runtime, request: AssembleRequest, error: KoebinError) -> None:
    """End a job whose assembly failed: store the reason, keep everything. A result in the store, also of a cancel,
    stays.
    """
    outcome = JobOutcome(job=request.job, state=State.FAILED, error=str(error))
    # the store itself may have failed; the ledger keeps the reason
    with contextlib.suppress(StoreError, InvalidMessage):
        outcome = store_outcome(runtime.open_store(request.store), outcome)
    runtime.ledger.end(request.job, outcome.state, outcome.error)


def _assemble(runtime: Runtime, store: Store, manifest: Manifest, check: Callable[[], None]) -> JobOutcome:
    done = _tally(store, manifest)
    failures = tuple(done.dead.values())
    counts = SegmentCounts(total=manifest.segments, reused=done.reused)
    if failures and not manifest.partial and not manifest.items:
        first = failures[0]
        error = (
            f"{len(failures)} of {manifest.segments} segments could not be spoken; line {first.line}: {first.reason}"
        )
        return JobOutcome(job=manifest.job, state=State.FAILED, error=error, failures=failures, segments=counts)
    used = {judged.key: judged.used for judged in done.judged}
    placed = [
        replace(segment, key=used.get(segment.key, segment.key))
        for segment in _placed(store, manifest)
        if segment.key not in done.dead
    ]
    with _work_dir(runtime.work_dir) as folder:
        deliver = _deliver_items if manifest.items else _deliver_programme
        outcome = deliver(store, manifest, placed, failures, counts, folder, check)
    outcome = outcome.model_copy(update={"left_out": manifest.left_out, "warnings": manifest.warnings})
    if manifest.quality is None:
        return outcome
    judged = [one.model_dump(mode="json") for one in done.judged]
    return outcome.model_copy(update={"report": {**outcome.report, "quality": judged}})


@dataclass(slots=True)
class _Tally:
    """Sum of what the chunks' done documents say; of a hundred thousand chunks that is little."""

    reused: int = 0
    dead: dict[str, Failure] = field(default_factory=dict)
    judged: list[Judged] = field(default_factory=list)


def _tally(store: Store, manifest: Manifest) -> _Tally:
    total = _Tally()
    for number in range(manifest.chunks):
        document = parse_json(DoneDocument, store.get(store_keys.done(manifest.job, number)))
        total.reused += document.reused
        total.dead |= {found.key: found for found in map(_failure, document.dead)}
        total.judged += document.judged
    return total


def _placed(store: Store, manifest: Manifest) -> list[Placed]:
    """All segments in reading order."""
    found: list[Placed] = []
    for number in range(manifest.chunks):
        document = parse_json(ChunkDocument, store.get(store_keys.chunk(manifest.job, number)))
        found += [
            Placed(segment.key, document.speaker, segment.text, planned.place, segment.engine_readings())
            for planned in document.segments
            for segment in (planned.segment,)
        ]
    for segment in found:
        if segment.place.chapter >= len(manifest.chapters) or segment.speaker not in manifest.speakers:
            raise InvalidMessage("a chunk in the store does not match the job's manifest", segment.key)
    return sorted(found, key=lambda segment: segment.place.index)


def _deliver_programme(
    store: Store,
    manifest: Manifest,
    placed: Sequence[Placed],
    failures: tuple[Failure, ...],
    counts: SegmentCounts,
    folder: Path,
    check: Callable[[], None],
) -> JobOutcome:
    if not placed:
        return JobOutcome(
            job=manifest.job, state=State.FAILED, error="no segment could be spoken", failures=failures, segments=counts
        )
    late: list[dict[str, Any]] = []
    if is_timed(placed):
        placed, late = on_time(store, placed)
    files, report = _render(store, manifest, placed, folder, check, _deliverables(store, manifest, "programme"))
    if is_timed(placed):
        report = {**report, "late": late}
    outputs = tuple(_upload(store, manifest.job, file, file.path.name) for file in files)
    result = _result(outputs, counts, int(report["sample_rate_hz"])).model_copy(update={"voices": _credits(manifest)})
    state = State.PARTIAL if failures else State.SUCCEEDED
    return JobOutcome(
        job=manifest.job, state=state, result=result, files=outputs, failures=failures, segments=counts, report=report
    )


def _deliver_items(
    store: Store,
    manifest: Manifest,
    placed: Sequence[Placed],
    failures: tuple[Failure, ...],
    counts: SegmentCounts,
    folder: Path,
    check: Callable[[], None],
) -> JobOutcome:
    """Deliver one file per item, and ``results.jsonl`` with a line for each, in the input's order."""
    by_item: dict[str, list[Placed]] = {}
    for segment in placed:
        by_item.setdefault(segment.place.item, []).append(segment)
    failed = {failure.item: failure for failure in failures}
    rows: list[ItemResult] = []
    for number, (item, parts) in enumerate(by_item.items()):
        if item in failed:
            continue
        wanted = _deliverables(store, manifest, _item_name(number + 1, item))
        files, report = _render(store, manifest, parts, folder, check, wanted)
        outputs = tuple(_upload(store, manifest.job, file, file.path.name) for file in files)
        only = _result(outputs, SegmentCounts(total=len(parts), reused=0), int(report["sample_rate_hz"]))
        rows.append(ItemResult(custom_id=item, line=parts[0].place.line, result=only))
        for file in files:
            file.path.unlink()
    rows += [ItemResult(custom_id=f.item, line=f.line, error=f.reason) for f in failed.values()]
    rows += [ItemResult(custom_id=e.item, line=e.line, error=e.message) for e in manifest.errors]
    rows.sort(key=lambda row: row.line)
    lines = b"".join(dump(row) + b"\n" for row in rows)
    store.put(store_keys.output(manifest.job, "results.jsonl"), lines)
    listing = _listed(store, manifest.job, "results.jsonl", lines)
    good = [row.result for row in rows if row.result]
    if not good:
        error = "no item could be spoken"
        return JobOutcome(
            job=manifest.job, state=State.FAILED, error=error, files=(listing,), failures=failures, segments=counts
        )
    result = Result(
        uri=listing.uri,
        duration_seconds=round(sum(one.duration_seconds for one in good), 6),
        sample_rate_hz=good[0].sample_rate_hz,
        bytes=listing.bytes,
        sha256=listing.sha256,
        format="jsonl",
        marks_uri="",
        segments=counts,
        voices=_credits(manifest),
    )
    bad = bool(failures or manifest.errors)
    return JobOutcome(
        job=manifest.job,
        state=State.PARTIAL if bad else State.SUCCEEDED,
        result=result,
        files=(listing,),
        failures=failures,
        segments=counts,
    )


def _item_name(number: int, item: str) -> str:
    """File stem of an item, such as ``000012-welcome``. The number keeps names apart that a file system would treat as
    equal.
    """
    plain = re.sub(r"[.]{2,}|[^\w.-]", "_", item)
    return f"{number:06d}-{plain.encode()[:_ITEM_BYTES].decode(errors='ignore')}"


def _render(
    store: Store,
    manifest: Manifest,
    placed: Sequence[Placed],
    folder: Path,
    check: Callable[[], None],
    wanted: Deliverables,
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    blocks = cut(store, placed, manifest.chapters)
    programme = render_programme(blocks, wanted, folder, check, StoreShelf(store))
    return programme.files, programme.report


def _credits(manifest: Manifest) -> dict[str, VoiceCredit]:
    """Of the speakers whose voices name somebody."""
    return {name: speaker.credit for name, speaker in manifest.speakers.items() if speaker.credit.line()}


def _deliverables(store: Store, manifest: Manifest, name: str) -> Deliverables:
    output = manifest.output
    rate = output.sample_rate_hz or max(speaker.sample_rate_hz for speaker in manifest.speakers.values())
    return Deliverables(
        formats=output.formats,
        whole=output.whole,
        per_chapter=output.per_chapter,
        loudness_lufs=output.loudness_lufs,
        true_peak_dbtp=output.true_peak_dbtp,
        subtitles=("json", *output.subtitles),
        player=output.player and not manifest.items,
        epub=output.epub and not manifest.items,
        audiobookshelf=output.audiobookshelf and not manifest.items,
        series=manifest.series,
        volume=manifest.volume,
        bitrate_kbps=output.bitrate_kbps,
        sample_rate_hz=rate,
        title=manifest.title,
        author=manifest.author,
        credits=tuple(line for credit in _credits(manifest).values() if (line := credit.line())),
        cover=store.get(manifest.cover) if manifest.cover and not manifest.items else None,
        name=name,
    )


def _upload(store: Store, job: str, file: Any, name: str) -> OutputFile:
    key = store_keys.output(job, name)
    store.put_file(key, file.path, content_type=file.media_type, given=True)
    return OutputFile(
        uri=store.url(key),
        kind=file.kind,
        format=file.format,
        bytes=file.bytes,
        sha256=file.sha256,
        chapter=file.chapter,
        duration_seconds=round(file.duration_seconds, 6),
    )


def _listed(store: Store, job: str, name: str, data: bytes) -> OutputFile:
    return OutputFile(
        uri=store.url(store_keys.output(job, name)),
        kind="results",
        format="jsonl",
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _result(outputs: Sequence[OutputFile], counts: SegmentCounts, sample_rate_hz: int) -> Result:
    audio = [file for file in outputs if file.kind == "audio"]
    if not audio:
        raise JobFailed("the assembly wrote no audio file")
    first = next((file for file in audio if not file.chapter), audio[0])
    marks = [file for file in outputs if file.kind == "marks" and file.format == "json"]
    return Result(
        uri=first.uri,
        duration_seconds=first.duration_seconds,
        sample_rate_hz=sample_rate_hz,
        bytes=first.bytes,
        sha256=first.sha256,
        format=first.format,
        marks_uri=marks[0].uri if marks else "",
        segments=counts,
    )


def _failure(evidence: Mapping[str, Any]) -> Failure:
    return parse(Failure, {name: value for name, value in evidence.items() if name in Failure.model_fields})


@contextmanager
def _work_dir(parent: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="assemble-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
