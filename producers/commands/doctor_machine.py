"""Findings of ``koebin doctor`` about this machine: packages, room, folders."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from koebin.engine.bfloat16_units import bfloat16_units, why_no_bfloat16
from koebin.engine.checked_names import BUILTIN_SPEAKERS
from koebin.engine.home import expanded
from koebin.producers.console import EXTRAS
from koebin.tasks.own_folder import own_folder
from koebin.tasks.settings import Settings
from koebin.tasks.stores.base import Finding
from koebin.worker.child.free_resources import lacking_room
from koebin.worker.requested_voices import voices

_DESCRIPTORS: Final = 200
"""Of a process: connections, segments that are joined, voices that are mapped."""


def packages(settings: Settings) -> Iterator[Finding]:
    """Packages that the settings ask for and that are not installed."""
    for package, why in _wanted(settings):
        if importlib.util.find_spec(package) is None:
            hint = f"Run: pip install 'koebin[{EXTRAS[package]}]'"
            yield Finding("packages", ok=False, detail=f"{why} needs {package}, which is not installed", hint=hint)


def _wanted(settings: Settings) -> Iterator[tuple[str, str]]:
    for root in settings.store_roots():
        if root.startswith("s3://"):
            yield "boto3", f"the store {root}"
    if settings.metrics_port:
        yield "prometheus_client", "KOEBIN_METRICS_PORT"
    if settings.device.startswith("cuda"):
        yield "torch", "KOEBIN_DEVICE"
    for voice in voices(settings):
        if (voice.source or "").startswith("s3://"):
            yield "boto3", f"the voice {voice.name}"
        elif (voice.source or "").startswith("hf://"):
            yield "huggingface_hub", f"the voice {voice.name}"


def decoder(settings: Settings) -> Iterator[Finding]:
    """Arithmetic of decoders, if it is another than float32 that is asked for on a CPU."""
    if settings.decoder == "float32" or settings.device != "cpu":
        return
    if settings.decoder != "bfloat16":
        hint = "Set KOEBIN_DECODER=bfloat16 or float32, or KOEBIN_DEVICE=cuda"
        yield Finding("decoder", ok=False, detail=f"{settings.decoder} is for CUDA; it is float32", hint=hint)
        return
    why = why_no_bfloat16()
    hint = "Run: pip install 'koebin[bfloat16]'" if bfloat16_units() else "Set KOEBIN_DECODER=float32"
    detail = f"float32 instead of bfloat16: {why}" if why else f"bfloat16 by {', '.join(bfloat16_units())}"
    yield Finding("decoder", ok=not why, detail=detail, hint=hint if why else "")


def folders(settings: Settings) -> Iterator[Finding]:
    """The run folder, the room on its disk, and the cache if something is to be fetched into it."""
    run = own_folder(settings.run_folder())
    yield Finding("run folder", ok=True, detail=str(run))
    for detail, hint in lacking_room(run, _DESCRIPTORS):
        yield Finding("room", ok=False, detail=detail, hint=hint)
    cache = expanded(settings.cache)
    if "cache" in settings.model_fields_set or any(_is_fetched(voice.name, voice.source) for voice in voices(settings)):
        reason = _why_not_writable(cache)
        hint = "Set KOEBIN_CACHE to a folder that this user may write to"
        yield Finding("cache", ok=not reason, detail=f"{cache}: {reason or 'can be written'}", hint=hint)


def _is_fetched(name: str, source: str | None) -> bool:
    if source is None:
        return name not in BUILTIN_SPEAKERS
    return "://" in source and not source.startswith("file://")


def _why_not_writable(folder: Path) -> str:
    """Why a folder cannot be made or written to, "" if it can; nothing is made."""
    present = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not present.is_dir():
        return f"{present} is not a folder"
    return "" if os.access(present, os.W_OK | os.X_OK) else f"{present} may not be written to"
