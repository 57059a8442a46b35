"""``koebin doctor``: diagnosis of settings, broker, workers, store, device and engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import typer
from redis.exceptions import RedisError

from koebin.engine.display import mask_text
from koebin.engine.errors import KoebinError
from koebin.engine.names import check_device
from koebin.producers.commands.common import given, store_argument
from koebin.producers.commands.say import AsJson, StoreOption
from koebin.producers.console import messages_for_mistakes, note, say, say_json
from koebin.producers.exits import FAILED
from koebin.tasks.broker.fleet import fleet
from koebin.tasks.connection import check, connect, missing_rights, takes_writes
from koebin.tasks.settings import Settings, load_settings
from koebin.tasks.stores.base import Finding
from koebin.tasks.stores.uri import open_store
from koebin.worker.child.gpu_claim import candidates, cuda_devices


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(store: StoreOption = None, as_json: AsJson = False) -> None:
    """Check settings, broker, workers, store, dictionary, device, engine: one OK per line; exit code 1 if one fails."""
    with messages_for_mistakes():
        settings = load_settings(**given(store=store_argument(store)))
        findings = [Finding("settings", ok=True, detail="all KOEBIN_* variables are known")]
        for ask in (_broker, _workers, _store, _dictionary, _device, _engine):
            findings += _asked(ask, settings)
        if as_json:
            say_json([{"check": f.check, "ok": f.ok, "detail": mask_text(f.detail), "hint": f.hint} for f in findings])
        else:
            for found in findings:
                say("OK" if found.ok else "FAILED", found.check, mask_text(found.detail))
                if not found.ok and found.hint:
                    note(f"  {found.hint}")
    raise typer.Exit(0 if all(found.ok for found in findings) else FAILED)


def _asked(ask: Callable[[Settings], Iterator[Finding]], settings: Settings) -> list[Finding]:
    try:
        return list(ask(settings))
    except RedisError as error:
        return [Finding(ask.__name__.strip("_"), ok=False, detail=f"the broker refuses the connection: {error}")]
    except KoebinError as error:
        return [Finding(ask.__name__.strip("_"), ok=False, detail=str(error), hint=error.hint)]


def _broker(settings: Settings) -> Iterator[Finding]:
    url = settings.broker_url.get_secret_value()
    if not url:
        from koebin.producers.private_broker import server_binary

        yield Finding("broker", ok=True, detail=f"none configured; a private one would be {server_binary()}")
        return
    client = connect(url, retries=0)
    check(client, settings.masked_broker())
    info = client.info()
    policy = info.get("maxmemory_policy", "noeviction")
    version = info.get("valkey_version") or info.get("redis_version")
    yield Finding("broker", ok=True, detail=f"{settings.masked_broker()}, version {version}")
    if info.get("redis_mode") == "cluster":
        hint = "Use one server with or without replicas, or Redis Sentinel"
        yield Finding("broker mode", ok=False, detail="Redis Cluster is no transport of Celery", hint=hint)
    if not takes_writes(client):
        hint = "Is it a replica, full, or unable to save? See its log"
        yield Finding("broker writes", ok=False, detail="the server takes no writes", hint=hint)
    for lacking in missing_rights(client):
        hint = "Give the user the rights of docs/operations.md, section Redis"
        yield Finding("broker rights", ok=False, detail=f"the user may not use {lacking}", hint=hint)
    if policy != "noeviction":
        hint = "Set maxmemory-policy noeviction; otherwise the server may drop queued work"
        yield Finding("broker memory policy", ok=False, detail=str(policy), hint=hint)


def _workers(settings: Settings) -> Iterator[Finding]:
    url = settings.broker_url.get_secret_value()
    if not url:
        return
    live = fleet(connect(url, retries=0))
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
        yield Finding(f"store {found.check}", found.ok, found.detail or store.uri, found.hint)


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
    try:
        from koebin import TTS
    except ModuleNotFoundError:
        return
    with TTS(device=settings.device, sources=settings.source_options()) as tts:
        audio = tts.load("mei").prepare(warmup=False).speakers["mei"].generate("テストです。")
    yield Finding("engine", ok=audio.duration_seconds > 0.3, detail=f"mei spoke {audio.duration_seconds:.2f} s")
