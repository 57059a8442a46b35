"""Plain text: every line is a paragraph."""

from __future__ import annotations

from koebin.producers.formats.markup import MarkupReader, lines, one_line
from koebin.producers.formats.script_builder import ScriptBuilder
from koebin.producers.formats.speaker_names import Cast


def read_text(text: str, builder: ScriptBuilder, cast: Cast) -> None:
    """Add a plain text.

    Raises:
        InvalidScript: a mistake in the markup.
    """
    reader = MarkupReader(builder, cast)
    for number, line in lines(text):
        reader.paragraph(line, one_line(number))
    reader.finish()
