"""Shared state of the HTTP door's routes: the client, the keys, the queue of parts, and the live speakers."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from celery import Celery

from koebin.engine.errors import BackendMissing, SpeakerNotServed
from koebin.producers.client import Client
from koebin.producers.http.api_keys import Key, KeyRing
from koebin.producers.http.errors import Forbidden, TooLarge
from koebin.producers.http.rate_limits import Limits
from koebin.producers.http.render_queue import RenderQueue
from koebin.producers.http.result_backends import BACKENDS
from koebin.producers.http.voice_names import VoiceNames
from koebin.tasks.broker.celery_config import configure, sender
from koebin.tasks.broker.fleet import Fleet, ServedSpeaker
from koebin.tasks.contracts import RENDER
from koebin.tasks.settings import Settings

log = logging.getLogger(__name__)

_FLEET_SECONDS: Final = 1.0
_THREADS: Final = 32
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Door:
    """Everything behind the routes.

    Args:
        settings: all of them; ``http_*`` are its own.

    Raises:
        InvalidSettings: the keys' file, a further name of a voice.
        ConfigurationError, BrokerUnavailable: as of ``Client``.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = KeyRing(settings.http_keys)
        self.client = Client(settings=settings)
        self.limits = Limits(self.client.redis)
        self._names = VoiceNames(settings.http_voices)
        self._app = _quiet_app(settings)
        self.queue = RenderQueue(
            self._app,
            sender(self._app, settings.signing_keys()),
            self._window,
            lambda speaker: self._served(self._look(), speaker),
            settings.http_patience,
        )
        self._threads = ThreadPoolExecutor(_THREADS, "koebin-http")
        self._fleet = Fleet()
        self._looked = 0.0

    async def start(self) -> None:
        await self.queue.start()

    async def stop(self) -> None:
        await self.queue.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._app.close()
        self.client.close()

    async def in_thread(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run what blocks."""
        context = contextvars.copy_context()  # with the trace that the request belongs to
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: context.run(call, *args, **kwargs)
        )

    async def fleet(self) -> Fleet:
        """The workers that live now, or did a second ago."""
        if time.monotonic() - self._looked >= _FLEET_SECONDS:
            return await self.in_thread(self._look)
        return self._fleet

    def _look(self) -> Fleet:
        self._fleet, self._looked = self.client.fleet(), time.monotonic()
        return self._fleet

    def _window(self, speaker: str) -> int:
        children = sum(worker.children for worker, _ in self._fleet.speakers().get(speaker, []))
        return self.settings.http_window * max(1, children)

    async def speakers(self, key: Key) -> dict[str, ServedSpeaker]:
        """Speakers that live workers serve and the key may use, by name."""
        served = (await self.fleet()).speakers()
        return {name: served[name][0][1] for name in sorted(served) if key.may_use(name)}

    def further_names(self, key: Key) -> dict[str, str]:
        """Further names of voices, with what each stands for."""
        return self._names.known_to(key)

    async def find_voice(self, key: Key, voice: str) -> tuple[ServedSpeaker, str]:
        """The live speaker and the style that a name means, see ``VoiceNames.find``.

        Raises:
            SpeakerNotServed: also if no worker that serves it is new enough.
        """
        speaker, style = self._names.find(voice, await self.speakers(key), key)
        self._served(self._fleet, speaker.name)
        return speaker, style

    def _served(self, fleet: Fleet, speaker: str) -> None:
        """Raises: SpeakerNotServed: by no worker that knows our task."""
        workers = [worker for worker, _ in fleet.speakers().get(speaker, [])]
        if not workers:
            raise SpeakerNotServed(
                "no live worker serves this voice", speaker, f"Start one with: koebin worker --speakers {speaker}"
            )
        old = [worker.worker for worker in workers if RENDER not in worker.tasks]
        if old:
            raise SpeakerNotServed("a worker is older than this door", old[0], "Upgrade the workers before the door")

    def check_length(self, text: str) -> None:
        """Raises: TooLarge: more characters than an input may have."""
        most = self.settings.http_input_characters
        if len(text) > most:
            raise TooLarge(
                f"the input has {len(text)} characters, more than {most}", "", "Send it in parts, or as a job: /v1/jobs"
            )

    def check_use(self, key: Key, speakers: set[str]) -> None:
        """Raises: Forbidden: a speaker that the key may not use."""
        for name in sorted(speakers):
            if not key.may_use(name):
                raise Forbidden("the key may not use this voice", name, "Use one of GET /v1/audio/voices")

    async def check_formats(self, formats: tuple[str, ...]) -> None:
        """Raises: BackendMissing: a worker that assembles cannot write one of them."""
        fleet = await self.fleet()
        if not fleet.assemblers():
            raise BackendMissing("no live worker assembles", "", "Start one with: koebin worker --assemble")
        fleet.check_formats(formats)


def _quiet_app(settings: Settings) -> Celery:
    app = Celery("koebin-http", set_as_current=False)
    app.loader.override_backends = BACKENDS
    configure(
        app,
        broker=settings.broker_url.get_secret_value(),
        result_backend=settings.result_backend.get_secret_value(),
        visibility_timeout=settings.visibility_timeout,
    )
    return app
