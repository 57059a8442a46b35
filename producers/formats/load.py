"""Any input as a script."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from koebin.engine.errors import InvalidScript
from koebin.producers.formats.builder import ScriptBuilder
from koebin.producers.formats.dictionary import load_dictionaries
from koebin.producers.formats.frontmatter import FrontMatter, dictionary_paths, split_front_matter
from koebin.producers.formats.source import Format, Source, read_source
from koebin.producers.formats.voice import Cast, Voice
from koebin.tasks.script import LineError, Script

log = logging.getLogger(__name__)


def load_script(
    path: Path,
    narrator: Voice,
    *,
    format: Format | None = None,  # noqa: A002
    dictionaries: Sequence[Path] = (),
) -> Script:
    """Read a narration from a file.

    Args:
        narrator: speaks whatever the input gives to nobody else.
        format: None: by the file's name, and for ``.txt`` by a look into it.
        dictionaries: files that hold besides those the input names; for a word in both, these do.

    Raises:
        InvalidInput: what is wrong, with line and column where there are some.
    """
    source = read_source(path, format)
    if source.encoding != "UTF-8":
        log.warning("%s is read as %s", path.name, source.encoding)
    return parse_script(source, narrator, dictionaries=dictionaries)


def parse_script(source: Source, narrator: Voice, *, dictionaries: Sequence[Path] = ()) -> Script:
    """Turn an input that has been read into a script; see ``load_script``."""
    builder = ScriptBuilder()
    front = FrontMatter(source.text, Cast(narrator))
    if source.format in ("dialogue", "markdown"):
        front = split_front_matter(source.text, front.cast)
    errors = _read(source, front, builder)
    builder.title = front.title or builder.title
    builder.author = front.author or builder.author
    if errors and not builder.speaks:
        first = errors[0]
        raise InvalidScript(f"none of the lines can be spoken; the first: {first.message}", line=first.line)
    words = load_dictionaries([*dictionary_paths(front.dictionaries, source.path), *dictionaries])
    return builder.build(dictionary=words, items=source.format == "jsonl", errors=errors, output=front.output)


def _read(source: Source, front: FrontMatter, builder: ScriptBuilder) -> Sequence[LineError]:
    """Let the format's own reader, which is imported only now, fill the builder."""
    match source.format:
        case "text":
            from koebin.producers.formats.text import read_text

            read_text(front.body, builder, front.cast)
        case "aozora":
            from koebin.producers.formats.aozora import read_aozora

            read_aozora(front.body, builder, front.cast)
        case "dialogue":
            from koebin.producers.formats.dialogue import read_dialogue

            read_dialogue(front.body, builder, front.cast)
        case "markdown":
            from koebin.producers.formats.markdown import read_markdown

            read_markdown(front.body, builder, front.cast)
        case "ssml":
            from koebin.producers.formats.ssml import read_ssml

            read_ssml(front.body, builder, front.cast)
        case "jsonl":
            from koebin.producers.formats.jsonl import read_jsonl

            return read_jsonl(front.body, builder, front.cast)
        case "epub":
            from koebin.producers.formats.epub import read_epub

            if source.path is None:
                raise InvalidScript("an EPUB is read from a file", hint="Give its path")
            read_epub(source.path, builder, front.cast)
    return ()
