"""Everything a run needs: a server, supervised workers, three stores, a client."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import psutil
from redis import Redis

from koebin.producers.client import Client
from koebin.tasks.settings import Settings
from koebin.tasks.stores.base import Store, StoreOptions
from koebin.tasks.stores.uri import open_store
from tests.chaos.faults import StoreKind, small_disk
from tests.chaos.probes import FOLDER, Steps
from tests.chaos.proxy import Proxy
from tests.chaos.voice import NAME, small_voice
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server
from tests.servers.waiting import PATIENCE
from tests.servers.worker import Worker


class Supervised(Worker):
    """A worker that runs with our probes, and the process groups that it has left behind."""

    def __init__(self, *args: object, variables: dict[str, str], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._command[1:4] = ["-m", "tests.chaos.worker"]  # in place of: -P -m koebin
        self._env |= variables
        self.groups: list[int] = []

    def start(self, *, ready: bool = True) -> Worker:
        started = super().start(ready=ready)
        self.groups.append(self.pid)
        return started

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        print(self.text()[-20_000:])  # shown where the test failed
        super().__exit__(kind, error, trace)

    def members(self) -> list[psutil.Process]:
        """Processes of earlier groups that still run: children whose parent died."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                group = os.getpgid(process.pid)
                if group in self.groups and group != self.pid and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


class Supervisor(threading.Thread):
    """Starts a worker again when it has ended, as Compose, systemd or Kubernetes would."""

    def __init__(self, workers: list[Supervised]) -> None:
        super().__init__(name="chaos-supervisor", daemon=True)
        self.workers = workers
        self.starts = 0
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.2):
            for worker in self.workers:
                if worker.process.poll() is not None and not self._ended.is_set():
                    worker.start(ready=False)
                    self.starts += 1

    def end(self) -> None:
        self._ended.set()
        self.join(PATIENCE)


class Arena:
    """Made by ``arena()``.

    Attributes:
        outage_seconds: how long what lasts, lasts; the driver sets it for every run.
        timeout: the visibility timeout.
        small: a small file system, None where none may be mounted.
    """

    def __init__(
        self,
        folder: Path,
        server: RedisServer,
        s3: S3Server | None,
        proxy: Proxy,
        small: Path | None,
        *,
        timeout: float,
        outage_seconds: float,
        stock: bool,
    ) -> None:
        self.folder, self.server, self.proxy, self.outage_seconds, self.timeout = (
            folder,
            server,
            proxy,
            outage_seconds,
            timeout,
        )
        self._small, self._s3, self.stock = small, s3, stock
        self.redis: Redis = Redis.from_url(server.url, socket_timeout=10, socket_connect_timeout=5)
        self.steps = Steps(folder / "steps")
        self.voice = small_voice(folder / "voice")
        self.bucket = s3.bucket() if s3 else ""
        self.workers: list[Supervised] = []
        self.supervisor = Supervisor(self.workers)

    @property
    def small(self) -> Path:
        if self._small is None:
            raise RuntimeError("no small file system here")
        return self._small

    def can(self, kind: str) -> bool:
        """Whether runs on such a store are possible here."""
        return {"s3": self._s3 is not None, "small": self._small is not None}.get(kind, True)

    def root(self, kind: StoreKind) -> str:
        """URI below which runs on such a store keep their objects."""
        match kind:
            case "file":
                return (self.folder / "store").as_uri()
            case "small":
                return self.small.as_uri()
            case "s3":
                return f"s3://{self.bucket}/chaos"

    def settings(self, store: str, *, direct: bool = False) -> dict[str, object]:
        """Settings of workers and clients; ``direct`` goes round the proxy."""
        found: dict[str, object] = {
            "broker_url": self.server.url,
            "store": store,
            "visibility_timeout": self.timeout,
            "sweep_interval": 0.5,
            "grace_period": 1,
        }
        if self._s3:
            found |= {
                "s3_endpoint_url": self._s3.endpoint if direct else self.proxy.endpoint,
                "s3_access_key_id": self._s3.access_key,
                "s3_secret_access_key": self._s3.secret_key,
            }
        return found

    def client(self, store: str) -> Client:
        return Client(settings=Settings.model_validate(self.settings(store, direct=True)))

    def store(self, uri: str) -> Store:
        """The store itself, not through the proxy."""
        if self._s3 is None:
            return open_store(uri)
        options = StoreOptions(
            endpoint=self._s3.endpoint, access_key_id=self._s3.access_key, secret_access_key=self._s3.secret_key
        )
        return open_store(uri, options=options)

    def start_workers(self, count: int) -> None:
        kinds: tuple[StoreKind, ...] = ("file", "small", "s3")
        roots = ",".join(self.root(kind) for kind in kinds if self.can(kind))
        variables = {FOLDER: str(self.steps.folder)} | ({"CHAOS_STOCK": "1"} if self.stock else {})
        for number in range(count):
            worker = Supervised(
                self.server.url,
                self.root("file"),
                f"mei,ken,{NAME}={self.voice}",
                name=f"chaos-{number}",
                settings={
                    **self.settings(self.root("file")),
                    "stores": roots,
                    "bert": self.voice,
                    "cache": self.folder / "cache",
                },
                variables=variables,
            )
            worker.start(ready=False)
            self.workers.append(worker)
        for worker in self.workers:
            worker.wait_ready()
        self.supervisor.start()

    def worker_of(self, pid: int) -> Supervised:
        """The worker whose parent or child has this process id."""
        with contextlib.suppress(ProcessLookupError):
            group = os.getpgid(pid)
            for worker in self.workers:
                if worker.pid == group:
                    return worker
        return self.workers[0]

    def orphans(self) -> list[psutil.Process]:
        return [process for worker in self.workers for process in worker.members()]

    def stop(self) -> None:
        self.steps.reset()
        if self.supervisor.is_alive():
            self.supervisor.end()
        for process in self.orphans():
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        for worker in self.workers:
            worker.destroy()
        self.redis.close()


@contextlib.contextmanager
def arena(
    *, workers: int = 2, timeout: float = 3.0, outage_seconds: float = 4.0, stock: bool = False, s3: bool = True
) -> Iterator[Arena]:
    """Start everything, and leave nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="koebin-chaos-"))
    try:
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(RedisServer(persistence=True))
            bucket = stack.enter_context(S3Server()) if s3 else None
            proxy = stack.enter_context(Proxy(int(bucket.endpoint.rpartition(":")[2]) if bucket else 9))
            small = stack.enter_context(small_disk(folder))
            made = Arena(
                folder, server, bucket, proxy, small, timeout=timeout, outage_seconds=outage_seconds, stock=stock
            )
            stack.callback(made.stop)
            made.start_workers(workers)
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def now() -> float:
    return time.monotonic()
