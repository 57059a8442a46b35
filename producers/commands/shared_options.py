"""Options and helpers that several commands share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from koebin.engine.checked_names import BUILTIN_SPEAKERS, PUBLISHED_SPEAKERS, check_speaker, nearest
from koebin.engine.errors import InvalidOption, StoreDenied, StoreFull, UnknownSpeaker
from koebin.engine.home import expanded
from koebin.engine.options import SynthesisOptions
from koebin.producers.client import Client
from koebin.producers.console import note
from koebin.producers.private_broker import embedded
from koebin.tasks.settings import Settings, load_settings
from koebin.tasks.stores.uri import open_store


def given(**values: Any) -> dict[str, Any]:
    """Options from the command line; the others stay with the environment."""
    return {name: value for name, value in values.items() if value is not None}


def options_from(
    style: str | None, speed: float | None, pitch: float | None, volume: float | None, seed: int | None
) -> SynthesisOptions:
    """Synthesis options. Raises: InvalidOption: out of range."""
    return SynthesisOptions(**given(style=style, speed=speed, pitch=pitch, volume=volume, seed=seed))


def store_argument(value: str | None) -> str | None:
    """Store URI; on a command line a folder may be written as a path."""
    if value is None or "://" in value:
        return value
    return expanded(value).resolve().as_uri()


@contextmanager
def client_for(speakers: Sequence[str], store: str | None) -> Iterator[Client]:
    """Client of the configured broker; without one, of a private broker that ends with the command."""
    settings = load_settings(**given(store=store_argument(store)))
    check_writable(settings)
    if settings.broker_url.get_secret_value():
        with Client(settings=settings) as client:
            yield client
        return
    names = list(dict.fromkeys(speakers))
    check_known(names, settings)
    note(f"No broker is configured: starting a private server and a worker for {', '.join(names)} …")
    configured = {entry.partition("=")[0]: entry for entry in settings.speakers}
    served = [configured.get(name, name) for name in names]
    with embedded(served, settings.store_uri(), {}) as started:
        private = settings.model_copy(update={"broker_url": _secret(started.broker_url)})
        with Client(settings=private) as client:
            yield client


def _secret(url: str) -> Any:
    from pydantic import SecretStr

    return SecretStr(url)


def check_known(names: Sequence[str], settings: Settings) -> None:
    """Check a speaker's name before anything is started.

    Raises:
        UnknownSpeaker: neither built in, nor published under that name, nor given a source.
    """
    from koebin.worker.requested_voices import voices

    sources = {voice.name for voice in voices(settings) if voice.source}
    known = {*BUILTIN_SPEAKERS, *PUBLISHED_SPEAKERS, *sources}
    for name in names:
        if check_speaker(name) not in known:
            close = " or ".join(nearest(name, known)) or ", ".join(BUILTIN_SPEAKERS)
            hint = f"Did you mean {close}? For a voice of your own set KOEBIN_SPEAKERS={name}=URI"
            raise UnknownSpeaker("no such speaker", name, hint)


def check_writable(settings: Settings) -> None:
    """Check that the store can be written before anything is started.

    Raises:
        StoreDenied, StoreFull, StoreUnavailable: with the reason.
    """
    store = open_store(settings.store_uri(), options=settings.store_options())
    for finding in store.probe():
        if not finding.ok:
            kind = StoreFull if "space" in finding.detail.lower() else StoreDenied
            raise kind(f"the store cannot be used: {finding.check}: {finding.detail}", store.uri, finding.hint)


def one_of(value: str, allowed: Sequence[str], name: str) -> str:
    """Check a value against a list. Raises: InvalidOption: it is not in the list."""
    if value not in allowed:
        raise InvalidOption(f"no such {name}", value, f"Use {', '.join(allowed)}")
    return value
