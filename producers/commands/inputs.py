"""Inputs of ``koebin narrate`` and ``koebin check``: files, folders, patterns and standard input as one script."""

from __future__ import annotations

import glob
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from koebin.engine import limits
from koebin.engine.errors import InvalidInput, InvalidScript, SpeakerError
from koebin.engine.home import expanded
from koebin.engine.text.dictionary import Dictionary
from koebin.producers.commands.shared_options import check_known
from koebin.producers.console import note
from koebin.producers.formats.file_kinds import SUFFIXES
from koebin.producers.formats.load import load_script, parse_script, refuse_omissions
from koebin.producers.formats.source import MAX_BYTES, source_from
from koebin.producers.formats.speaker_names import Voice
from koebin.tasks.script import Chapter, Passage, Script
from koebin.tasks.settings import Settings

Files = Annotated[
    list[Path],
    typer.Argument(
        help="A text, book, subtitle or list of lines; several, a folder, or a pattern: one book. - is stdin."
    ),
]
_SHOWN: Final = 20


def load_inputs(files: Sequence[Path], narrator: Voice, dictionaries: Sequence[Path], *, strict: bool) -> Script:
    """One script of everything that is named; of several files each begins a chapter.

    Raises:
        InvalidInput: the first mistake, with its file where there are several.
    """
    if [str(file) for file in files] == ["-"]:
        script = parse_script(source_from(_standard_input(), explicit=False), narrator, dictionaries=dictionaries)
        if strict:
            refuse_omissions(script)
        return script
    found = _named(files)
    if len(found) == 1:
        return load_script(found[0], narrator, dictionaries=dictionaries, strict=strict)
    scripts = []
    for path in found:
        try:
            scripts.append((path, load_script(path, narrator, dictionaries=dictionaries, strict=strict)))
        except InvalidInput as error:
            what = f"{path.name}: {error.what}"
            raise type(error)(what, error.value, error.hint, error.line, error.column) from error
    return joined(scripts)


def load_each(
    files: Sequence[Path], narrator: Voice, dictionaries: Sequence[Path], *, strict: bool
) -> tuple[list[Script], int]:
    """A script of each file, and the number of files that are refused: each of them is told, and costs itself alone.

    Raises:
        InvalidInput: no file is left; the mistake of the last.
    """
    scripts: list[Script] = []
    refused: list[InvalidInput] = []
    for path in _named(files):
        try:
            script = load_script(path, narrator, dictionaries=dictionaries, strict=strict)
        except InvalidInput as error:
            note(f"{path}: {error}")
            refused.append(error)
        else:
            scripts.append(script if script.title else replace(script, title=path.stem))
    if refused and not scripts:
        raise refused[-1]
    return scripts, len(refused)


def _named(files: Sequence[Path]) -> list[Path]:
    """Every file that is named, once.

    Raises:
        InvalidScript: too many, or a folder or a pattern without any.
    """
    found = list(dict.fromkeys(path for file in files for path in _expanded(file)))
    if len(found) > limits.INPUT_FILES:
        raise InvalidScript(f"more than {limits.INPUT_FILES} files", str(len(found)), "Split them into several jobs")
    return found


def joined(scripts: Sequence[tuple[Path, Script]]) -> Script:
    """Several files as one: each of them a chapter, or the chapters that it has.

    Raises:
        InvalidScript: a list of lines among other files.
    """
    if any(script.items for _, script in scripts):
        raise InvalidScript("a list of lines cannot be joined with other files", "", "Give each list by itself")
    passages: list[Passage] = []
    chapters: list[Chapter] = []
    for path, script in scripts:
        moved = len(chapters)
        named = [*script.chapters]
        if not named[0].title:
            named[0] = Chapter(script.title or path.stem)
        chapters += named
        own = [replace(passage, chapter=passage.chapter + moved) for passage in script.passages]
        own[-1] = replace(own[-1], ends="chapter")
        passages += own
    first = scripts[0][1]
    same = {script.title for _, script in scripts}
    authors = list(dict.fromkeys(script.author for _, script in scripts if script.author))
    return Script(
        passages=passages,
        chapters=tuple(chapters),
        title=first.title if len(same) == 1 else scripts[0][0].parent.resolve().name,
        author="、".join(authors),
        cover=next((script.cover for _, script in scripts if script.cover), None),
        dictionary=_dictionary(script.dictionary for _, script in scripts),
        output=first.output,
        series=first.series,
        left_out=tuple(
            replace(left, reason=f"{path.name}: {left.reason}") for path, script in scripts for left in script.left_out
        ),
        warnings=tuple(warning for _, script in scripts for warning in script.warnings),
    )


def tell_omissions(script: Script) -> None:
    """Name on standard error what is silent, spoken otherwise, or refused."""
    for error in (*script.errors, *script.warnings):
        note(f"line {error.line}: {error.message}")
    for left in script.left_out[:_SHOWN]:
        place = f"line {left.line}: " if left.line else ""
        item = f"{left.item}: " if left.item else ""
        note(f"{place}{item}silent: {_visible(left.text)}: {left.reason}")
    if len(script.left_out) > _SHOWN:
        note(f"… and {len(script.left_out) - _SHOWN} more parts that are silent")


def without_unknown_speakers(script: Script, settings: Settings) -> Script:
    """A list without the lines of speakers that are nowhere: each is its own error.

    Raises:
        UnknownSpeaker: no line is left.
    """
    if not script.items or settings.broker_url.get_secret_value():
        return script
    unknown: dict[str, SpeakerError] = {}
    for name in dict.fromkeys(passage.speaker for passage in script.passages):
        try:
            check_known([name], settings)
        except SpeakerError as error:
            unknown[name] = error
    if unknown and all(passage.speaker in unknown for passage in script.passages):
        raise next(iter(unknown.values()))
    return script.without_items({p.item: str(unknown[p.speaker]) for p in script.passages if p.speaker in unknown})


def _expanded(file: Path) -> list[Path]:
    """The files that an argument names, in the order in which people count."""
    if file.is_dir():
        found = [path for path in file.iterdir() if path.is_file() and path.suffix.lower() in SUFFIXES]
        if not found:
            raise InvalidScript("the folder holds no file that can be read", str(file), f"Name them: {file}/*")
        return sorted(found, key=_counted)
    if not file.exists() and glob.has_magic(str(file)):
        found = [Path(name) for name in glob.glob(str(expanded(file)), recursive=True) if Path(name).is_file()]
        if not found:
            raise InvalidScript("no file has such a name", str(file), "Check the pattern")
        return sorted(found, key=_counted)
    return [file]


def _counted(path: Path) -> list[tuple[int, int, str]]:
    """``2.txt`` before ``10.txt``."""
    parts = re.split(r"([0-9]+)", str(path))
    return [(0, int(part), "") if part.isdigit() and len(part) < 19 else (1, 0, part) for part in parts]


def _standard_input() -> bytes:
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if not data:
        raise InvalidScript("standard input is empty", hint="Give a text, or name a file")
    return data


def _dictionary(dictionaries: Iterable[Dictionary]) -> Dictionary:
    words = {entry.surface: entry for each in dictionaries for entry in each.entries}
    return Dictionary(words.values())


def _visible(text: str) -> str:
    """Text for a terminal: what is not printable by its escape."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)[:60]
