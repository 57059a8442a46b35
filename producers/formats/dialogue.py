"""Dialogue: ``name: text`` lines, narration between them, ``# heading`` for a new chapter."""

from __future__ import annotations

import re
from typing import Final

from koebin.engine.errors import InvalidInput, InvalidScript
from koebin.producers.formats.markup import MarkupReader, lines, one_line, plain_title
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.speaker_names import Cast, Voice

_HEADING: Final = re.compile(r"#{1,6}[ 　]+(?P<title>.*)")
_LINE: Final = re.compile(
    r"[ 　\t]*(?P<name>[^\s:：、。，．,.!?！？「」『』()（）\[\]［］《》\\｜|#]{1,40})"
    r"(?:[(（](?P<style>[^()（）:：]{1,64})[)）])?[ 　]*[:：](?P<text>.*)"
)
_NEARLY: Final = re.compile(r"[ 　\t]*(?P<name>[^:：。「」『』\[\]［］《》\\｜|#\n]{1,40}?)[ 　]*[:：](?P<text>.*)")
"""A line that begins like one that is said, but with a name that cannot be one."""
_QUOTED: Final = re.compile(r"[ 　\t]*(?P<name>[^\s「『]{1,40})[ 　]*(?P<text>[「『].*[」』])[ 　]*")
_LABELLED: Final = re.compile(
    r"[ 　\t]*[【\[［<＜〈](?P<name>[^【】\[\]［］<>＜＞〈〉]{1,40})[】\]］>＞〉](?=[ 　\t]*\S)"
)
_PARTED: Final = re.compile(r"[、,，・&＆/／と]")
_NUMBER: Final = re.compile(r"[0-9０-９]+")


def read_dialogue(text: str, builder: ScriptBuilder, cast: Cast) -> None:
    """Add a dialogue.

    A line that begins with ``name:``, or with a declared name and ``「``, is spoken by that name; a name that nobody
    has is refused, so that no line is ever spoken by the narrator by mistake. ``\\name: text`` is narration.

    Raises:
        InvalidScript: an unknown name, a line without text, or a mistake in the markup.
    """
    reader = MarkupReader(builder, cast)
    for number, line in lines(text):
        heading, said = _HEADING.fullmatch(line), _said(line, cast)
        if heading and heading["title"].strip():
            builder.chapter(plain_title(heading["title"]))
            reader.paragraph(heading["title"], one_line(number, heading.start("title") + 1))
        elif said:
            voice = _voice(said, cast, number)
            if not said["text"].strip():
                column = said.start("text") + 1
                raise InvalidScript(
                    "a line without text", line.strip(), "Write the text after the colon", number, column
                )
            reader.paragraph(said["text"], one_line(number, said.start("text") + 1), voice=voice)
        else:
            if cast.closed:
                _check_name(line, number)
                _check_quoted(line, cast, number)
            plain = line.lstrip(" 　\t")
            escaped = plain.startswith("\\") and any(said.match(plain[1:]) for said in (_NEARLY, _QUOTED, _LABELLED))
            rest = plain[1:] if escaped else plain
            reader.paragraph(rest, one_line(number, len(line) - len(rest) + 1))
    reader.finish()


def _said(line: str, cast: Cast) -> re.Match[str] | None:
    """The name and the text of a line that somebody says."""
    said = _LINE.fullmatch(line)
    if said and _is_said(said):
        return said
    quoted = _QUOTED.fullmatch(line)
    return quoted if quoted and quoted["name"] in cast.names else None


def _is_said(said: re.Match[str]) -> bool:
    """``12:30`` and ``https://…`` are no names."""
    clock = said["name"][-1:].isdigit() and said["text"][:1].isdigit()
    return not _NUMBER.fullmatch(said["name"]) and not clock and not said["text"].startswith("//")


def _check_name(line: str, number: int) -> None:
    """Raises: InvalidScript: somebody was meant to say the line, under a name that cannot be one, or several did."""
    nearly = _NEARLY.fullmatch(line)
    if nearly and _is_said(nearly) and nearly["name"].strip():
        name = nearly["name"].strip()
        several = "several names" if re.search("[、,，・&＆/／]", name) else "not a name for a speaker"
        hint = (
            "Give each speaker a line; leave blanks and signs out of names; begin the line with \\ if it is narration"
        )
        raise InvalidScript(several, name, hint, number, nearly.start("name") + 1)


def _check_quoted(line: str, cast: Cast, number: int) -> None:
    """Raises: InvalidScript: declared names stand before a bracket as if they said it, but not as one name does."""
    quoted = _QUOTED.fullmatch(line) or _LABELLED.match(line)
    names = _PARTED.split(quoted["name"]) if quoted else []
    if quoted and names and all(name in cast.names for name in names):
        what = "several names" if len(names) > 1 else "not a line that somebody says"
        hint = f"Write {names[0]}：…; begin the line with \\ if it is narration"
        raise InvalidScript(what, quoted["name"], hint, number, quoted.start("name") + 1)


def _voice(said: re.Match[str], cast: Cast, line: int) -> Voice:
    try:
        voice = cast.voice(said["name"], line, said.start("name") + 1)
    except InvalidScript as error:
        hint = f"{error.hint}; begin the line with \\ if it is narration"
        raise InvalidScript(error.what, error.value, hint, error.line, error.column) from error
    if not said.groupdict().get("style"):
        return voice
    try:
        return voice.with_options(style=said["style"].strip())
    except InvalidInput as error:
        raise InvalidScript(error.what, error.value, error.hint, line, said.start("style") + 1) from error
