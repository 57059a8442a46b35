"""Jobs over HTTP: submit a text or a file, follow it, fetch what it made."""

from __future__ import annotations

import hashlib
import re
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, unquote

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile

from koebin.engine.display import json_text
from koebin.engine.errors import InvalidName, InvalidOption, InvalidText, JobNotFound
from koebin.engine.options import SynthesisOptions
from koebin.engine.text.checks import check_text
from koebin.producers.formats.load import load_script
from koebin.producers.formats.speaker_names import Voice
from koebin.producers.http.answers import PROBLEM, first_fault
from koebin.producers.http.api_keys import Key
from koebin.producers.http.door import Door
from koebin.producers.http.errors import BadRequest, NotFound, TooLarge, TooMany, UnprocessableRequest
from koebin.producers.http.events import job_events
from koebin.producers.http.openai import TheDoor, TheKey
from koebin.producers.http.ranges import ranged
from koebin.producers.job_status import Status
from koebin.tasks import store_keys
from koebin.tasks.contracts import AudioFormat, Output, Pauses, Quality, SubtitleName
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.outcome import JobOutcome
from koebin.tasks.jobs.submission import JobOptions
from koebin.tasks.script import Passage, Script
from koebin.tasks.stores.base import content_type_of

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MOST_LISTED: Final = 200
_TEXT_BYTES: Final = 2 << 20
_SUFFIX: Final = re.compile(r"\.[A-Za-z0-9]{1,10}")
_NAME: Final = re.compile(r"[^\w.() -]+")


class Speech(BaseModel):
    """How the narrator speaks; what is left out is as the voice does it."""

    model_config = ConfigDict(extra="forbid")

    style: str = Field(default="", max_length=64)
    style_weight: float = Field(default=1.0, ge=-10.0, le=10.0)
    speed: float = Field(default=1.0, ge=0.25, le=4.0)
    pitch: float = Field(default=0.0, ge=-24.0, le=24.0, description="Semitones.")
    intonation: float = Field(default=1.0, ge=0.0, le=3.0)
    volume: float = Field(default=0.0, ge=-60.0, le=20.0, description="dB.")
    seed: int = Field(default=0, ge=0, lt=2**63)


class Submission(BaseModel):
    """What a job is to be; ``koebin narrate`` has the same options."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = Field(default=None, max_length=500_000, description="What to narrate; or upload a file.")
    speaker: str = Field(default="mei", max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    options: Speech = Speech()
    title: str = Field(default="", max_length=500)
    author: str = Field(default="", max_length=500)
    formats: tuple[AudioFormat, ...] = Field(default=("mp3",), min_length=1, max_length=6)
    bitrate_kbps: int | None = Field(default=None, ge=16, le=256)
    whole: bool = True
    per_chapter: bool = False
    loudness_lufs: float | None = Field(default=None, ge=-70.0, le=-5.0)
    true_peak_dbtp: float = Field(default=-1.0, ge=-20.0, le=0.0)
    subtitles: tuple[SubtitleName, ...] = Field(default=(), max_length=16)
    player: bool = False
    pauses: Pauses = Pauses()
    partial: bool = False
    quality: Quality | None = None
    priority: Literal["batch", "briefing"] = "batch"
    webhook: str = Field(default="", max_length=2000)

    def job_options(self, script: Script) -> JobOptions:
        """The options of the job; what the input asks for holds where nothing else is asked for.

        Raises:
            InvalidOption: no file is asked for.
        """
        asked = self.model_dump(include=set(Output.model_fields), exclude_unset=True)
        try:
            output = Output.model_validate({"formats": self.formats, **script.output, **asked})
        except ValidationError as error:
            raise InvalidOption(first_fault(error.errors())[1]) from None
        return JobOptions(
            output=output,
            pauses=self.pauses,
            priority={"batch": 6, "briefing": 3}[self.priority],
            partial=self.partial,
            webhook=self.webhook,
            quality=self.quality,
        )


class JobFile(BaseModel):
    """A finished file."""

    name: str
    url: str
    kind: str
    format: str
    bytes: int
    sha256: str
    chapter: int
    duration_seconds: float


class JobFailure(BaseModel):
    """A segment that was given up."""

    line: int
    item: str
    speaker: str
    text: str
    reason: str


class Job(BaseModel):
    """A job as it is now."""

    id: str
    state: State
    progress: float = Field(ge=0.0, le=1.0)
    title: str
    created: float
    segments: int
    segments_done: int
    seconds_done: float
    seconds_predicted: float
    eta_seconds: float | None
    waiting: str
    error: str
    files: list[JobFile] = []
    failures: list[JobFailure] = []


class Jobs(BaseModel):
    """Jobs of the key: those that go on, and then those that ended."""

    jobs: list[Job]


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    described = {"content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    always = (400, 401, 403, 429, 500, 503)
    return {status: {"description": "Problem", **described} for status in (*always, *statuses)}


JobId = Annotated[str, Field(max_length=100)]
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Submission"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "options": {
                            "type": "string",
                            "contentMediaType": "application/json",
                            "description": "A Submission without text, as JSON.",
                        },
                    },
                }
            },
        },
    }
}


@router.post(
    "",
    status_code=202,
    responses={**_problems(408, 409, 413, 415, 422, 501, 507), 200: {"model": Job, "description": "It was there."}},
    openapi_extra=_BODY,
)
async def submit(
    request: Request,
    response: Response,
    door: TheDoor,
    key: TheKey,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> Job:
    """Submit a text or an uploaded file.

    With an Idempotency-Key the same content is the same job, and another content under it a conflict.
    """
    asked, script = await _read(request, door)
    door.check_use(key, {passage.speaker for passage in script.passages})
    options = asked.job_options(script)
    await door.check_formats(options.output.formats)
    await door.in_thread(_check_room, door, key)
    await door.in_thread(door.limits.spend, key, characters=sum(len(passage.text) for passage in script.passages))
    job = _job_id(key, idempotency_key)
    known = await door.in_thread(door.client.ledger.state, job) if idempotency_key else None
    await door.in_thread(door.client.submit, script, job_id=job, job_options=options)
    response.status_code = 202 if known is None else 200
    response.headers["Location"] = f"/v1/jobs/{job}"
    return await door.in_thread(_job, door, job)


def _check_room(door: Door, key: Key) -> None:
    """Raises: TooMany: the key has as many jobs as it may have at once."""
    if key.alone:
        return
    live = sum(job.startswith(f"{key.name}.") for job in door.client.ledger.live())
    if live >= key.jobs:
        raise TooMany("the key has too many jobs that have not ended", str(live), "Wait for one to end", seconds=30.0)


def _job_id(key: Key, idempotency_key: str | None) -> str:
    """A job's id begins with the name of its key: whose it is follows from its id alone."""
    if idempotency_key:
        return f"{key.name}.{hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]}"
    return f"{key.name}.{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(6)}"


async def _read(request: Request, door: Door) -> tuple[Submission, Script]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _read_form(request, door)
    if kind != "application/json":
        raise UnsupportedType("neither JSON nor a form", kind, "Send application/json or multipart/form-data")
    body = await request.body()
    if len(body) > _TEXT_BYTES:
        raise TooLarge("the body is too large", f"more than {_TEXT_BYTES} bytes", "Upload it as a file")
    asked = _parsed(body)
    if asked.text is None:
        raise UnprocessableRequest("text: Field required", "", "Give a text, or upload a file")
    check_text(asked.text)
    return asked, _described(asked, _script_of(asked))


class UnsupportedType(BadRequest):
    """A body of another type than is asked for."""

    status = 415


def _script_of(asked: Submission) -> Script:
    return Script((Passage(asked.text or "", asked.speaker, _options(asked)),))


def _described(asked: Submission, script: Script) -> Script:
    return replace(script, title=asked.title or script.title, author=asked.author or script.author)


def _options(asked: Submission) -> SynthesisOptions:
    return SynthesisOptions(**asked.options.model_dump())


def _parsed(data: bytes | str) -> Submission:
    try:
        return Submission.model_validate_json(data)
    except ValidationError as error:
        where, what = first_fault(error.errors())
        raise UnprocessableRequest(f"{where or 'body'}: {what}") from None


async def _read_form(request: Request, door: Door) -> tuple[Submission, Script]:
    async with request.form(max_files=1, max_fields=4) as form:
        unknown = sorted(set(form) - {"file", "options"})
        if unknown:
            raise UnprocessableRequest(f"{unknown[0]}: Unknown field", "", "Send file and options")
        upload, options = form.get("file"), form.get("options", "{}")
        if not isinstance(upload, UploadFile):
            raise UnprocessableRequest("file: Field required", "", "Upload one file")
        if not isinstance(options, str):
            raise UnprocessableRequest("options: Not a text", "", "Send the options as JSON")
        asked = _parsed(options)
        if asked.text is not None:
            raise UnprocessableRequest("text: Not beside a file", "", "Send a text or a file")
        script = await door.in_thread(_load, upload, asked)
    return asked, _described(asked, script)


def _load(upload: UploadFile, asked: Submission) -> Script:
    """The script in an uploaded file, which lies alone in a folder: what it names beside itself is not there.

    Raises:
        InvalidInput: what is wrong with it; it is named as it was uploaded.
    """
    shown = PurePosixPath((upload.filename or "text.txt").replace("\\", "/")).name
    suffix = PurePosixPath(shown).suffix
    with tempfile.TemporaryDirectory(prefix="koebin-upload-") as folder:
        path = Path(folder, "upload" + (suffix if _SUFFIX.fullmatch(suffix) else ".txt"))
        with path.open("wb") as file:
            upload.file.seek(0)
            while data := upload.file.read(1 << 20):
                file.write(data)
        if path.stat().st_size == 0:
            raise InvalidText("the file is empty", _NAME.sub("_", shown)[:100])
        return load_script(path, Voice(asked.speaker, _options(asked)))


@router.get("", responses=_problems(422))
async def jobs(
    door: TheDoor,
    key: TheKey,
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 50,
) -> Jobs:
    """The key's jobs."""
    return Jobs(jobs=await door.in_thread(_listed, door, key, state, limit))


def _listed(door: Door, key: Key, state: State | None, limit: int) -> list[Job]:
    ledger = door.client.ledger
    found: list[Job] = []
    for name in [*reversed(ledger.live()), *ledger.ended()]:
        if len(found) >= limit:
            break
        if not _owns(key, name) or (state is not None and ledger.state(name) is not state):
            continue
        try:
            found.append(_described_job(door.client.status(name), None))
        except JobNotFound:
            continue  # forgotten meanwhile
    return found


@router.get("/{job}", responses=_problems(404))
async def job(job: JobId, door: TheDoor, key: TheKey) -> Job:
    """A job as it is now, with its files once it has ended."""
    check_owner(key, job)
    return await door.in_thread(_job, door, job)


def check_owner(key: Key, job: str) -> None:
    """Raises: JobNotFound: not a job of this key, whether there is one or not."""
    if not (store_keys.is_job(job) and _owns(key, job)):
        raise JobNotFound("no such job", job[:100])


def _owns(key: Key, job: str) -> bool:
    return key.alone or job.startswith(f"{key.name}.")


def _job(door: Door, job: str) -> Job:
    """Raises: JobNotFound, in words that tell nothing of the store."""
    try:
        status = door.client.status(job)
        outcome = door.client.outcome(job) if status.state.ended else None
    except JobNotFound:
        raise JobNotFound("no such job", job) from None
    return _described_job(status, outcome)


def _described_job(status: Status, outcome: JobOutcome | None) -> Job:
    return Job(
        id=status.job,
        state=status.state,
        progress=min(1.0, max(0.0, status.progress)),
        title=status.title,
        created=status.created,
        segments=status.segments,
        segments_done=status.rendered + status.reused,
        seconds_done=status.seconds_done,
        seconds_predicted=status.seconds_predicted,
        eta_seconds=status.eta_seconds,
        waiting=status.waiting,
        error=status.error,
        files=_files(outcome) if outcome else [],
        failures=[JobFailure(**failure.model_dump(exclude={"key"})) for failure in outcome.failures] if outcome else [],
    )


def _files(outcome: JobOutcome) -> list[JobFile]:
    found = []
    for file in outcome.files:
        name = _name_of(outcome.job, file.uri)
        if name:
            fields = file.model_dump(exclude={"uri"})
            found.append(JobFile(name=name, url=f"/v1/jobs/{outcome.job}/files/{_quoted(name)}", **fields))
    return found


def _name_of(job: str, uri: str) -> str:
    return unquote(uri.partition(f"/jobs/{job}/out/")[2])


def _quoted(name: str) -> str:
    return quote(name)


@router.delete("/{job}", responses=_problems(404))
async def cancel(job: JobId, door: TheDoor, key: TheKey) -> Job:
    """Cancel a job, which is final; one that has ended stays as it is."""
    check_owner(key, job)
    await door.in_thread(_cancel, door, job)
    return await door.in_thread(_job, door, job)


def _cancel(door: Door, job: str) -> None:
    try:
        door.client.cancel(job)
    except JobNotFound:
        raise JobNotFound("no such job", job) from None


@router.get(
    "/{job}/events",
    response_class=StreamingResponse,
    responses={**_problems(404), 200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def events(
    job: JobId, door: TheDoor, key: TheKey, last_event_id: Annotated[str | None, Header(max_length=64)] = None
) -> StreamingResponse:
    """What happens to a job, as server-sent events, until it has ended: ``status`` events hold the job."""
    check_owner(key, job)
    first = await door.in_thread(_job, door, job)

    async def stream() -> AsyncIterator[str]:
        yield _event("status", first)
        if first.state.ended:
            return
        async for event_id in job_events(door, job, last_event_id):
            if not event_id:
                yield ": still there\n\n"
                continue
            now = await door.in_thread(_job, door, job)
            yield _event("status", now, event_id)
            if now.state.ended:
                return

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


def _event(name: str, job: Job, event_id: str = "") -> str:
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {name}\ndata: {json_text(job.model_dump(mode='json'))}\n\n"


_FILE: Final[dict[int | str, dict[str, Any]]] = {
    **_problems(404, 416),
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
    206: {"description": "A part of it, as the Range header asks for."},
    304: {"description": "Unchanged."},
    307: {"description": "It lies there, for a while."},
}


@router.get("/{job}/files/{name:path}", response_class=StreamingResponse, responses=_FILE)
@router.head("/{job}/files/{name:path}", include_in_schema=False)
async def file(job: JobId, name: str, request: Request, door: TheDoor, key: TheKey) -> Response:
    """A finished file, whole or in part; or where it lies, if the door signs URLs."""
    check_owner(key, job)
    store = door.client.store
    try:
        path = store_keys.output(job, name)
        stat = await door.in_thread(store.head, path)
    except InvalidName:
        stat = None
    if stat is None:
        raise NotFound("no such file", name[:200])
    seconds = door.settings.http_presign
    if seconds and store.uri.startswith("s3:") and request.method == "GET":
        return RedirectResponse(await door.in_thread(store.presign, path, seconds), 307)
    return ranged(door, request, path, stat, content_type_of(name), PurePosixPath(name).name)
