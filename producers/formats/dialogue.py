"""Dialogue: ``name: text`` lines, narration between them, ``# heading`` for a new chapter."""

from __future__ import annotations

import re
from typing import Final

from koebin.engine.errors import InvalidInput, InvalidScript
from koebin.producers.formats.builder import ScriptBuilder
from koebin.producers.formats.markup import MarkupReader, lines, one_line
from koebin.producers.formats.voice import Cast, Voice

_HEADING: Final = re.compile(r"#{1,6}[ 　]+(?P<title>.*)")
_LINE: Final = re.compile(
    r"[ 　\t]*(?P<name>[^\s:：、。，．,.!?！？「」『』()（）\[\]［］《》\\｜|#]{1,40})"
    r"(?:[(（](?P<style>[^()（）:：]{1,64})[)）])?[ 　]*[:：](?P<text>.*)"
)
_NUMBER: Final = re.compile(r"[0-9０-９]+")


def read_dialogue(text: str, builder: ScriptBuilder, cast: Cast) -> None:
    """Add a dialogue.

    A line that begins with ``name:`` is spoken by that name; a name that nobody has is refused, so that no line is ever
    spoken by the narrator by mistake. ``\\name: text`` is narration.

    Raises:
        InvalidScript: an unknown name, a line without text, or a mistake in the markup.
    """
    reader = MarkupReader(builder, cast)
    for number, line in lines(text):
        heading, said = _HEADING.fullmatch(line), _LINE.fullmatch(line)
        if heading and heading["title"].strip():
            builder.chapter("")
            reader.paragraph(heading["title"], one_line(number, heading.start("title") + 1))
            builder.entitle()
        elif said and _is_said(said):
            voice = _voice(said, cast, number)
            if not said["text"].strip():
                column = said.start("text") + 1
                raise InvalidScript(
                    "a line without text", line.strip(), "Write the text after the colon", number, column
                )
            reader.paragraph(said["text"], one_line(number, said.start("text") + 1), voice=voice)
        else:
            plain = line.lstrip(" 　\t")
            escaped = plain.startswith("\\") and _LINE.fullmatch(plain[1:]) is not None
            rest = plain[1:] if escaped else plain
            reader.paragraph(rest, one_line(number, len(line) - len(rest) + 1))
    reader.finish()


def _is_said(said: re.Match[str]) -> bool:
    """``12:30`` and ``https://…`` are no names."""
    return not _NUMBER.fullmatch(said["name"]) and not said["text"].startswith("//")


def _voice(said: re.Match[str], cast: Cast, line: int) -> Voice:
    try:
        voice = cast.voice(said["name"], line, said.start("name") + 1)
    except InvalidScript as error:
        hint = f"{error.hint}; begin the line with \\ if it is narration"
        raise InvalidScript(error.what, error.value, hint, error.line, error.column) from error
    if not said["style"]:
        return voice
    try:
        return voice.with_options(style=said["style"].strip())
    except InvalidInput as error:
        raise InvalidScript(error.what, error.value, error.hint, line, said.start("style") + 1) from error
