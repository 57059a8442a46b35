"""``koebin narrate``: a file becomes finished audio."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from engine.text.checks import check_text
from producers.client import Client
from producers.commands.common import client_for, one_of, options_from
from producers.commands.speech import AsJson, Pitch, Seed, Speaker, Speed, StoreOption, Style, Volume, Wait
from producers.console import ProgressLine, clock, messages_for_mistakes, note, say, say_json
from producers.exits import FAILED, PARTIAL
from producers.formats.load import load_script
from producers.formats.voice import Voice
from tasks.contracts import AudioFormat, Output, Pauses
from tasks.ledger import State
from tasks.outcome import JobOutcome
from tasks.script import Script
from tasks.submission import Wishes


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("narrate")(narrate)


def narrate(
    file: Annotated[Path, typer.Argument(help="Text, Markdown, EPUB, JSONL lines or a dialogue script.")],
    speaker: Speaker = "mei",
    style: Style = None,
    speed: Speed = None,
    pitch: Pitch = None,
    volume: Volume = None,
    seed: Seed = None,
    format: Annotated[  # noqa: A002
        list[str] | None, typer.Option("--format", "-f", help="wav flac mp3 opus m4b; several times for several.")
    ] = None,
    per_chapter: Annotated[bool, typer.Option(help="Also one file for each chapter.")] = False,
    loudness: Annotated[float | None, typer.Option(help="Integrated loudness in LUFS, such as -18.")] = None,
    subtitles: Annotated[list[str] | None, typer.Option(help="srt vtt lab; several times for several.")] = None,
    player: Annotated[bool, typer.Option(help="Also a page to listen and read along.")] = False,
    partial: Annotated[bool, typer.Option(help="Deliver the rest if a line cannot be spoken.")] = False,
    job_id: Annotated[str | None, typer.Option(help="Your own id: the same content under it is the same job.")] = None,
    store: StoreOption = None,
    wait: Wait = 0.0,
    as_json: AsJson = False,
) -> None:
    """Narrate a file; without a broker (KOEBIN_BROKER_URL) with a private server and worker of its own."""
    with messages_for_mistakes():
        options = options_from(style, speed, pitch, volume, seed)
        script = load_script(file, Voice(speaker, options))
        for passage in script.passages:
            check_text(passage.text)
        output = _output(script, format, per_chapter, loudness, subtitles, player)
        wishes = Wishes(output, Pauses(), partial=partial)
        speakers = list(dict.fromkeys(passage.speaker for passage in script.passages))
        with client_for(speakers, store) as client:
            outcome, seconds = _run(client, script, wishes, job_id, wait)
        _report(outcome, seconds, as_json)
    if outcome.state is State.PARTIAL:
        raise typer.Exit(PARTIAL)
    if outcome.state is not State.SUCCEEDED:
        raise typer.Exit(FAILED)


def _output(
    script: Script,
    formats: list[str] | None,
    per_chapter: bool,
    loudness: float | None,
    subtitles: list[str] | None,
    player: bool,
) -> Output:
    wanted: dict[str, Any] = dict(script.output)
    if formats:
        wanted["formats"] = tuple(one_of(name, get_args(AudioFormat), "format") for name in formats)
    if loudness is not None:
        wanted["loudness_lufs"] = loudness
    if subtitles:
        wanted["subtitles"] = tuple(one_of(name, ("srt", "vtt", "lab"), "subtitle format") for name in subtitles)
    if per_chapter:
        wanted["per_chapter"] = True
    if player:
        wanted["player"] = True
    from tasks.contracts import parse

    return parse(Output, wanted)


def _run(client: Client, script: Script, wishes: Wishes, job_id: str | None, wait: float) -> tuple[JobOutcome, float]:
    started = time.monotonic()
    job = client.submit(script, job_id=job_id, wishes=wishes, wait_seconds=wait)
    note(f"job {job}: {len(script.passages)} passages")
    try:
        with ProgressLine(script.title or "narrate") as line:
            outcome = client.wait(job, on_progress=line.show)
    except KeyboardInterrupt:
        note(f"the job goes on; see: koebin status {job}")
        raise
    return outcome, time.monotonic() - started


def _report(outcome: JobOutcome, seconds: float, as_json: bool) -> None:
    if as_json:
        say_json({**outcome.model_dump(mode="json"), "wall_seconds": round(seconds, 3)})
        return
    for file in outcome.files:
        length = f"\t{clock(file.duration_seconds)}" if file.duration_seconds else ""
        say(f"{file.uri}{length}")
    for failure in outcome.failures:
        note(f"line {failure.line}: {failure.text}: {failure.reason}")
    if outcome.error:
        note(f"error: {outcome.error}")
    if outcome.result is not None:
        counts, spoken = outcome.segments, outcome.result.duration_seconds
        note(
            f"{clock(spoken)} of audio in {clock(seconds)}: speed factor {spoken / max(seconds, 0.01):.1f}x; "
            f"{counts.total} segments, {counts.reused} reused; SHA-256 {outcome.result.sha256}"
        )
