"""A state machine that writes whatever it likes into broker and store while ordinary texts flow.

Every ordinary text is spoken, the worker and its process stay, and so do its memory and its descriptors. The long run
is ``pytest -m slow``. ``MESSAGE_MACHINE_RUNS`` makes it longer, and ``MESSAGE_MACHINE_SEED`` gives it another seed.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, ClassVar

import psutil
import pytest
from celery.result import AsyncResult
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from redis import Redis

from koebin.producers.client import Client
from koebin.tasks.settings import Settings
from tests.integration.worker.hostile_messages import envelope, text_request
from tests.servers.redis import RedisServer
from tests.servers.worker import Worker

pytestmark = [pytest.mark.xdist_group("message-machine"), pytest.mark.timeout(900)]

FAST = {"visibility_timeout": 4, "sweep_interval": 0.3, "batch_texts": 4}
PATIENCE = 120.0
"""For a text on a machine that is busy; nothing here is judged by speed."""
GROWTH = 48 << 20

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.just("9" * 5000)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
moments = st.sampled_from(
    ["2020-01-01T00:00:00", "2999-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999", "x", "0001-01-01T00:00:00"]
)
tasks = st.sampled_from(
    ["koebin.synthesize", "koebin.synthesize_chunk", "koebin.assemble", "koebin.render", "celery.map", "shop.publish"]
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "task": tasks | values,
        "id": st.text(max_size=30) | values,
        "eta": moments | values,
        "expires": moments | values,
        "timelimit": st.lists(st.floats() | st.integers() | st.none(), max_size=3) | values,
        "retries": values,
        "compression": st.sampled_from(["gzip", "bz2", "zstd", "application/x-lzma"]) | values,
        "shadow": tasks | values,
        "group": values,
        "chord": values,
        "stamped_headers": values,
        "stamps": values,
        "koebin": values,
        "koebin_sent": values,
        "koebin_signature": values,
        "traceparent": st.just("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") | values,
        "get": values,
    },
)
properties = st.fixed_dictionaries(
    {},
    optional={
        "priority": st.integers() | st.floats() | values,
        "delivery_tag": st.just("the same") | values,
        "delivery_info": st.fixed_dictionaries({"exchange": st.just("") | values, "routing_key": values}) | values,
        "reply_to": values,
        "correlation_id": values,
        "body_encoding": st.sampled_from(["base64", "zip", None]) | values,
    },
)
signatures = st.fixed_dictionaries({"task": tasks, "args": values, "kwargs": values, "options": values}) | values
links = st.dictionaries(
    st.sampled_from(["callbacks", "errbacks", "chain", "chord", "id", "koebin"]),
    st.lists(signatures, max_size=3) | values,
)
bodies = st.binary(max_size=200) | st.builds(
    lambda request, linked: json.dumps([[request], {}, linked]).encode(), values, links
)
requests = st.fixed_dictionaries(
    {
        "text": st.text(max_size=60),
        "speaker": st.sampled_from(["mei", "nobody", "\n"]),
        "store": st.just("STORE") | values,
    },
    optional={"version": values, "options": values, "readings": values, "format": values, "job": st.text(max_size=20),
              "chunk": values, "model_revision": values, "engine_revision": values, "tomorrow": values},
)  # fmt: skip
SPECIAL = [b"", b"[" * 4000, b"{" * 4000, b'{"a":' + b"7" * 6000 + b"}", b"\xff\xfe", b"null", b"[]", b"\x80\x04\x95."]


class World:
    """One server, one worker and one store for all runs."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.server = self._stack.enter_context(RedisServer())
        self.folder = Path(mkdtemp(prefix="koebin-machine-"))
        self.store = (self.folder / "store").as_uri()
        self.worker = self._stack.enter_context(Worker(self.server.url, self.store, "mei", settings=FAST))
        chosen = Settings(broker_url=self.server.url, store=self.store, visibility_timeout=4)
        self.client = self._stack.enter_context(Client(settings=chosen))
        self.redis: Redis = Redis.from_url(self.server.url)
        self.child = self.worker.child()
        self.texts = 0
        self.failures: list[str] = []

    @contextmanager
    def first_failure(self) -> Iterator[None]:
        """Keep what failed first: hypothesis tries it again, on a worker that has been through it."""
        try:
            yield
        except Exception as error:
            self.failures.append(f"{type(error).__name__}: {error}\n{self.worker.text()[-6000:]}")
            raise

    def speak(self) -> None:
        """Send an ordinary text, and wait for it."""
        with self.first_failure():
            self._speak()

    def _speak(self) -> None:
        self.texts += 1
        message = envelope("koebin.synthesize", text_request(f"{self.texts}番目の普通の文です。", self.store))
        self.redis.lpush("speaker.mei", json.dumps(message))
        result: AsyncResult[Any] = AsyncResult(message["headers"]["id"], app=self.client.app)
        assert result.get(timeout=PATIENCE)["uri"].startswith(self.store)

    def stands(self) -> None:
        with self.first_failure():
            assert self.worker.process.poll() is None
            assert self.worker.child() == self.child

    def size(self) -> tuple[int, int]:
        parent = psutil.Process(self.worker.pid)
        return parent.memory_info().rss, parent.num_fds()

    def close(self) -> None:
        self.redis.close()
        self._stack.close()
        rmtree(self.folder, ignore_errors=True)


class Strangers(RuleBasedStateMachine):
    """What others may do to broker and store, as accident or on purpose."""

    world: ClassVar[World]

    @rule(entry=st.binary(max_size=300) | st.sampled_from(SPECIAL))
    def lay_bytes(self, entry: bytes) -> None:
        self.world.redis.lpush("speaker.mei", entry)

    @rule(task=tasks, request=values, found=headers, more=properties, body=st.none() | bodies)
    def lay_envelope(
        self, task: str, request: Any, found: dict[str, Any], more: dict[str, Any], body: bytes | None
    ) -> None:
        message = envelope(task, request, body=body, headers=found, properties=more)
        self.world.redis.lpush("speaker.mei", json.dumps(message))

    @rule(task=tasks, request=requests, found=headers)
    def lay_request(self, task: str, request: dict[str, Any], found: dict[str, Any]) -> None:
        if request["store"] == "STORE":
            request["store"] = self.world.store
        queue = "assemble" if task == "koebin.assemble" else "speaker.mei"
        self.world.redis.lpush(queue, json.dumps(envelope(task, request, headers=found)))

    @rule(whole=values, broken=st.sampled_from(["body", "headers", "properties", "content-type", "content-encoding"]))
    def lay_a_part_of_another_kind(self, whole: Any, broken: str) -> None:
        message = envelope("koebin.synthesize", {}) | {broken: whole}
        self.world.redis.rpush("speaker.mei", json.dumps(message))

    @rule(row=st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()),
          key=st.sampled_from(["koebin:delayed", "koebin:held", "koebin:webhooks", "koebin:jobs"]))  # fmt: skip
    def add_a_row(self, row: bytes, key: str) -> None:
        self.world.redis.zadd(key, {row: 1.0})

    @rule(row=st.binary(max_size=200) | values.map(lambda value: json.dumps([value, "", "speaker.mei"]).encode()))
    def add_an_unacknowledged(self, row: bytes) -> None:
        tag = base64.b64encode(row[:20]).decode()
        self.world.redis.hset("koebin.unacked", tag, row)
        self.world.redis.zadd("koebin.unacked_index", {tag: 1.0})

    @rule(document=values, name=st.sampled_from(["stranger", "w1"]))
    def announce(self, document: Any, name: str) -> None:
        self.world.redis.set(f"koebin:worker:{name}", json.dumps(document), ex=15)
        self.world.redis.sadd("koebin:workers", name)

    @rule(fields=st.dictionaries(st.sampled_from(["state", "store", "speakers", "chunks", "priority", "created"]),
                                 st.text(max_size=12)), job=st.sampled_from(["j1", "j2"]))  # fmt: skip
    def enter_a_job(self, fields: dict[str, str], job: str) -> None:
        self.world.redis.zadd("koebin:jobs", {job: 1.0})
        self.world.redis.hset(f"koebin:job:{job}", mapping={"state": "TOMORROW", **fields})

    @rule(raw=st.binary(max_size=200) | bodies.map(lambda body: json.dumps(envelope("x", {}, body=body)).encode()))
    def broadcast(self, raw: bytes) -> None:
        self.world.redis.publish("/0.koebin.pidbox", raw)

    @rule(data=st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()),
          name=st.sampled_from(["manifest.json", "chunks/000000.json", "chunks/table.json", "done/000000.json",
                                "result.json"]))  # fmt: skip
    def write_a_document(self, data: bytes, name: str) -> None:
        path = self.world.folder / "store" / "jobs" / "j1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    @rule()
    def speak(self) -> None:
        self.world.speak()

    @invariant()
    def it_stands(self) -> None:
        self.world.stands()

    def teardown(self) -> None:
        self.world.speak()
        self.world.stands()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def run(world: World, **chosen: Any) -> None:
    """Run the machine, and see that it has left the worker as it was."""
    Strangers.world = world
    world.speak()
    memory, descriptors = world.size()
    try:
        run_state_machine_as_test(
            Strangers,
            settings=settings(
                deadline=None,
                phases=(Phase.generate,),  # a worker that has been through more cannot be asked to go through less
                suppress_health_check=list(HealthCheck),
                database=None,
                **chosen,
            ),
        )
    except Exception:
        if world.failures:
            pytest.fail(world.failures[0])
        raise
    world.speak()
    after = world.size()
    assert after[0] - memory < GROWTH, f"{(after[0] - memory) >> 20} MiB more"
    assert after[1] <= descriptors + 4


@pytest.mark.slow
def test_ordinary_texts_are_spoken_whatever_lies_beside_them(world: World) -> None:
    run(world, max_examples=2, stateful_step_count=25, derandomize=True)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_a_long_run(world: World) -> None:
    runs = int(os.environ.get("MESSAGE_MACHINE_RUNS", "40"))
    number = int(os.environ.get("MESSAGE_MACHINE_SEED") or secrets.randbelow(1 << 32))
    print(f"MESSAGE_MACHINE_SEED={number} MESSAGE_MACHINE_RUNS={runs}")
    seed(number)(Strangers)
    run(world, max_examples=runs, stateful_step_count=60, derandomize=False)
