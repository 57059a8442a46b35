"""``koebin check``: readings of a script, without synthesis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from koebin.producers.commands.inputs import Files, load_inputs, tell_omissions
from koebin.producers.commands.say import AsJson, Speaker
from koebin.producers.console import messages_for_mistakes, note, say, say_json
from koebin.producers.exits import INVALID
from koebin.producers.formats.dictionary import write_dictionary as write_words
from koebin.producers.formats.speaker_names import Voice
from koebin.tasks.contracts import Pauses
from koebin.tasks.jobs.planning import sentences
from koebin.tasks.script import Script

if TYPE_CHECKING:
    from koebin.engine.text.doubts import Doubt

Dictionaries = Annotated[
    list[Path] | None,
    typer.Option("--dictionary", "-d", help="A .toml or .csv file of readings; can be repeated."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse what would be left out: letters, pages, lines.")]
_REASONS: Final = {
    "unknown": "in no dictionary",
    "guessed": "Latin word, guessed",
    "differs": "another dictionary has",
    "composed": "put together of words",
    "name": "a name",
    "usual": "two readings are usual",
}


@dataclass(frozen=True, slots=True)
class Line:
    """Sentence with its reading.

    Attributes:
        line: in the file, 0 if it has none.
        kana: with accents, see ``koebin.engine.text.kana``.
    """

    line: int
    item: str
    speaker: str
    text: str
    kana: str
    doubts: tuple[Doubt, ...]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    file: Files,
    dictionary: Dictionaries = None,
    speaker: Speaker = "mei",
    strict: Strict = False,
    as_json: AsJson = False,
    write_dictionary: Annotated[
        Path | None, typer.Option(help="Write the doubtful words into this .toml file, the most frequent first.")
    ] = None,
) -> None:
    """Print how every sentence is read, in kana with accents, and list words with a doubtful reading.

    Speaks nothing and needs no broker. Exit code 2 if the file, a dictionary or a line of a list cannot be used.
    """
    with messages_for_mistakes():
        script = load_inputs(file, Voice(speaker), dictionary or (), strict=strict)
        lines = list(read_lines(script))
        if write_dictionary is not None:
            write_words(write_dictionary, doubtful_words(lines))
    unused = _unused(script)
    if as_json:
        say_json(
            {
                "title": script.title,
                "author": script.author,
                "chapters": [chapter.title for chapter in script.chapters],
                "lines": [asdict(line) for line in lines],
                "errors": [asdict(error) for error in script.errors],
                "left_out": [asdict(left) for left in script.left_out],
                "warnings": [asdict(warning) for warning in script.warnings],
                "unused_words": unused,
            }
        )
    else:
        _print(lines)
    _report(script, lines, unused)
    if script.errors:
        raise typer.Exit(INVALID)


def read_lines(script: Script) -> Iterator[Line]:
    """Sentences of a script with their readings.

    Raises:
        InvalidText, InvalidScript: a sentence that cannot be spoken.
    """
    from koebin.engine.text.doubts import doubts
    from koebin.engine.text.frontend import analyze_utterances
    from koebin.engine.text.kana import to_kana

    for sentence in sentences(script.passages, Pauses()):
        passage = sentence.passage
        words = script.dictionary.within(sentence.text)
        analyses = analyze_utterances(sentence.text, sentence.readings, words)
        yield Line(
            line=passage.line,
            item=passage.item,
            speaker=passage.speaker,
            text=sentence.text,
            kana="、".join(kana for analysis in analyses if (kana := to_kana(analysis))),
            doubts=tuple(doubts(sentence.text, sentence.readings, words)),
        )


def doubtful_words(lines: Sequence[Line]) -> list[tuple[str, str, str, int]]:
    """Doubtful words with their reading, the reason and how often they occur, the most frequent first."""
    found = Counter((doubt.word, doubt.reading) for line in lines for doubt in line.doubts)
    why = {(doubt.word, doubt.reading): doubt for line in lines for doubt in line.doubts}
    words: dict[str, tuple[str, str, str, int]] = {}
    for (word, reading), count in found.most_common():
        doubt = why[word, reading]
        usable = bool(reading) and not any(char.isspace() for char in word)
        if usable and word not in words:
            words[word] = (word, reading, f"{_REASONS[doubt.reason]} {doubt.other}".strip(), count)
    return list(words.values())


def _unused(script: Script) -> list[str]:
    """Words of the dictionary that occur in no passage."""
    used = {entry.surface for passage in script.passages for entry in script.dictionary.within(passage.text).entries}
    return [entry.surface for entry in script.dictionary.entries if entry.surface not in used]


def _print(lines: Sequence[Line]) -> None:
    for line in lines:
        place = line.item or (str(line.line) if line.line else "")
        say(place, line.speaker, line.text)
        say("", "", line.kana)
        for doubt in line.doubts:
            other = f" {doubt.other}" if doubt.other else ""
            say("", "", f"? {doubt.word}: {doubt.reading} ({_REASONS[doubt.reason]}{other})")


def _report(script: Script, lines: Sequence[Line], unused: Sequence[str]) -> None:
    tell_omissions(script)
    if unused:
        note(f"words of the dictionary that do not occur: {', '.join(unused[:20])}{' …' if len(unused) > 20 else ''}")
    words = {doubt.word for line in lines for doubt in line.doubts}
    silent = f", {len(script.left_out)} parts that are silent" if script.left_out else ""
    failed = f"{len(script.errors)} lines that cannot be spoken"
    note(f"{len(lines)} sentences, {len(words)} doubtful words, {failed}{silent}")
