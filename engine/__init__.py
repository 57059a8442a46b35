"""Japanese speech: text in, samples and timings out.

Importing this package loads neither a model runtime nor Open JTalk; the names below arrive when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine import errors
from engine.errors import KoebinError
from engine.marks import Mark, Marks
from engine.options import SynthesisOptions
from engine.privacy import keep_private

if TYPE_CHECKING:
    from engine.audio import Audio
    from engine.content import Reading
    from engine.request import Request
    from engine.revision import engine_revision
    from engine.speaker import Speaker
    from engine.text.dictionary import Dictionary
    from engine.tts import TTS

__all__ = [
    "TTS",
    "Audio",
    "Dictionary",
    "KoebinError",
    "Mark",
    "Marks",
    "Reading",
    "Request",
    "Speaker",
    "SynthesisOptions",
    "engine_revision",
    "errors",
]

_HOMES = {
    "TTS": "engine.tts",
    "Audio": "engine.audio",
    "Dictionary": "engine.text.dictionary",
    "Reading": "engine.content",
    "Request": "engine.request",
    "Speaker": "engine.speaker",
    "engine_revision": "engine.revision",
}


keep_private()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
