"""Celery application of workers: tasks, configuration and the steps of the consumer."""

from __future__ import annotations

from functools import partial
from typing import Final

from celery import Celery

from koebin.tasks.broker.celery_config import configure
from koebin.tasks.redis_keys import ASSEMBLE_QUEUE
from koebin.tasks.settings import Settings
from koebin.worker.celery_ext.child_retirement import retirement
from koebin.worker.celery_ext.consumer import ReadinessStep
from koebin.worker.celery_ext.control import restrict_control
from koebin.worker.celery_ext.queue_order import QueueOrder
from koebin.worker.celery_ext.result_backends import BACKENDS
from koebin.worker.celery_ext.sign_published import sign_published
from koebin.worker.celery_ext.transport import install_transport

ROUND_SECONDS: Final = 10.0
"""Least time that a worker which cannot hold all its voices stays with a loaded voice. Then the longest wait goes
first."""


def create_app(settings: Settings) -> Celery:
    """An app with our tasks, our configuration and our step in its consumer. It connects to nothing yet."""
    install_transport()
    restrict_control()
    sign_published(settings.signing_keys())
    app = Celery(
        "koebin",
        task_cls="koebin.worker.celery_ext.leased_request:LeasedTask",
        include=["koebin.tasks.celery_tasks"],
    )
    app.loader.override_backends = BACKENDS
    configure(
        app,
        broker=settings.broker_url.get_secret_value(),
        result_backend=settings.result_backend.get_secret_value(),
        visibility_timeout=settings.visibility_timeout,
    )
    app.conf.broker_transport_options["queue_order_strategy"] = partial(
        QueueOrder,
        settings.micro_batch_size(),
        ROUND_SECONDS if 0 < settings.max_loaded < len(settings.speakers) else 0.0,
    )
    app.conf.update(
        broker_channel_error_retry=True,  # a server that is full, or a replica for a while, takes no writes
        # What it declares as it starts: not the queue of other applications, to which it may have no right.
        task_default_queue=ASSEMBLE_QUEUE,
        worker_concurrency=1,
        worker_pool="koebin.worker.celery_ext.pool:Prefork",
        worker_proc_alive_timeout=settings.load_timeout,
        task_time_limit=settings.time_limit,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        **retirement(settings),
    )
    app.steps["consumer"].add(ReadinessStep)
    app.set_default()
    return app
