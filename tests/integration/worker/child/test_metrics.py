"""``/metrics`` of a real worker: true, complete, readable while it works, and never going backwards."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from koebin.producers.client import Client
from koebin.tasks.settings import Settings
from tests.integration.queue_texts import numbered
from tests.servers.ports import free_ports, wait_for_port
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import Worker

TIMEOUT = 60.0
SENTENCES = 120
"""So many that a process which has stored four is still at work when it is killed."""
MONITORING = Path(__file__).parents[4] / "deploy/monitoring"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(port: int) -> Samples:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
        text = answer.read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


class Scraper(threading.Thread):
    """Scrapes without a pause, and keeps everything."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.seen: list[Samples] = []
        self._end = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while not self._end.wait(0.05):
                self.seen.append(scrape(self.port))
        except Exception as error:
            self.error = error

    def end(self) -> list[Samples]:
        self._end.set()
        self.join(PATIENCE)
        assert self.error is None
        return self.seen


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture
def worker(redis_server: RedisServer, tmp_path: Path, port: int) -> Iterator[Worker]:
    settings = {"metrics_port": port, "visibility_timeout": TIMEOUT, "sweep_interval": 0.5}
    with Worker(redis_server.url, (tmp_path / "store").as_uri(), settings=settings) as running:
        yield running


@pytest.fixture
def client(redis_server: RedisServer, tmp_path: Path, worker: Worker) -> Iterator[Client]:
    settings = Settings(broker_url=redis_server.url, store=(tmp_path / "store").as_uri(), visibility_timeout=TIMEOUT)
    with Client(settings=settings) as connected:
        yield connected


@pytest.mark.slow
def test_it_says_what_was_done_and_survives_the_child(worker: Worker, client: Client, port: int) -> None:
    scraper = Scraper(port)
    scraper.start()
    first = client.submit(numbered(SENTENCES), speaker="mei", job_id="first")
    wait_until(lambda: value(scrape(port), "koebin_stage_seconds_count", stage="store") > 3)
    worker.signal_child(signal.SIGKILL)
    client.wait(first, timeout=PATIENCE)
    client.wait(client.submit(numbered(SENTENCES), speaker="mei", job_id="second"), timeout=PATIENCE)
    wait_until(lambda: value(scrape(port), "koebin_task_seconds_count", task="koebin.assemble") == 2)
    wait_until(lambda: value(scrape(port), "koebin_leases") == 0)
    seen = scraper.end()
    now = scrape(port)

    assert value(now, "koebin_segments_total", speaker="mei", outcome="reused") >= SENTENCES
    rendered = value(now, "koebin_segments_total", speaker="mei", outcome="rendered")
    assert 0 < rendered <= SENTENCES
    assert value(now, "koebin_audio_seconds_total", speaker="mei") > 5
    speed = value(now, "koebin_audio_seconds_total", speaker="mei") / value(
        now, "koebin_synthesis_seconds_total", speaker="mei"
    )
    assert 0 < speed < 500
    assert value(now, "koebin_worker_speed_factor", speaker="mei") > 0
    assert value(now, "koebin_errors_total", error="WorkerLostError") == 1
    for stage in ("front_end", "decoder", "encode", "store"):
        assert value(now, "koebin_stage_seconds_count", stage=stage) >= rendered, stage
    chunks = sum(client.status(job).chunks for job in ("first", "second"))
    waits = value(now, "koebin_queue_wait_seconds_count", task="koebin.synthesize_chunk")
    assert waits == chunks, "the chunk whose process was lost waited once"
    assert value(now, "koebin_task_seconds_count", task="koebin.assemble") == 2
    assert value(now, "koebin_worker_ready") == 1
    assert value(now, "koebin_resident_memory_bytes", process="child") > 50e6
    assert value(now, "koebin_resident_memory_bytes", process="parent") > 20e6
    assert value(now, "koebin_leases") == 0

    assert len(seen) > 5
    assert max(value(samples, "koebin_leases") for samples in seen) == 1
    assert max(value(samples, "koebin_lease_renewal_age_seconds") for samples in seen) < TIMEOUT
    for before, after in pairwise(seen):
        for key, count in before.items():
            if key[0].endswith(("_total", "_count", "_sum", "_bucket")):
                assert after.get(key, 0.0) >= count, f"{key} went backwards"


@pytest.mark.slow
def test_single_texts_run_in_batches_and_say_how_long_they_waited(
    redis_server: RedisServer, tmp_path: Path, port: int
) -> None:
    store = (tmp_path / "store").as_uri()
    many = {"metrics_port": port, "batch_texts": 8}
    requests = [{"text": f"{number}番です。", "speaker": "mei", "store": store} for number in range(24)]
    with Client(settings=Settings(broker_url=redis_server.url, store=store)) as client:
        sent = [
            client.app.send_task(
                "koebin.synthesize", args=[request], queue="speaker.mei", headers={"koebin_sent": time.time()}
            )
            for request in requests
        ]
        with Worker(redis_server.url, store, settings=many):
            seconds = sum(result.get(timeout=PATIENCE)["duration_seconds"] for result in sent)
            wait_until(lambda: value(scrape(port), "koebin_task_seconds_count", task="koebin.synthesize") == 24)
            now = scrape(port)
    assert value(now, "koebin_queue_wait_seconds_count", task="koebin.synthesize") == 24
    assert value(now, "koebin_segments_total", speaker="mei", outcome="rendered") == 24
    assert value(now, "koebin_segments_total", speaker="mei", outcome="reused") == 0
    assert value(now, "koebin_audio_seconds_total", speaker="mei") >= seconds
    batches = value(now, "koebin_batch_fill_ratio_count", kind="texts")
    assert 0 < batches < 24
    assert value(now, "koebin_batch_fill_ratio_sum", kind="texts") == 24 / 8


def named() -> set[str]:
    """The metrics that alerts and dashboard ask for."""
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
    dashboard = json.loads((MONITORING / "grafana/dashboards/koebin.json").read_text())
    queries = [rule["expr"] for rule in rules]
    queries += [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return {name for query in queries for name in re.findall(r"\b(?:koebin|flower)_[a-z_]+\b", query)}


def test_alerts_and_dashboard_ask_only_for_what_is_there(
    redis_server: RedisServer, worker: Worker, port: int, tmp_path: Path
) -> None:
    backlog_port = free_ports(1)[0]
    environment = {**os.environ, "KOEBIN_BROKER_URL": redis_server.url}
    command = [sys.executable, "-P", "-m", "koebin", "backlog", "--listen", str(backlog_port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as backlog:
        try:
            wait_for_port(backlog_port, backlog)
            there = {name for port in (port, backlog_port) for name, _ in scrape(port)}
        finally:
            backlog.terminate()
    # Flower's own, and what needs a GPU or a container with a limit: the last test shows those.
    assert named() - there <= {"flower_events_total", "koebin_gpu_memory_bytes", "koebin_memory_limit_bytes"}
    assert there & named()


def test_memory_of_a_gpu_and_of_a_container(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from redis import Redis
from koebin.tasks.broker.leases import Leases
from koebin.tasks.jobs.ledger import Ledger
from koebin.worker.parent import metrics_endpoint
from koebin.worker.parent.supervisor import LoopState
from koebin.worker.child.metrics import Metrics
from koebin.worker.celery_ext.leased_request import HeldLeases

metrics = Metrics(Path({str(tmp_path)!r}), ["mei"])
metrics.watch_tasks(lambda: {{"allocated": 3, "reserved": 5, "total": 7}})
metrics_endpoint.memory_limit = lambda: 11
registry = CollectorRegistry()
MultiProcessCollector(registry, {str(tmp_path)!r})
registry.register(metrics_endpoint.Present(HeldLeases(Leases(Redis(), 1.0), Ledger(Redis())), LoopState(ticked=0.0)))
print(generate_latest(registry).decode())
"""
    shown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert 'koebin_gpu_memory_bytes{kind="reserved"} 5.0' in shown
    assert "koebin_memory_limit_bytes 11.0" in shown


@pytest.mark.slow
def test_the_port_is_free_again_though_a_child_outlives_the_parent(worker: Worker, port: int) -> None:
    def listens(pid: int) -> bool:
        return any(connection.laddr.port == port for connection in psutil.Process(pid).net_connections("tcp"))

    assert listens(worker.pid)
    assert not listens(worker.child())


@pytest.mark.slow
def test_it_costs_nothing_when_it_is_off(redis_server: RedisServer, tmp_path: Path) -> None:
    with Worker(redis_server.url, (tmp_path / "store").as_uri()) as running:
        assert list((running.folder / "run").glob("*/health.json"))
        assert not list((running.folder / "run").glob("*/metrics"))
    loaded = (
        "import sys, koebin.worker.run, koebin.worker.child.engine_process\n"
        "sys.exit('prometheus_client' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", loaded], check=True)


def test_a_scrape_imports_nothing(tmp_path: Path) -> None:
    """A thread answers; a pool process that is forked while a thread imports waits for that import's lock for ever."""
    (port,) = free_ports(1)
    script = f"""
import sys
import urllib.request
from pathlib import Path

from redis import Redis
from koebin.tasks.broker.leases import Leases
from koebin.tasks.jobs.ledger import Ledger
from koebin.worker.parent.metrics_endpoint import Present, serve
from koebin.worker.parent.supervisor import LoopState
from koebin.worker.child.metrics import Metrics
from koebin.worker.celery_ext.leased_request import HeldLeases

present = Present(HeldLeases(Leases(Redis(), 1.0), Ledger(Redis())), LoopState(ticked=0.0))
serve(Metrics(Path({str(tmp_path)!r}), ["mei"]), present, "127.0.0.1", {port})
before = set(sys.modules)
assert b"engine_revision" in urllib.request.urlopen("http://127.0.0.1:{port}/metrics").read()
print([name for name in sys.modules.keys() - before if name.startswith("koebin.")])
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
