"""Japanese speech: an engine, a job queue on Celery and Redis, and the client that fills it.

Importing this package loads neither a model runtime nor Open JTalk nor Celery; a name's module is loaded when the name
is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from koebin.engine import errors
    from koebin.engine.audio.audio import Audio
    from koebin.engine.audio.marks import Mark, Marks
    from koebin.engine.errors import KoebinError
    from koebin.engine.options import SynthesisOptions
    from koebin.engine.reading import Reading
    from koebin.engine.request import Request
    from koebin.engine.revision import engine_revision
    from koebin.engine.speaker import Speaker
    from koebin.engine.text.dictionary import Dictionary
    from koebin.engine.tts import TTS
    from koebin.producers.client import Client
    from koebin.producers.job_status import Status
    from koebin.tasks.contracts import Output, Pauses, Result
    from koebin.tasks.jobs.submission import JobOptions
    from koebin.tasks.script import Chapter, Passage, Script
    from koebin.tasks.settings import Settings

__all__ = [
    "TTS",
    "Audio",
    "Chapter",
    "Client",
    "Dictionary",
    "JobOptions",
    "KoebinError",
    "Mark",
    "Marks",
    "Output",
    "Passage",
    "Pauses",
    "Reading",
    "Request",
    "Result",
    "Script",
    "Settings",
    "Speaker",
    "Status",
    "SynthesisOptions",
    "engine_revision",
    "errors",
]

_HOMES: Final = {
    "koebin.engine.audio.audio": ("Audio",),
    "koebin.engine.audio.marks": ("Mark", "Marks"),
    "koebin.engine.reading": ("Reading",),
    "koebin.engine.errors": ("KoebinError",),
    "koebin.engine.options": ("SynthesisOptions",),
    "koebin.engine.request": ("Request",),
    "koebin.engine.revision": ("engine_revision",),
    "koebin.engine.speaker": ("Speaker",),
    "koebin.engine.text.dictionary": ("Dictionary",),
    "koebin.engine.tts": ("TTS",),
    "koebin.producers.client": ("Client",),
    "koebin.producers.job_status": ("Status",),
    "koebin.tasks.contracts": ("Output", "Pauses", "Result"),
    "koebin.tasks.jobs.submission": ("JobOptions",),
    "koebin.tasks.script": ("Chapter", "Passage", "Script"),
    "koebin.tasks.settings": ("Settings",),
}
_MODULE_OF: Final = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "errors":
        return import_module("koebin.engine.errors")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
