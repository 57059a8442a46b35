"""``koebin say`` and ``koebin speakers``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from koebin.engine.checked_names import BUILTIN_SPEAKERS, check_speaker
from koebin.engine.errors import StoreNotFound
from koebin.engine.reading import Reading
from koebin.engine.text.checks import check_text
from koebin.producers.client import Client
from koebin.producers.commands.shared_options import check_known, given, options_from, store_argument
from koebin.producers.console import ProgressLine, messages_for_mistakes, note, say, say_json, say_result
from koebin.tasks.contracts import Output
from koebin.tasks.jobs.submission import JobOptions
from koebin.tasks.settings import load_settings

Speaker = Annotated[str, typer.Option("--speaker", "-s", help="Who speaks.")]
Style = Annotated[str | None, typer.Option(help="A style of the speaker.", show_default="the speaker's first style")]
Speed = Annotated[float | None, typer.Option(help="Speaking rate, 0.25 to 4; 2 is twice as fast.", show_default="1.0")]
Pitch = Annotated[float | None, typer.Option(help="Pitch shift in semitones, -24 to 24.", show_default="0.0")]
Volume = Annotated[float | None, typer.Option(help="Gain in dB, -60 to 20.", show_default="0.0")]
Seed = Annotated[int | None, typer.Option(help="Seed of the noise; changes nothing else.", show_default="0")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
StoreOption = Annotated[
    str | None, typer.Option("--store", help="s3://bucket/prefix or a folder.", show_default="KOEBIN_STORE, else ./out")
]
Wait = Annotated[float, typer.Option("--wait", metavar="SECONDS", help="Seconds to wait for a worker of the speaker.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("say")(say_text)
    app.command("speakers")(speakers)


def say_text(
    text: Annotated[str, typer.Argument(help='Text to speak; "-" reads standard input.')],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Speak on this machine, into this file: .wav .flac .mp3 .opus .m4a"),
    ] = None,
    speaker: Speaker = "mei",
    style: Style = None,
    speed: Speed = None,
    pitch: Pitch = None,
    volume: Volume = None,
    seed: Seed = None,
    kana: Annotated[
        str | None,
        typer.Option(help="Its reading: コンニチワ、セ'カイ/ノ (' where the pitch falls, / between phrases)."),
    ] = None,
    store: StoreOption = None,
    wait: Wait = 0.0,
    as_json: AsJson = False,
) -> None:
    """Speak one text: into a file with -o, else through the queue.

    Without -o and without a broker (KOEBIN_BROKER_URL) it goes to ./say.wav.
    """
    with messages_for_mistakes():
        spoken = sys.stdin.read() if text == "-" else text
        check_text(spoken)
        check_speaker(speaker)
        options = options_from(style, speed, pitch, volume, seed)
        readings = (Reading(0, len(spoken), kana),) if kana else ()
        settings = load_settings(**given(store=store_argument(store)))
        if output is None and settings.broker_url.get_secret_value():
            with Client(settings=settings) as client:
                job_options = JobOptions(Output(formats=("flac",)), priority=0)
                job = client.submit(
                    spoken,
                    speaker=speaker,
                    options=options,
                    readings=readings,
                    job_options=job_options,
                    wait_seconds=wait,
                )
                with ProgressLine("say") as line:
                    client.wait(job, on_progress=line.show)
                result = client.result(job)
            say_json(result) if as_json else say_result(result.uri)
            return
        path = output or Path("say.wav")
        if not path.parent.is_dir():
            raise StoreNotFound("no such folder", str(path.parent), "Create it first")
        check_known([speaker], settings)
        from koebin import TTS

        source = dict(entry.partition("=")[::2] for entry in settings.speakers).get(speaker) or None
        with TTS(device=settings.device, sources=settings.source_options(), bert_source=settings.bert) as tts:
            audio = (
                tts.load(speaker, source)
                .prepare(warmup=False)
                .speakers[speaker]
                .generate(spoken, options, readings=readings)
            )
        audio.save(path)
        if as_json:
            say_json({"path": str(path), "duration_seconds": audio.duration_seconds, **_rate(audio.sample_rate_hz)})
        else:
            note(f"{audio.duration_seconds:.1f} s of audio")
            say(str(path))


def _rate(hertz: int) -> dict[str, int]:
    return {"sample_rate_hz": hertz}


def speakers(
    as_json: AsJson = False,
    long: Annotated[bool, typer.Option("--long", "-l", help="Also show display names, creators and licences.")] = False,
) -> None:
    """List the speakers that live workers serve; without a broker, the built-in ones."""
    with messages_for_mistakes():
        settings = load_settings()
        if not settings.broker_url.get_secret_value():
            names = sorted(BUILTIN_SPEAKERS)
            if as_json:
                say_json([{"name": name} for name in names])
            else:
                for name in names:
                    say(name)
            note("No broker is configured; these speakers are built in.")
            return
        with Client(settings=settings) as client:
            served = client.speakers()
        if as_json:
            say_json([asdict(speaker) for speaker in served.values()])
            return
        if not served:
            note("No worker is ready. Start one with: koebin worker --speakers mei --assemble")
        for speaker in served.values():
            styles = ", ".join(speaker.styles)
            say(speaker.name, f"{speaker.sample_rate_hz} Hz", f"{speaker.speed_factor:.1f}x", styles)
            if long:
                about = (
                    ("name", speaker.display_name),
                    ("creators", ", ".join(speaker.creators)),
                    ("licence", speaker.licence),
                    ("revision", speaker.model_revision),
                )
                for label, value in about:
                    say("", f"{label}: {value or 'not given'}")
