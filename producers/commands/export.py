"""``koebin export``: ONNX graphs from safetensors, for a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from koebin.engine.errors import BackendMissing
from koebin.producers.console import messages_for_mistakes, say


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    source: Annotated[
        Path, typer.Argument(help="An .aivm file, or a voice's folder (config.json, style_vectors.npy, *.safetensors).")
    ],
    target: Annotated[Path, typer.Argument(help="Folder to create.")],
    bert: Annotated[bool, typer.Option("--bert", help="The source is a BERT folder instead of a voice.")] = False,
    quantize: Annotated[bool, typer.Option("--q8/--fp32", help="BERT only: eight-bit weights.")] = True,
) -> None:
    """Export a voice (or BERT) from safetensors to ONNX. Needs the extra `torch`; the exported voice does not."""
    with messages_for_mistakes():
        try:
            from koebin.engine.models.jp_extra.export import export_bert, export_voice
        except ModuleNotFoundError as error:
            hint = "Run: pip install 'koebin[engine,torch]'"
            raise BackendMissing("a package is not installed", error.name or "torch", hint) from error
        if bert:
            export_bert(source, target, quantize=quantize)
        else:
            export_voice(source, target)
        say(str(target))
