"""``python -m tests.chaos.worker worker …``: the ordinary command, with probes, traps, or stock Celery settings.

Environment: ``CHAOS_DIR`` installs the probes; ``CHAOS_DEAF_SECONDS`` makes the supervisor impatient; ``CHAOS_TRAPS``
    lets
texts kill (毒) or hang (眠) their process; ``CHAOS_SLOW_SECONDS`` makes every segment take so much longer;
``CHAOS_CLOCK_SECONDS`` sets the clock wrong, as soon as there is a file where ``CHAOS_CLOCK_JUMPS`` says if it does;
``CHAOS_IMPORTS`` tells what threads of the parent import;
``CHAOS_STOCK`` takes away what Koebin adds to Celery's guarantees.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import takewhile
from typing import Any, Final

from tests.chaos.probes import FOLDER, install_probes

IMPORTED: Final = "imported by a thread: "


def install_traps() -> None:
    """A sentence with 毒 kills its process, one with 眠 never ends."""
    from koebin.engine.speaker import Speaker

    inner: Callable[..., Iterator[Any]] = Speaker.render

    def render(self: Any, requests: Sequence[Any], go_on: Callable[[], bool] | None = None) -> Iterator[Any]:
        for request in takewhile(lambda _: go_on is None or go_on(), requests):
            if "毒" in request.text:
                os.kill(os.getpid(), signal.SIGKILL)
            if "眠" in request.text:
                time.sleep(3600)
            yield from inner(self, [request])

    Speaker.render = render  # type: ignore[method-assign]


def install_clock(seconds: float) -> None:
    """This process's wall clock is ``seconds`` ahead of the truth, or jumps so far when a certain file appears."""
    true, jumps = time.time, os.environ.get("CHAOS_CLOCK_JUMPS", "")

    def ahead() -> float:
        return seconds if not jumps or os.path.exists(jumps) else 0.0

    time.time = lambda: true() + ahead()
    with contextlib.suppress(ImportError):  # requests to S3 are signed by a clock of their own
        import botocore.auth

        now = botocore.auth.get_current_datetime
        botocore.auth.get_current_datetime = lambda *args, **kwargs: now(*args, **kwargs) + timedelta(seconds=ahead())


class ImportWatch:
    """Says in the log what threads of this process import: a process forked meanwhile may wait for it for ever."""

    def __init__(self) -> None:
        self._parent = os.getpid()

    def find_spec(self, name: str, *_: object) -> None:
        thread = threading.current_thread()
        if thread is not threading.main_thread() and os.getpid() == self._parent:
            os.write(1, f"{IMPORTED}{name} in {thread.name}\n".encode())


def install_slowness(seconds: float) -> None:
    """Every segment of a chunk takes ``seconds`` longer to render, and its key stands in the log when it is stored."""
    import koebin.tasks.running.chunk
    import koebin.tasks.segments.store

    inner: Callable[..., Iterator[Any]] = koebin.tasks.running.chunk._render

    def render(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for rendered in inner(*args, **kwargs):
            time.sleep(seconds)
            yield rendered

    koebin.tasks.running.chunk._render = render
    write = koebin.tasks.segments.store.write

    def told(store: Any, key: str, audio: Any) -> None:
        write(store, key, audio)
        print(f"made {key}", flush=True)

    koebin.tasks.segments.store.write = told


def install_stock() -> None:
    """Celery with late acks and requeueing of lost processes, a visibility timeout of an hour, and nothing else.

    No leases, no renewal, nobody who looks for lost work or watches the worker. What is left: the tasks, the ledger
    with its dispatch, retries after a failure of the store, the store itself.
    """
    import koebin.worker.celery_ext.app
    import koebin.worker.celery_ext.consumer
    from koebin.worker.parent.requeue_lost import LostWork
    from koebin.worker.parent.supervisor import Supervisor
    from koebin.worker.parent.watchdog import Watchdog

    def run_at_once(request: Any, run: Callable[[Any], Any]) -> None:
        run(request)

    def nothing(self: Any) -> None:
        del self

    def nothing_found(self: Any, entries: Any) -> int:
        del self, entries
        return 0

    koebin.worker.celery_ext.consumer.run_leased = run_at_once
    Supervisor._renew = nothing  # type: ignore[method-assign]
    Watchdog._watch = nothing  # type: ignore[method-assign]
    LostWork._requeue_lost = nothing_found  # type: ignore[method-assign]
    configured = koebin.worker.celery_ext.app.create_app

    def create_app(settings: Any) -> Any:
        app = configured(settings)
        transport = dict(app.conf.broker_transport_options)
        for name in ("unacked_restore_interval", "unacked_restore_throttle", "unacked_mutex_expire"):
            transport.pop(name)
        app.conf.broker_transport_options = {**transport, "visibility_timeout": 3600}
        app.conf.visibility_timeout = 3600
        return app

    import koebin.worker.run

    koebin.worker.run.create_app = create_app


def main() -> None:
    if ahead := os.environ.get("CHAOS_CLOCK_SECONDS"):
        install_clock(float(ahead))  # before kombu imports the function
    if os.environ.get("CHAOS_STOCK"):
        install_stock()
    if seconds := os.environ.get("CHAOS_DEAF_SECONDS"):
        import koebin.worker.celery_ext.control
        import koebin.worker.parent.watchdog

        allowed = koebin.worker.celery_ext.control.ALLOWED | {"cancel_consumer"}  # with which a test makes it deaf
        setattr(koebin.worker.celery_ext.control, "ALLOWED", allowed)  # noqa: B010 - likewise
        setattr(koebin.worker.parent.watchdog, "_DEAF_SECONDS", float(seconds))  # noqa: B010 - it is final for everybody else
    if slow := os.environ.get("CHAOS_SLOW_SECONDS"):
        install_slowness(float(slow))
    if os.environ.get("CHAOS_IMPORTS"):
        sys.meta_path.insert(0, ImportWatch())  # type: ignore[arg-type]
    if os.environ.get("CHAOS_TRAPS"):
        install_traps()
    if os.environ.get(FOLDER):
        install_probes()
    from koebin.producers.cli import main as run

    run()


if __name__ == "__main__":
    main()
