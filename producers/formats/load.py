"""Any input as a script."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from koebin.engine.errors import InvalidScript, InvalidText
from koebin.producers.formats.dictionary import load_dictionaries
from koebin.producers.formats.file_kinds import BINARY_FORMATS
from koebin.producers.formats.frontmatter import FrontMatter, dictionary_paths, split_front_matter
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.source import Format, Source, read_source
from koebin.producers.formats.speaker_names import Cast, Voice
from koebin.tasks.script import LineError, Script

log = logging.getLogger(__name__)


def load_script(
    path: Path,
    narrator: Voice,
    *,
    format: Format | None = None,  # noqa: A002
    dictionaries: Sequence[Path] = (),
    strict: bool = False,
) -> Script:
    """Read a narration from a file.

    Args:
        narrator: speaks whatever the input gives to nobody else.
        format: None: by the file's name, and for ``.txt`` by a look into it.
        strict: refuse what would be left out.
        dictionaries: files that hold besides those the input names; for a word in both, these do.

    Raises:
        InvalidInput: what is wrong, with line and column where there are some.
    """
    source = read_source(path, format)
    if source.encoding != "UTF-8":
        log.warning("%s is read as %s", path.name, source.encoding)
    script = parse_script(source, narrator, dictionaries=dictionaries)
    if strict:
        refuse_omissions(script)
    return script


def refuse_omissions(script: Script) -> None:
    """Nothing of the input may be silent.

    Raises:
        InvalidText: the first part that would be, with its place.
        InvalidScript: a line of a list that cannot be spoken.
    """
    for left in script.left_out:
        raise InvalidText(left.reason, left.text, "Mend it, or leave out --strict", left.line, left.column)
    for error in script.errors:
        raise InvalidScript(error.message, error.item, "", error.line)


def parse_script(source: Source, narrator: Voice, *, dictionaries: Sequence[Path] = ()) -> Script:
    """Turn an input that has been read into a script; see ``load_script``."""
    builder = ScriptBuilder()
    builder.left_out.extend(source.left_out)
    front = FrontMatter(source.text, Cast(narrator))
    if source.format in ("dialogue", "markdown"):
        front = split_front_matter(source.text, front.cast)
    errors = _read(source, front, builder)
    builder.title = front.title or builder.title
    builder.author = front.author or builder.author
    builder.series, builder.volume = front.series or builder.series, front.volume or builder.volume
    if errors and not builder.speaks:
        first = errors[0]
        raise InvalidScript(f"none of the lines can be spoken; the first: {first.message}", line=first.line)
    words = load_dictionaries([*dictionary_paths(front.dictionaries, source.path), *dictionaries])
    return builder.build(dictionary=words, items=source.format in ITEM_FORMATS, errors=errors, output=front.output)


def _read(source: Source, front: FrontMatter, builder: ScriptBuilder) -> Sequence[LineError]:
    """Let the format's own reader, which is imported only now, fill the builder."""
    module, name = _READERS[source.format]
    read = getattr(importlib.import_module(f"koebin.producers.formats.{module}"), name)
    given = (source.path or source.data) if source.format in BINARY_FORMATS else front.body
    if source.format in BINARY_FORMATS and not given:
        raise InvalidScript("the file is empty", hint="Give a whole file")
    arguments = ("\t",) if source.format == "tsv" else ()
    errors: Sequence[LineError] | None = read(given, builder, front.cast, *arguments)
    return errors or ()


ITEM_FORMATS: Final = frozenset(("jsonl", "json", "csv", "tsv"))
"""Every row becomes a file of its own."""
_READERS: Final[Mapping[Format, tuple[str, str]]] = {
    "text": ("text", "read_text"),
    "aozora": ("aozora", "read_aozora"),
    "markdown": ("markdown", "read_markdown"),
    "dialogue": ("dialogue", "read_dialogue"),
    "jsonl": ("jsonl", "read_jsonl"),
    "json": ("jsonl", "read_json"),
    "csv": ("table", "read_table"),
    "tsv": ("table", "read_table"),
    "srt": ("subtitle_scripts", "read_cues"),
    "vtt": ("subtitle_scripts", "read_cues"),
    "ssml": ("ssml", "read_ssml"),
    "html": ("html", "read_html"),
    "fb2": ("fb2", "read_fb2"),
    "epub": ("epub", "read_epub"),
    "docx": ("docx", "read_docx"),
    "pdf": ("pdf", "read_pdf"),
}
"""Module and function of each format."""
