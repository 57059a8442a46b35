"""``koebin narrate``: finished audio from a file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from koebin.engine.audio.formats import EPUB_FORMATS, FORMATS
from koebin.engine.audio.subtitles import subtitle_format
from koebin.engine.errors import ConfigurationError, InvalidOption, SpeakerNotServed
from koebin.producers.client import Client
from koebin.producers.commands.check import Dictionaries, Strict
from koebin.producers.commands.inputs import Files, load_each, load_inputs, tell_omissions, without_unknown_speakers
from koebin.producers.commands.say import AsJson, Pitch, Seed, Speaker, Speed, StoreOption, Style, Volume, Wait
from koebin.producers.commands.shared_options import client_for, given, one_of, options_from, store_argument
from koebin.producers.console import ProgressLine, clock, messages_for_mistakes, note, say, say_json, say_result
from koebin.producers.exits import FAILED, LEFT_OUT, PARTIAL
from koebin.producers.formats.covers import MAX_COVER_BYTES, cover_from
from koebin.producers.formats.speaker_names import Voice
from koebin.tasks.contracts import Output, Pauses, PlannedSpeaker, Quality, parse
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.outcome import JobOutcome
from koebin.tasks.jobs.planning import Target
from koebin.tasks.jobs.preview import Preview, preview
from koebin.tasks.jobs.submission import JobOptions
from koebin.tasks.priorities import PRIORITIES
from koebin.tasks.script import Cover, Script
from koebin.tasks.settings import Settings, load_settings
from koebin.tasks.stores.uri import open_store

_OUTPUT, _PAUSES = Output(), Pauses()
"""Defaults of the output options."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("narrate")(narrate)


def narrate(
    file: Files,
    each: Annotated[bool, typer.Option("--each", help="One job for each file, instead of one book.")] = False,
    speaker: Speaker = "mei",
    style: Style = None,
    speed: Speed = None,
    pitch: Pitch = None,
    volume: Volume = None,
    seed: Seed = None,
    dictionary: Dictionaries = None,
    title: Annotated[str | None, typer.Option(help="Overrides the file's own.")] = None,
    author: Annotated[str | None, typer.Option(help="Overrides the file's own.")] = None,
    cover: Annotated[Path | None, typer.Option(help="A JPEG or PNG picture for MP3, FLAC and M4B.")] = None,
    format: Annotated[  # noqa: A002
        list[str] | None, typer.Option("--format", "-f", help="wav flac mp3 opus m4a m4b; can be repeated.")
    ] = None,
    bitrate: Annotated[int | None, typer.Option(help="kbit/s of MP3, Opus and M4B.")] = None,
    per_chapter: Annotated[bool, typer.Option(help="Also one file for each chapter.")] = False,
    whole: Annotated[bool, typer.Option(help="One file for all chapters.")] = True,
    loudness: Annotated[float | None, typer.Option(help="Integrated loudness in LUFS, such as -18.")] = None,
    true_peak: Annotated[
        float | None,
        typer.Option(help="True peak limit in dBTP, before encoding.", show_default=str(_OUTPUT.true_peak_dbtp)),
    ] = None,
    subtitles: Annotated[
        list[str] | None, typer.Option(help="srt vtt lab, or with a level: vtt:word; can be repeated.")
    ] = None,
    player: Annotated[bool, typer.Option(help="Also a page to listen to and read along.")] = False,
    epub: Annotated[bool, typer.Option(help="Also an EPUB that highlights what it speaks; adds MP3.")] = False,
    audiobookshelf: Annotated[bool, typer.Option(help="Also metadata.json for Audiobookshelf.")] = False,
    series: Annotated[str | None, typer.Option(help="Series of the book, instead of the file's own.")] = None,
    series_number: Annotated[str | None, typer.Option(help="Its place in the series.")] = None,
    sentence_pause: Annotated[
        float | None,
        typer.Option(min=0.0, max=60.0, help="Seconds after a sentence.", show_default=str(_PAUSES.sentence)),
    ] = None,
    paragraph_pause: Annotated[
        float | None,
        typer.Option(min=0.0, max=60.0, help="Seconds after a paragraph.", show_default=str(_PAUSES.paragraph)),
    ] = None,
    chapter_pause: Annotated[
        float | None,
        typer.Option(min=0.0, max=60.0, help="Seconds after a chapter.", show_default=str(_PAUSES.chapter)),
    ] = None,
    partial: Annotated[bool, typer.Option(help="Deliver the rest if a line cannot be spoken.")] = False,
    strict: Strict = False,
    quality: Annotated[bool, typer.Option("--quality", help="Check segments; try other takes of bad ones.")] = False,
    recogniser: Annotated[
        list[str] | None, typer.Option(help="A recogniser on the workers that checks as well; implies --quality.")
    ] = None,
    priority: Annotated[str, typer.Option(help="interactive, briefing or batch.")] = "batch",
    webhook: Annotated[str, typer.Option(help="An http(s) URL that is notified when the job ends.")] = "",
    job_id: Annotated[
        str | None, typer.Option(help="Your own job id: the same content under it is the same job.")
    ] = None,
    store: StoreOption = None,
    wait: Wait = 0.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be rendered; queue nothing.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Print the job's id and do not wait for it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Narrate a file; without a broker (KOEBIN_BROKER_URL) with a private server and worker."""
    with messages_for_mistakes():
        narrator = Voice(speaker, options_from(style, speed, pitch, volume, seed))
        scripts, refused = _load(file, narrator, dictionary or (), job_id, strict=strict, each=each)
        settings = load_settings(**given(store=store_argument(store)))
        changes = given(title=title, author=author, cover=_read_cover(cover), series=series, volume=series_number)
        extras = {"per_chapter": per_chapter, "player": player, "epub": epub, "audiobookshelf": audiobookshelf}
        numbers = given(bitrate_kbps=bitrate, loudness_lufs=loudness, true_peak_dbtp=true_peak)

        def options_for(script: Script) -> JobOptions:
            return JobOptions(
                output=_output(script, numbers, format, whole, subtitles, extras),
                pauses=Pauses(**given(sentence=sentence_pause, paragraph=paragraph_pause, chapter=chapter_pause)),
                priority=PRIORITIES[one_of(priority, tuple(PRIORITIES), "priority")],
                partial=partial,
                webhook=webhook,
                quality=parse(Quality, {"recognisers": recogniser or ()}) if quality or recogniser else None,
            )

        scripts = [without_unknown_speakers(replace(script, **changes), settings) for script in scripts]
        for script in scripts:
            tell_omissions(script)
        wanted = [(script, options_for(script)) for script in scripts]
        if dry_run:
            plans = [_preview(settings, script, options, wait) for script, options in wanted]
            if as_json:
                say_json([asdict(plan) for plan in plans] if each else asdict(plans[0]))
            else:
                for plan in plans:
                    _show(plan)
            raise typer.Exit(PARTIAL if refused else 0)
        if detach or webhook:
            _check_stays(settings, "--detach" if detach else "--webhook")
        with client_for(_speakers(scripts), store) as client:
            jobs = [
                client.submit(script, job_id=job_id, job_options=options, wait_seconds=wait)
                for script, options in wanted
            ]
            if detach:
                if as_json:
                    say_json([{"job": job} for job in jobs] if each else {"job": jobs[0]})
                else:
                    for job in jobs:
                        say(job)
                raise typer.Exit(PARTIAL if refused else 0)
            ended = [_follow(client, job, script) for job, (script, _) in zip(jobs, wanted, strict=True)]
        if as_json:
            told = [{**outcome.model_dump(mode="json"), "wall_seconds": round(took, 3)} for outcome, took in ended]
            say_json(told if each else told[0])
        else:
            for outcome, took in ended:
                _report(outcome, took)
    raise typer.Exit(_exit_code([outcome for outcome, _ in ended], refused))


def _load(
    files: list[Path], narrator: Voice, dictionaries: Sequence[Path], job_id: str | None, *, strict: bool, each: bool
) -> tuple[list[Script], int]:
    """The scripts that become a job each, and the number of files that are refused."""
    if not each:
        return [load_inputs(files, narrator, dictionaries, strict=strict)], 0
    if job_id is not None:
        raise InvalidOption("--job-id names one job", job_id, "Leave it out with --each")
    return load_each(files, narrator, dictionaries, strict=strict)


def _exit_code(outcomes: Sequence[JobOutcome], refused: int) -> int:
    """The worst of all: a job that failed, one without some of its lines or files, parts that are silent."""
    states = {outcome.state for outcome in outcomes}
    if states - {State.SUCCEEDED, State.PARTIAL}:
        return FAILED
    if refused or State.PARTIAL in states:
        return PARTIAL
    return LEFT_OUT if any(outcome.left_out for outcome in outcomes) else 0


def _speakers(scripts: Sequence[Script]) -> list[str]:
    return list(dict.fromkeys(passage.speaker for script in scripts for passage in script.passages))


def _output(
    script: Script,
    numbers: dict[str, Any],
    formats: list[str] | None,
    whole: bool,
    subtitles: list[str] | None,
    extras: Mapping[str, bool],
) -> Output:
    """Output options of the script, overridden by the command line."""
    wanted: dict[str, Any] = {**script.output, **numbers}
    if formats:
        wanted["formats"] = tuple(one_of(name, tuple(FORMATS), "format") for name in formats)
    if subtitles:
        for name in subtitles:
            subtitle_format(*name.split(":", 1))  # refuses an invalid one
        wanted["subtitles"] = tuple(subtitles)
    wanted |= {name: True for name, on in extras.items() if on}
    if not whole:
        wanted |= {"whole": False, "per_chapter": True}
    if wanted.get("epub") and not set(wanted.get("formats", ())) & EPUB_FORMATS.keys():
        wanted["formats"] = (*wanted.get("formats", ()), "mp3")
    return parse(Output, wanted)


def _read_cover(path: Path | None) -> Cover | None:
    """Cover picture. Raises: InvalidOption: not a picture that audio files can hold."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            data = file.read(4 * MAX_COVER_BYTES)
    except OSError as error:
        raise InvalidOption(f"the cover cannot be read ({error.strerror})", str(path)) from error
    cover = cover_from(data)
    if cover is None:
        raise InvalidOption("not a valid cover picture", str(path), "Give a JPEG or PNG picture of at most 10 MB")
    return cover


def _check_stays(settings: Settings, option: str) -> None:
    """Check for a broker of one's own. Raises: ConfigurationError: the private server ends with this command."""
    if not settings.broker_url.get_secret_value():
        raise ConfigurationError(f"{option} needs workers that keep running", "", "Set KOEBIN_BROKER_URL")


def _preview(settings: Settings, script: Script, job_options: JobOptions, wait: float) -> Preview:
    if settings.broker_url.get_secret_value():
        with Client(settings=settings) as client:
            return client.preview(script, job_options, wait)
    store = open_store(settings.store_uri(), options=settings.store_options())
    return preview(script, {name: _local_target(name) for name in _speakers([script])}, job_options.pauses, store)


def _local_target(name: str) -> Target:
    """Built-in speaker as the private worker would announce it, except for its speed.

    Raises:
        SpeakerNotServed: the revision of any other speaker is known to its workers only.
    """
    from koebin.engine.models.registry import BUILTIN

    if name not in BUILTIN:
        raise SpeakerNotServed("without a worker only built-in speakers can be planned", name, "Set KOEBIN_BROKER_URL")
    from koebin.engine.models.hts.voice import BuiltinVoice
    from koebin.engine.revision import engine_revision

    voice = BuiltinVoice(name)
    planned = PlannedSpeaker(model_revision=voice.revision, sample_rate_hz=voice.sample_rate_hz)
    return Target(planned, engine_revision(), voice.styles, speed_factor=0.0)


def _show(plan: Preview) -> None:
    time_needed = "unknown without a worker" if plan.wall_seconds is None else f"about {clock(plan.wall_seconds)}"
    say("segments", f"{plan.segments}, of which {plan.reused} are stored already or repeated")
    say("characters", plan.characters)
    say("duration", f"about {clock(plan.seconds)}")
    say("to render", f"about {clock(plan.seconds_to_make)} of speech in {plan.segments - plan.reused} segments")
    say("time", time_needed)
    for line, text in plan.changed:
        say(f"  {line or '-'}", text)
    if plan.segments - plan.reused > len(plan.changed):
        say("  …")


def _follow(client: Client, job: str, script: Script) -> tuple[JobOutcome, float]:
    started = time.monotonic()
    note(f"job {job}: {len(script.passages)} passages")
    try:
        with ProgressLine(script.title or "narrate") as line:
            outcome = client.wait(job, on_progress=line.show)
    except KeyboardInterrupt:
        note(f"the job continues; see: koebin status {job}")
        raise
    return outcome, time.monotonic() - started


def _report(outcome: JobOutcome, seconds: float) -> None:
    for file in outcome.files:
        say_result(file.uri, *([clock(file.duration_seconds)] if file.duration_seconds else []))
    for failure in outcome.failures:
        note(f"line {failure.line}: {failure.text}: {failure.reason}")
    for judged in outcome.report.get("quality", ()):
        fate = "another take is used" if judged["used"] != judged["key"] else "none of its takes is better"
        note(f"line {judged['line']}: {judged['text']}: {', '.join(judged['takes'][0])}: {fate}")
    for late in outcome.report.get("late", ()):
        note(f"line {late['line']}: {late['text']}: begins {late['late_seconds']:g} s late")
    if outcome.left_out:
        note(f"{len(outcome.left_out)} parts of the input are silent; see left_out in the job's result")
    if outcome.error:
        note(f"error: {outcome.error}")
    if outcome.result is not None:
        counts, spoken = outcome.segments, outcome.result.duration_seconds
        note(
            f"{clock(spoken)} of audio in {clock(seconds)}: speed factor {spoken / max(seconds, 0.01):.1f}x; "
            f"{counts.total} segments, {counts.reused} reused; SHA-256 {outcome.result.sha256}"
        )
