"""``koebin voices``: what a voice is, whether it can be spoken here, and how it sounds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from koebin.engine.checked_names import BUILTIN_SPEAKERS, check_speaker
from koebin.engine.errors import KoebinError
from koebin.engine.home import expanded
from koebin.producers.console import messages_for_mistakes, note, say, say_json
from koebin.producers.exits import FAILED
from koebin.tasks.settings import Settings, load_settings

_LONG: Final = ("description", "licence")
"""What may have several lines; a name has one."""


@dataclass(frozen=True, slots=True)
class _Page:
    """What is known of a voice.

    Attributes:
        works: what it can be spoken with here; "" if it cannot be.
        problem: why not.
    """

    source: str
    name: str = ""
    description: str = ""
    architecture: str = ""
    version: str = ""
    uuid: str = ""
    speakers: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    sample_rate_hz: int = 0
    bytes: int = 0
    creators: tuple[str, ...] = ()
    licence: str = ""
    revision: str = ""
    works: str = ""
    problem: str = ""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("voices")(voices)


def voices(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|URI...", help="An .aivm or .aivmx file, a folder, or any address that --speakers takes."
        ),
    ],
    text: Annotated[str | None, typer.Option("--say", help="Speak this with each of them.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for what is spoken.", show_default="this folder")
    ] = None,
    name: Annotated[
        str, typer.Option(help="The voice's name, for sources that hold several.", show_default="voice")
    ] = "voice",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Show what voices are: architecture, styles, licence, creators, and whether they can be spoken here.

    Exit codes: 0 if all can be spoken here, 1 if any cannot.
    """
    with messages_for_mistakes():
        check_speaker(name)
        settings = load_settings()
        pages = []
        for number, source in enumerate(sources, start=1):
            path = None if text is None else (output or Path()) / f"{name}-{number:02d}.wav"
            page = _page(name, _address(source), settings, text, path)
            pages.append(page)
            if not as_json:
                for cells in _rows(page):
                    say(*cells)
                if path is not None and page.works:
                    note(f"spoken into {path}")
        if as_json:
            say_json([asdict(page) for page in pages])
    raise typer.Exit(FAILED if any(page.problem for page in pages) else 0)


def _address(source: str) -> str:
    """A path on a command line may be relative; a built-in voice has its name alone."""
    if source in BUILTIN_SPEAKERS and not Path(source).exists():
        return source
    return source if "://" in source else str(expanded(source).absolute())


def _page(name: str, source: str, settings: Settings, text: str | None, path: Path | None) -> _Page:
    page = _Page(_shown(source))
    try:
        page = _described(page, source, settings)
        return _opened(page, name, source, settings, text, path)
    except KoebinError as error:
        return replace(page, problem=str(error))


def _shown(source: str) -> str:
    """An address without what may be a secret."""
    from koebin.engine.display import mask

    return mask(source) if source.startswith(("http://", "https://")) or "@" in source.split("/")[2:3] else source


def _described(page: _Page, source: str, settings: Settings) -> _Page:
    """What a file or a folder says of itself, also where it cannot be spoken."""
    from koebin.engine.models.jp_extra.aivm import read_aivm
    from koebin.engine.models.jp_extra.folder_card import describe_folder
    from koebin.engine.models.remote.address import is_remote
    from koebin.engine.sources.base import SingleFile
    from koebin.engine.sources.local import LocalSource
    from koebin.engine.sources.uri import open_source

    if is_remote(source) or source in BUILTIN_SPEAKERS:
        return page
    opened = open_source(source, settings.source_options())
    if isinstance(opened, SingleFile):
        path = opened.fetch_file()
        return replace(page, **_of_card(read_aivm(path).card), bytes=path.stat().st_size)
    if isinstance(opened, LocalSource):
        sizes = (path.stat().st_size for path in opened.root.glob("*") if path.is_file())
        return replace(page, **_of_card(describe_folder(opened.root)), bytes=sum(sizes))
    return page


def _of_card(card: Any) -> dict[str, Any]:
    styles = dict.fromkeys(style for speaker in card.speakers for style, _ in speaker.styles)
    return {
        "name": card.name,
        "description": card.description,
        "architecture": card.architecture,
        "version": card.version,
        "uuid": card.uuid,
        "speakers": tuple(f"{speaker.row}: {speaker.name}" for speaker in card.speakers),
        "styles": tuple(styles),
        "creators": card.creators,
        "licence": card.licence,
    }


def _opened(page: _Page, name: str, source: str, settings: Settings, text: str | None, path: Path | None) -> _Page:
    """Load the voice as a worker would, and let it speak."""
    from koebin import TTS
    from koebin.engine.models.jp_extra.aivm import JP_EXTRA

    with (
        tempfile.TemporaryDirectory() as scratch,
        TTS(settings.device, sources=settings.source_options(), bert_source=settings.bert) as tts,
    ):
        builtin = source in BUILTIN_SPEAKERS
        name = source if builtin else name
        speaker = tts.load(name, None if builtin else source).prepare(warmup=False).speakers[name]
        audio = speaker.generate(text or "準備ができました。")
        audio.save(path or Path(scratch) / "said.wav")
        found = _of_card(speaker.card)
        found["architecture"] = found["architecture"] or ("Open JTalk (HTS)" if builtin else JP_EXTRA)
        known = {field: value for field, value in found.items() if value and not getattr(page, field)}
        return replace(
            page,
            **known | {"styles": speaker.styles},
            sample_rate_hz=speaker.sample_rate_hz,
            revision=speaker.revision,
            works=_with(source, settings),
        )


def _with(source: str, settings: Settings) -> str:
    from koebin.engine.models.remote.address import is_remote

    return "its server, over HTTP" if is_remote(source) else f"this machine ({settings.device})"


def _rows(page: _Page) -> Iterator[tuple[str, ...]]:
    rows = (
        ("name", page.name),
        ("description", page.description),
        ("architecture", page.architecture),
        ("version", page.version),
        ("uuid", page.uuid),
        ("speakers", ", ".join(page.speakers)),
        ("styles", ", ".join(page.styles)),
        ("sample rate", f"{page.sample_rate_hz} Hz" if page.sample_rate_hz else ""),
        ("size", f"{page.bytes / 1e6:.1f} MB" if page.bytes else ""),
        ("creators", ", ".join(page.creators)),
        ("licence", page.licence or ("not given" if page.works else "")),
        ("revision", page.revision),
        ("spoken with", page.works),
        ("cannot be spoken here", page.problem),
    )
    yield (page.source,)
    for label, value in rows:
        if value:
            first, *others = value.splitlines() if label in _LONG else [value]
            yield (f"  {label}", first)
            yield from (("  ", line) for line in others)
