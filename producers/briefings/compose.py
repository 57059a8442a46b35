"""Composition of a briefing: its text at a due time, submitted as an ordinary job."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from koebin.engine.errors import InvalidBriefing, InvalidInput
from koebin.engine.options import SynthesisOptions
from koebin.engine.text.checks import check_text
from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.briefing_file import Briefing
from koebin.producers.briefings.calendar import spoken_date
from koebin.producers.briefings.sandbox.calls import IsolatedFailed, call_isolated
from koebin.producers.briefings.sources.base import Fetched, SourceReport
from koebin.producers.briefings.sources.gather import gather
from koebin.producers.formats.load import parse_script
from koebin.producers.formats.source import Source
from koebin.producers.formats.speaker_names import Voice
from koebin.tasks.contracts import Pauses
from koebin.tasks.jobs.planning import sentences
from koebin.tasks.priorities import PRIORITIES
from koebin.tasks.script import Script

log = logging.getLogger(__name__)

RENDER_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Submission:
    """Job of a briefing; JSON throughout, so that it outlives the process that rendered it.

    Attributes:
        job: id, derived from the briefing's name and the due time: a second submission is the same job.
        text: plain text with Koebin's markup.
        options: fields of ``SynthesisOptions``.
        dictionaries: absolute paths.
        store, output: where and what to deliver; ``output`` holds the fields of ``koebin.tasks.contracts.Output``.
    """

    briefing: str
    due: str
    job: str
    title: str
    text: str
    speaker: str
    options: dict[str, Any]
    dictionaries: tuple[str, ...]
    store: str
    output: dict[str, Any]
    priority: int = PRIORITIES["briefing"]

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Submission:
        fields = json.loads(text)
        return cls(**{**fields, "dictionaries": tuple(fields["dictionaries"])})


Submitter = Callable[[Submission], str]
"""Function that submits the job and returns its id; the same submission twice is one job."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Text of a briefing at a due time.

    Attributes:
        text: the script.
        sources: report of each source.
    """

    text: str
    sources: tuple[SourceReport, ...]

    @property
    def failures(self) -> tuple[SourceReport, ...]:
        """Sources that had a problem, including those with a stale value."""
        return tuple(source for source in self.sources if source.problem)


@dataclass(frozen=True, slots=True)
class Composed:
    """Submission and the reports of its sources."""

    submission: Submission
    rendered: Rendered


def job_id(briefing: Briefing, due: datetime) -> str:
    """Job id ``briefing.<name>.20261122T220000Z``: one due time of one briefing, in UTC."""
    return f"briefing.{briefing.name}.{due.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def preview(briefing: Briefing, due: datetime, policy: Policy) -> Rendered:
    """Fetch the sources and render the script, without submitting anything.

    Raises:
        InvalidBriefing: the main template fails, or gives too much text or none. A failing source never raises it.
    """
    return asyncio.run(_preview(briefing, due, policy))


def compose(briefing: Briefing, due: datetime, policy: Policy) -> Composed:
    """Render a briefing into the job that is due.

    Raises:
        InvalidBriefing: see `preview`.
    """
    rendered = preview(briefing, due, policy)
    for source in rendered.failures:
        log.warning("briefing %s: source %s: %s (%s)", briefing.name, source.name, source.problem, source.origin)
    local = due.astimezone(ZoneInfo(briefing.when.time_zone))
    submission = Submission(
        briefing=briefing.name,
        due=due.astimezone(UTC).isoformat(),
        job=job_id(briefing, due),
        title=f"{briefing.title or briefing.name} {spoken_date(local)}",
        text=rendered.text,
        speaker=briefing.voice.speaker,
        options=dict(briefing.voice.options),
        dictionaries=tuple(str(path) for path in dictionaries_of(briefing, policy)),
        store=_store(briefing, policy),
        output=briefing.output.audio.model_dump(mode="json"),
    )
    return Composed(submission, rendered)


def run(briefing: Briefing, due: datetime, policy: Policy, submit: Submitter) -> Composed:
    """Render and submit at once, outside of the schedule.

    Raises:
        InvalidBriefing: see `preview`; and whatever ``submit`` raises.
    """
    composed = compose(briefing, due, policy)
    submit(composed.submission)
    return composed


async def _preview(briefing: Briefing, due: datetime, policy: Policy) -> Rendered:
    return await render(briefing, await gather(briefing, due, policy))


async def render(briefing: Briefing, fetched: dict[str, Fetched]) -> Rendered:
    """Script from the values of the sources.

    Raises:
        InvalidBriefing: see `preview`.
    """
    answer = await _rendered(briefing, fetched)
    broken = _unspeakable(briefing, answer["sources"])
    if broken:
        fetched = fetched | broken
        answer = await _rendered(briefing, fetched)
    text = answer["text"].strip()
    if not any(character.isalnum() for character in text):
        raise InvalidBriefing(f"briefing {briefing.name!r} gives no text", text, "Give its sources fallback texts")
    try:
        script_of(text, briefing.voice.speaker, briefing.voice.options)
    except InvalidInput as error:
        raise InvalidBriefing(f"briefing {briefing.name!r} gives text that cannot be spoken: {error}") from error
    reports = [_report(briefing, name, fetched[name], said) for name, said in answer["sources"].items()]
    return Rendered(text, tuple(reports))


async def _rendered(briefing: Briefing, fetched: dict[str, Fetched]) -> dict[str, Any]:
    sources = {
        name: {"say": source.say, "values": fetched[name].values, "fallback": source.fallback}
        for name, source in briefing.sources.items()
    }
    limit = briefing.template.max_characters
    request = {"template": briefing.template_text, "sources": sources, "max_characters": limit}
    try:
        answer: dict[str, Any] = await call_isolated({"call": "render", "render": request}, b"", RENDER_SECONDS)
    except IsolatedFailed as error:
        line = error.line + briefing.template_offset if error.line else 0
        raise InvalidBriefing(f"the template of briefing {briefing.name!r}: {error}", "", "", line) from error
    return answer


def _unspeakable(briefing: Briefing, said: dict[str, dict[str, Any]]) -> dict[str, Fetched]:
    """Sources whose own text is not a valid script (wrong markup in their template): the fallback replaces it."""
    broken = {}
    for name, each in said.items():
        try:
            if each["ok"] and each["text"]:
                script_of(f"〇。{each['text']}", briefing.voice.speaker, briefing.voice.options)
        except InvalidInput as error:
            broken[name] = Fetched(None, "fallback", f"say: {error.what}: {error.value}")
    return broken


def _store(briefing: Briefing, policy: Policy) -> str:
    store = briefing.output.store or policy.store
    if not store:
        raise InvalidBriefing(
            f"briefing {briefing.name!r} has no store", "", "Set output.store in the file, or KOEBIN_STORE"
        )
    return store


def dictionaries_of(briefing: Briefing, policy: Policy) -> list[Path]:
    """The briefing's files of readings.

    Raises:
        InvalidBriefing: one lies outside of the folders that its files may lie in, symbolic links followed.
    """
    roots = [root.resolve() for root in policy.roots(briefing.folder)]
    found = []
    for name in briefing.voice.dictionaries:
        path = (briefing.folder / name).resolve()
        if not any(path.is_relative_to(root) for root in roots):
            raise InvalidBriefing(
                "a dictionary lies outside of the allowed folders", name, "Move it beside the briefing"
            )
        found.append(path)
    return found


def script_of(
    text: str, speaker: str, options: Mapping[str, Any], dictionaries: Sequence[Path] = (), title: str = ""
) -> Script:
    """Script from a briefing's text: plain text with Koebin's markup, every line a paragraph.

    Raises:
        InvalidInput: a letter that cannot be read, a mistake in the markup or a sentence without an end, with its line
            in the text.
    """
    check_text(text)
    voice = Voice(speaker, SynthesisOptions(**options))
    script = replace(parse_script(Source(text, "text"), voice, dictionaries=dictionaries), title=title)
    for _ in sentences(script.passages, Pauses()):  # refuses what no job takes, such as a sentence without an end
        pass
    return script


def _report(briefing: Briefing, name: str, fetched: Fetched, said: dict[str, Any]) -> SourceReport:
    return SourceReport(
        name=name,
        kind=briefing.sources[name].kind,
        ok=said["ok"],
        origin=fetched.origin if said["ok"] else "fallback",
        problem="; ".join(filter(None, (said["problem"], fetched.problem))),
        seconds=round(fetched.seconds, 3),
        text=said["text"],
    )
