"""``koebin doctor``: diagnosis of settings, broker, workers, store, device and engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import typer
from redis.exceptions import RedisError

from koebin.engine.checked_names import check_device
from koebin.engine.display import mask, mask_text
from koebin.engine.errors import KoebinError
from koebin.producers.commands.doctor_machine import decoder, folders, packages
from koebin.producers.commands.say import AsJson, StoreOption
from koebin.producers.commands.shared_options import given, store_argument
from koebin.producers.console import EXTRAS, messages_for_mistakes, note, say, say_json
from koebin.producers.exits import FAILED
from koebin.tasks.broker.fleet import Fleet, fleet
from koebin.tasks.broker_findings import broker_findings
from koebin.tasks.connection import check, connect, refusal
from koebin.tasks.settings import Settings, load_settings
from koebin.tasks.stores.base import Finding
from koebin.tasks.stores.uri import open_store
from koebin.worker.child.gpu_claim import candidates, cuda_devices
from koebin.worker.requested_voices import RequestedVoice, voices


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(store: StoreOption = None, as_json: AsJson = False) -> None:
    """Check settings, folders, broker, workers, store, dictionary, device and the voices of KOEBIN_SPEAKERS.

    One OK per line; what fails is named, with what to do. Exit code 1 if something fails.
    """
    with messages_for_mistakes():
        settings = load_settings(**given(store=store_argument(store)))
        voices(settings)
        settings.signing_keys()
        findings = [Finding("settings", ok=True, detail="all KOEBIN_* variables are known")]
        for ask in (packages, folders, decoder, _broker, _result_backend, _store, _dictionary, _device, _engine):
            findings += _asked(ask, settings)
        if as_json:
            say_json([{"check": f.check, "ok": f.ok, "detail": mask_text(f.detail), "hint": f.hint} for f in findings])
        else:
            for found in findings:
                detail = found.detail.removesuffix(f". {found.hint}")
                say("OK" if found.ok else "FAILED", found.check, mask_text(detail))
                if not found.ok and found.hint:
                    note(f"  {found.hint}")
    raise typer.Exit(0 if all(found.ok for found in findings) else FAILED)


def _asked(ask: Callable[[Settings], Iterator[Finding]], settings: Settings) -> list[Finding]:
    """Findings of one kind, up to the first error, which is one itself."""
    found: list[Finding] = []
    name = ask.__name__.strip("_").replace("_", " ")
    try:
        for finding in ask(settings):
            found.append(finding)
    except RedisError as error:
        meant = refusal(error, settings.masked_broker())
        found.append(Finding(name, ok=False, detail=str(meant), hint=meant.hint))
    except KoebinError as error:
        found.append(Finding(name, ok=False, detail=str(error), hint=error.hint))
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0], "engine")
        hint = f"Run: pip install 'koebin[{extra}]'"
        found.append(Finding(name, ok=False, detail=f"{error.name} is not installed", hint=hint))
    except OSError as error:
        hint = "Correct the path, or the rights of this user"
        found.append(Finding(name, ok=False, detail=f"{error.strerror}: {error.filename}", hint=hint))
    return found


def _broker(settings: Settings) -> Iterator[Finding]:
    url = settings.broker_url.get_secret_value()
    if not url:
        from koebin.producers.private_broker import server_binary

        yield Finding("broker", ok=True, detail=f"none configured; a private one would be {server_binary()}")
        return
    client = connect(url, retries=0)
    check(client, settings.masked_broker())
    yield from broker_findings(client, settings.masked_broker())
    yield from _workers(fleet(client))


def _result_backend(settings: Settings) -> Iterator[Finding]:
    url = settings.result_backend.get_secret_value()
    if url and url != settings.broker_url.get_secret_value():
        try:
            check(connect(url, retries=0), mask(url))
        except KoebinError as error:
            hint = error.hint.replace("KOEBIN_BROKER_URL", "KOEBIN_RESULT_BACKEND")
            yield Finding("result backend", ok=False, detail=f"{error.what}: {mask(url)}", hint=hint)
            return
        yield Finding("result backend", ok=True, detail=mask(url))


def _workers(live: Fleet) -> Iterator[Finding]:
    served = ", ".join(sorted(live.speakers())) or "no speaker"
    hint = "Start one with: koebin worker --speakers mei --assemble"
    ready = [worker for worker in live.workers if worker.children]
    yield Finding("workers", ok=bool(ready), detail=f"{len(ready)} ready, serving {served}", hint=hint)
    for worker in live.workers:
        if worker.problem:
            hint = "It takes nothing until it has proved itself: mend that on its machine"
            yield Finding(f"worker {worker.worker}", ok=False, detail=worker.problem, hint=hint)


def _store(settings: Settings) -> Iterator[Finding]:
    store = open_store(settings.store_uri(), options=settings.store_options())
    for found in store.probe():
        yield Finding(found.check, found.ok, found.detail or store.uri, found.hint)


def _dictionary(settings: Settings) -> Iterator[Finding]:
    del settings
    try:
        from koebin.engine.text.frontend import analyze
    except ModuleNotFoundError as error:
        detail = f"{error.name} is not installed"
        yield Finding("dictionary", ok=False, detail=detail, hint="Run: pip install 'koebin[engine]'")
        return
    reading = "".join(node.pron for node in analyze("東京都").nodes).replace("’", "")
    yield Finding("dictionary", ok=reading.startswith("トーキョー"), detail=f"東京都 is read {reading}")


def _device(settings: Settings) -> Iterator[Finding]:
    if not check_device(settings.device).startswith("cuda"):
        return
    names = cuda_devices()
    usable = [names[number] for number in candidates(settings.device, len(names))]
    yield Finding("device", ok=True, detail=f"{settings.device}: {', '.join(usable)}")


def _engine(settings: Settings) -> Iterator[Finding]:
    """The voices that the settings name, loaded as a worker loads them; else a built-in one."""
    try:
        from koebin.engine.tts import TTS
    except ModuleNotFoundError:
        return
    with TTS(device=settings.device, sources=settings.source_options(), bert_source=settings.bert) as tts:
        for voice in voices(settings) or (RequestedVoice("mei", None),):
            speaker = tts.load(voice.name, voice.source).prepare(warmup=False).speakers[voice.name]
            spoken = speaker.generate("テストです。").duration_seconds
            yield Finding("engine", ok=spoken > 0.3, detail=f"{voice.name} spoke {spoken:.2f} s")
