"""Start of ``koebin worker``: one parent, one pool process, one engine."""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import TYPE_CHECKING, Final

from koebin.engine.errors import InvalidSettings
from koebin.tasks.broker.celery_config import sender
from koebin.tasks.broker.leases import Leases
from koebin.tasks.connection import check, connect
from koebin.tasks.jobs.ledger import Ledger
from koebin.tasks.jobs.webhooks import Webhooks
from koebin.tasks.settings import Settings
from koebin.worker.broker_start import look_at_broker
from koebin.worker.celery_ext.app import create_app
from koebin.worker.celery_ext.consumer import Station, install_station
from koebin.worker.celery_ext.held_leases import HeldLeases
from koebin.worker.celery_ext.leased_request import install_held_leases
from koebin.worker.child.allowed_stores import store_opener
from koebin.worker.child.engine_process import build_in_children
from koebin.worker.exits import OK
from koebin.worker.logs import set_up_logs
from koebin.worker.native_output import native_output_as_records
from koebin.worker.parent.announcer import LOOK_SECONDS, Announcer
from koebin.worker.parent.health import health_text
from koebin.worker.parent.repeating_thread import RepeatingThread
from koebin.worker.parent.requeue_lost import LostWork
from koebin.worker.parent.run_directory import RunDirectory, worker_folder
from koebin.worker.parent.shutdown import connect_shutdown
from koebin.worker.parent.supervisor import LoopState, Supervisor
from koebin.worker.parent.watchdog import STEP_SECONDS, Watchdog
from koebin.worker.parent.webhook_sender import WebhookSender
from koebin.worker.queues import queues
from koebin.worker.requested_voices import voices

if TYPE_CHECKING:
    from koebin.worker.child.metrics import Metrics

log = logging.getLogger(__name__)

_EVENT_HEARTBEAT_SECONDS: Final = 10.0
"""Of Celery's events, for Flower; announcements say to Koebin that a worker lives."""


def run_worker(settings: Settings, name: str = "") -> int:
    """Run a worker until it is asked to stop.

    Returns:
        An exit code, see ``koebin.worker.exits``.

    Raises:
        InvalidSettings: nothing to serve, or no broker.
        BrokerUnavailable: the broker does not answer.
    """
    served = voices(settings)
    if not served and not settings.assemble:
        raise InvalidSettings("this worker has nothing to serve", "", "Give --speakers NAME,… or --assemble")
    if not settings.broker_url.get_secret_value():
        raise InvalidSettings("KOEBIN_BROKER_URL is not set", "", "Set it to redis://host:6379/0")
    with native_output_as_records() as stream:
        set_up_logs(settings, stream)
        return _run(settings, name)


def _run(settings: Settings, name: str) -> int:
    redis = connect(settings.broker_url.get_secret_value())
    check(redis, settings.masked_broker())
    look_at_broker(redis, settings.masked_broker())
    run_dir = RunDirectory(
        worker_folder(settings.run_folder(), os.getpid()), worker_folder(settings.scratch_folder(), os.getpid())
    )
    run_dir.create()
    try:
        return _serve(settings, name or f"koebin-{os.getpid()}@{socket.gethostname()}", run_dir)
    finally:
        run_dir.remove()


def _serve(settings: Settings, name: str, run_dir: RunDirectory) -> int:
    app = create_app(settings)
    redis = connect(settings.broker_url.get_secret_value(), retries=1)
    leases = Leases(redis, settings.visibility_timeout)
    metrics = _metrics(settings, run_dir)
    held_leases, loop = (
        HeldLeases(leases, Ledger(redis), metrics),
        LoopState(ticked=time.monotonic() + settings.load_timeout),
    )
    install_held_leases(held_leases)
    install_station(
        Station(
            name,
            queues(settings),
            settings.assemble,
            run_dir,
            held_leases,
            loop,
            settings.micro_batch_size(),
            settings.signing_keys(),
        )
    )
    build_in_children(app, settings, run_dir, metrics, name)
    watchdog = Watchdog(
        redis,
        held_leases,
        loop,
        stuck_seconds=settings.visibility_timeout,
        load_seconds=settings.load_timeout,
        health=lambda problem: run_dir.write(
            "health.json",
            health_text(problem=problem, consuming=loop.consuming, doubt=loop.doubt),
        ),
    )
    lost_work = LostWork(redis, leases, sender(app, settings.signing_keys(), redis), settings.sweep_interval)
    announcer = Announcer(redis, loop)

    def requeue() -> None:
        if loop.announcement is not None and not loop.stopping:
            lost_work.run()

    supervisor = Supervisor(
        held_leases,
        settings.visibility_timeout / 6,
        (
            RepeatingThread("lost-work", requeue, settings.sweep_interval, at_end=lost_work.end),
            RepeatingThread("announcer", announcer.step, LOOK_SECONDS, at_end=announcer.withdraw),
            RepeatingThread("watchdog", watchdog.step, STEP_SECONDS, consequence="the worker waits for it"),
        ),
    )
    webhook_sender = WebhookSender(
        Webhooks(redis),
        store_opener(settings),
        secret=settings.webhook_secret.get_secret_value(),
        private=settings.webhook_private,
        interval_seconds=min(settings.sweep_interval, 5.0),
    )
    connect_shutdown(settings.grace_period, run_dir, loop)
    worker = app.Worker(
        hostname=name,
        loglevel=settings.log_level,
        without_mingle=True,
        without_gossip=True,
        heartbeat_interval=_EVENT_HEARTBEAT_SECONDS,
        quiet=True,
    )
    if metrics is not None:
        from koebin.worker.parent.metrics_endpoint import Present, serve

        serve(metrics, Present(held_leases, loop), settings.metrics_host, settings.metrics_port)
    supervisor.start()
    webhook_sender.start()
    worker.start()
    webhook_sender.end()
    supervisor.end()
    return int(worker.exitcode or OK)


def _metrics(settings: Settings, run_dir: RunDirectory) -> Metrics | None:
    """Metrics, None if they are switched off. Raises: InvalidSettings: the package for them is not installed."""
    if not settings.metrics_port:
        return None
    try:
        from koebin.worker.child.metrics import Metrics
    except ModuleNotFoundError as error:
        hint = "Install koebin[metrics], or unset KOEBIN_METRICS_PORT"
        raise InvalidSettings(
            "KOEBIN_METRICS_PORT is set, but prometheus-client is not installed", str(error.name), hint
        ) from error
    return Metrics(run_dir.folder("metrics"), [voice.name for voice in voices(settings)])
