"""Engine of a pool process: built and warmed up at its start, then reported as ready or failed."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

from koebin.engine.errors import KoebinError
from koebin.engine.observer import listen
from koebin.engine.revision import engine_revision
from koebin.tasks.broker.celery_config import sender
from koebin.tasks.broker.fleet import ServedSpeaker
from koebin.tasks.broker.leases import Leases
from koebin.tasks.broker.preemption import Preemption
from koebin.tasks.connection import connect
from koebin.tasks.jobs.ledger import Ledger
from koebin.tasks.observer import Observer
from koebin.tasks.own_folder import own_folder
from koebin.tasks.running.process_doubts import Doubts
from koebin.tasks.running.runtime import Runtime, install
from koebin.tasks.settings import Settings
from koebin.tasks.traces import set_up_traces
from koebin.worker.celery_ext.pool import last_in_new_process
from koebin.worker.child.allowed_stores import store_opener
from koebin.worker.child.gpu_claim import claim_device, cuda_devices
from koebin.worker.child.load_voices import load_voices
from koebin.worker.child.memory import gpu_memory, map_large_blocks
from koebin.worker.child.self_test import Proof, install_proof
from koebin.worker.child.stop_signal import leave_group_signals_to_parent
from koebin.worker.exits import ENGINE
from koebin.worker.parent.run_directory import ChildReport, RunDirectory
from koebin.worker.queues import queues
from koebin.worker.requested_voices import voices

if TYPE_CHECKING:
    from koebin.engine.speaker import Speaker
    from koebin.worker.child.metrics import Metrics

log = logging.getLogger(__name__)

_SPEED_TEXTS: Final = ("今日は朝から良い天気で、風も穏やかです。", "駅前の店で、温かいお茶を一杯いただきました。") * 2


def build_in_children(
    app: Celery, settings: Settings, run_dir: RunDirectory, metrics: Metrics | None, name: str = ""
) -> None:
    """Build the engine in every pool process as it starts, never in the parent: CUDA, ONNX Runtime and Open JTalk do
    not survive a fork.
    """

    def start(**_: object) -> None:
        try:
            _build(app, settings, run_dir, metrics, name)
        except BaseException as error:
            reason = str(error) if isinstance(error, KoebinError) else f"{type(error).__name__}: {error}"
            log.critical("the engine cannot be built: %s", reason, exc_info=not isinstance(error, KoebinError))
            run_dir.report(ChildReport(os.getpid(), ready=False, reason=reason))
            os._exit(ENGINE)

    def stop(pid: int, **_: object) -> None:
        run_dir.discard(pid)

    last_in_new_process(lambda: leave_group_signals_to_parent(run_dir.path / "drain"))
    worker_process_init.connect(start, weak=False)
    worker_process_shutdown.connect(stop, weak=False)


def _build(app: Celery, settings: Settings, run_dir: RunDirectory, metrics: Metrics | None, name: str) -> None:
    started = time.monotonic()
    run_dir.clear_scratch()
    set_up_traces(settings.traces, "koebin-worker")
    map_large_blocks()
    wanted = voices(settings)
    redis = connect(settings.broker_url.get_secret_value())
    tts = load_voices(settings, _own_device(settings)) if wanted else None
    speakers: dict[str, Speaker] = {voice.name: tts.speakers[voice.name] for voice in wanted} if tts else {}
    opener = store_opener(settings)
    served: list[ServedSpeaker] = []

    def say(lacking: str) -> None:
        """Tell the parent whether this process is to be given work."""
        report = ChildReport(os.getpid(), ready=not lacking, speakers=tuple(served), doubt=lacking)
        run_dir.report(report)

    doubts = Doubts(say)
    install(
        Runtime(
            redis=redis,
            ledger=Ledger(redis),
            leases=Leases(redis, settings.visibility_timeout),
            speakers=speakers,
            engine_revision=engine_revision(),
            open_store=opener,
            send=sender(app, settings.signing_keys(), redis),
            drain_deadline=run_dir.drain_deadline,
            work_dir=run_dir.scratch,
            more_urgent=Preemption(redis, queues(settings)).claim,
            observer=metrics or Observer(),
            worker=name,
            doubts=doubts,
        )
    )
    if metrics is not None:
        listen(metrics)
        metrics.watch_tasks(gpu_memory(tts.device) if tts else None)
    named = {voice.name: voice.display_name for voice in wanted if voice.display_name}
    served += [_named(_served(speaker), named) for speaker in speakers.values()]

    def answer(lacking: str) -> None:
        say(lacking)
        if not lacking:
            doubts.proved()

    proof = Proof(redis, opener, settings.store_roots(), speakers, run_dir.path, answer)
    install_proof(proof)
    proof.run()
    log.info("engine ready after %.1f s: %s", time.monotonic() - started, ", ".join(speakers) or "assembling only")


def _own_device(settings: Settings) -> str:
    folder = own_folder(settings.run_folder()) / "devices"
    return claim_device(settings.device, folder, cuda_devices, shared=settings.device_shared)


def _named(served: ServedSpeaker, names: Mapping[str, str]) -> ServedSpeaker:
    """With the display name that the voices file gives; it wins over the voice's own."""
    return replace(served, display_name=names.get(served.name, served.display_name))


def _served(speaker: Speaker) -> ServedSpeaker:
    return ServedSpeaker(
        name=speaker.name,
        styles=tuple(speaker.styles),
        sample_rate_hz=speaker.sample_rate_hz,
        model_revision=speaker.revision,
        speed_factor=_measure(speaker),
        display_name=speaker.card.name[:200],
        licence=speaker.card.licence_title,
        creators=speaker.card.creators[:100],
    )


def _measure(speaker: Speaker) -> float:
    """Speed in audio seconds per wall second, from a few sentences; it decides the size of chunks."""
    from koebin.engine.request import Request

    started = time.monotonic()
    seconds = sum(audio.duration_seconds for audio in speaker.render([Request(text) for text in _SPEED_TEXTS]))
    return round(seconds / max(1e-3, time.monotonic() - started), 2)
