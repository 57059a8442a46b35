"""Consumer steps for Celery: queues open once an engine is ready, and every request needs a lease."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from celery import bootsteps
from celery.worker import state
from celery.worker.request import Request
from redis.exceptions import RedisError

from koebin.engine.audio.formats import writable
from koebin.engine.revision import engine_revision
from koebin.tasks.broker.eta_messages import hold
from koebin.tasks.broker.fleet import Announcement, announce
from koebin.tasks.broker.unreadable_messages import keep_unreadable
from koebin.tasks.connection import server_time, takes_writes
from koebin.tasks.contracts import TASKS
from koebin.tasks.message_signing import NO_KEYS, MessageKeys
from koebin.worker.celery_ext.admission import Hold, Refuse, Run, judge
from koebin.worker.celery_ext.gather_texts import MicroBatcher
from koebin.worker.celery_ext.held_leases import HeldLeases
from koebin.worker.celery_ext.leased_request import run_leased
from koebin.worker.celery_ext.refusal import refuse
from koebin.worker.celery_ext.self_test_job import Proving
from koebin.worker.exits import ENGINE
from koebin.worker.parent.run_directory import ChildReport, RunDirectory
from koebin.worker.parent.supervisor import LoopState

log = logging.getLogger(__name__)

_TICK_SECONDS: Final = 0.5
_MAX_FAILED_BUILDS: Final = 3
_PATIENCE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Station:
    """Objects that the parent of a pool works with.

    Attributes:
        keys: that have to have signed a message, if there are any.
        micro_batch_size: most single texts in one micro-batch; 1 runs them one by one.
        instance: tells this worker from another one of its name.
    """

    worker: str
    queues: tuple[str, ...]
    assembles: bool
    run_dir: RunDirectory
    held_leases: HeldLeases
    loop: LoopState
    micro_batch_size: int = 1
    keys: MessageKeys = NO_KEYS
    instance: str = field(default_factory=lambda: secrets.token_hex(4))


_station: list[Station] = []


def install_station(station: Station) -> None:
    """Set the station before the worker starts: Celery creates its steps from classes, without arguments."""
    _station[:] = [station]


class ReadinessStep(bootsteps.StartStopStep):
    """Opens the queues when a pool process has reported its engine, and closes them when no process has one."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        super().__init__(consumer, **kwargs)
        self.enabled = bool(_station)
        self._timer: Any = None
        self._failed: set[int] = set()
        self._texts: MicroBatcher | None = None
        if self.enabled:
            run = consumer.on_task_request
            self._proving = Proving(run)
            if _station[0].micro_batch_size > 1:
                self._texts = MicroBatcher(run, consumer, _station[0].held_leases, _station[0].micro_batch_size)
                run = self._texts.add

            def pass_gate(request: Request) -> None:
                run_leased(request, run)

            consumer.on_task_request = pass_gate
            for name in ("on_unknown_message", "on_unknown_task", "on_invalid_task"):
                setattr(consumer, name, _keep_unknown)
            consumer.on_decode_error = _refuses_undecodable(consumer.app)
            consumer.connect = _patient(consumer.connect)
            consumer.create_task_handler = _admitting(consumer, consumer.create_task_handler)

    def start(self, consumer: Any) -> None:
        consumer.task_consumer.on_decode_error = consumer.on_decode_error
        consumer.pool.did_start_ok = _failed_builds_are_counted
        self._drop_texts()
        _station[0].held_leases.keep_only({request.id for request in state.active_requests})
        self._close(consumer)
        self._timer = consumer.timer.call_repeatedly(_TICK_SECONDS, self._tick, (consumer,))
        self._tick(consumer)

    def stop(self, consumer: Any) -> None:
        del consumer
        _station[0].loop.consuming = ()
        self._drop_texts()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    shutdown = stop

    def _drop_texts(self) -> None:
        """Give back the texts that no process has begun: the connection is lost, or the worker shuts down."""
        if self._texts is not None:
            self._texts.drop()

    def _tick(self, consumer: Any) -> None:
        station = _station[0]
        station.loop.ticked = time.monotonic()
        reports = station.run_dir.reports()
        ready = [report for report in reports if report.ready]
        doubted = [report for report in reports if report.doubt and not ready]
        station.loop.doubt = doubted[0].doubt if doubted else ""
        if doubted:
            self._proving.ask()
        elif ready:
            self._proving.trusted()
        else:
            self._give_up_after_failures(reports)
        station.loop.announcement = self._announcement(ready or doubted, len(ready)) if ready or doubted else None
        station.loop.child = (ready or doubted)[0].pid if ready or doubted else 0
        if ready and not station.loop.consuming:
            self._open(consumer)
        elif not ready and station.loop.consuming:
            self._close(consumer)

    def _announcement(self, reports: list[ChildReport], ready: int) -> Announcement:
        station = _station[0]
        return Announcement(
            worker=station.worker,
            engine_revision=engine_revision(),
            children=ready,
            assembles=station.assembles,
            speakers=reports[0].speakers,
            formats=writable(),
            tasks=TASKS,
            problem="" if ready else reports[0].doubt,
            instance=station.instance,
        )

    def _give_up_after_failures(self, reports: list[ChildReport]) -> None:
        self._failed |= {report.pid for report in reports if not report.ready and not report.doubt}
        if len(self._failed) >= _MAX_FAILED_BUILDS:
            reason = next(report.reason for report in reports if not report.ready)
            log.critical(
                "the engine could not be built, %d times in a row; the worker exits: %s", len(self._failed), reason
            )
            setattr(state, "should_stop", ENGINE)  # noqa: B010 - the stub allows None only

    def _open(self, consumer: Any) -> None:
        """Announce the worker, then consume: nobody is to see it take work that has not heard of it."""
        if (announcement := _station[0].loop.announcement) is not None:
            with contextlib.suppress(RedisError):  # the supervisor says it again
                announce(_station[0].held_leases.leases.redis, announcement)
        for queue in _station[0].queues:
            consumer.add_task_queue(queue)
        _station[0].loop.consuming = _station[0].queues
        self._failed.clear()
        log.info("ready; consuming %s", ", ".join(_station[0].queues))

    def _close(self, consumer: Any) -> None:
        if _station[0].loop.doubt:
            log.error("takes nothing until it has proved itself: %s", _station[0].loop.doubt)
            self._drop_texts()
        for queue in list(consumer.app.amqp.queues.consume_from):
            consumer.cancel_task_queue(queue)
        _station[0].loop.consuming = ()


def _failed_builds_are_counted() -> bool:
    """Keep Celery from exiting with code 1 if a process has died before the loop begins.

    An engine that fails at once may or may not be seen there. ``_tick`` counts and logs every failure instead.
    """
    return True


def _patient(connect: Callable[[], Any]) -> Callable[[], Any]:
    """Wait with consuming while Redis refuses writes (a full server, a replica). The engine stays in memory: a worker
    that exits would have to build it again.
    """

    def when_it_takes_writes() -> Any:
        told = False
        while not _takes_writes():
            if not told:
                log.error(
                    "Redis is full or read-only; this worker waits until it accepts writes. Check its memory and disk."
                )
            told = True
            state.maybe_shutdown()
            time.sleep(_PATIENCE_SECONDS)
        return connect()

    return when_it_takes_writes


def _takes_writes() -> bool:
    try:
        return takes_writes(_station[0].held_leases.leases.redis)
    except RedisError:
        return True  # it does not answer: the connection step reports that


def _admitting(consumer: Any, make: Callable[..., Callable[[Any], None]]) -> Callable[..., Callable[[Any], None]]:
    """Every message is judged before Celery makes a request of it; none may end the loop, whatever it is."""

    def create_task_handler(**kwargs: Any) -> Callable[[Any], None]:
        handle = make(**kwargs)

        def on_message(message: Any) -> None:
            try:
                _admit(consumer, message, handle)
            except (*consumer.connection_errors, RedisError, OSError):
                raise
            except Exception as error:
                log.exception("an unreadable message was set aside (see koebin dead)")
                _keep_unknown(None, message, error)

        return on_message

    return create_task_handler


def _admit(consumer: Any, message: Any, handle: Callable[[Any], None]) -> None:
    redis = _station[0].held_leases.leases.redis
    verdict = judge(message, lambda: server_time(redis), _station[0].keys)
    if isinstance(verdict, Run):
        message.headers = verdict.headers
        handle(message)
    elif isinstance(verdict, Hold):
        log.info("held for %.0f s, until its ETA", verdict.due - time.time(), extra={"task_id": message.headers["id"]})
        payload = message._raw | {"headers": verdict.headers}
        hold(redis, message.delivery_info["routing_key"], message.properties["priority"], payload, verdict.due)
        message.ack()
    else:
        refuse(consumer.app, redis, message, verdict)


def _keep_unknown(body: Any, message: Any, error: object = "neither a task nor anything else that we know") -> None:
    """Keep a message that no task of ours takes, and acknowledge it: it must not come back for ever."""
    reason = f"{type(error).__name__}: {error}" if isinstance(error, Exception) else str(error)
    log.error("unreadable message set aside (see koebin dead): %s", reason)
    keep_unreadable(_station[0].held_leases.leases.redis, reason, message.body or repr(body))
    if not message.acknowledged:
        message.ack()


def _refuses_undecodable(app: Any) -> Callable[[Any, Exception], None]:
    def on_decode_error(message: Any, error: Exception) -> None:
        refuse(app, _station[0].held_leases.leases.redis, message, Refuse(error))

    return on_decode_error
