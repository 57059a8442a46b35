"""Whatever lies in a store: every command ends, with an answer or with an error of our tree, and so does every task."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from koebin.engine.errors import KoebinError
from koebin.engine.text.dictionary import Dictionary
from koebin.producers.client import Client
from koebin.tasks import celery_tasks, store_keys
from koebin.tasks.broker.delayed_messages import Message
from koebin.tasks.contracts import Quality
from koebin.tasks.jobs.garbage_collection import survey
from koebin.tasks.jobs.submission import JobOptions, submit
from koebin.tasks.priorities import PRIORITIES
from koebin.tasks.running.runtime import Runtime
from koebin.tasks.script import Passage, Script
from koebin.tasks.settings import Settings
from tests.integration.toy_voice import TARGET, announce_toy, toy_runtime
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.xdist_group("store_fuzz")]

JOB = "fuzzed"
TEXT = "".join(f"これは{number}番目の、少しばかり長い文です。" for number in range(1, 13))
DOCUMENTS = (
    store_keys.manifest(JOB),
    f"jobs/{JOB}/chunks/table.json",
    store_keys.chunk(JOB, 0),
    store_keys.done(JOB, 0),
    store_keys.done(JOB, 1),
    store_keys.result(JOB),
    "the dictionary",
    "a segment's marks",
)


class Bench:
    """A job in a local store, half done, that is laid anew for every example, with all that looks at it."""

    def __init__(self, redis: Redis, url: str, folder: Path) -> None:
        self.redis, self.root, self.pristine = redis, folder / "store", folder / "pristine"
        self.sent: list[Message] = []
        self.stumbles: list[str] = []
        self.runtime: Runtime = toy_runtime(redis, folder, self.sent)
        self.client = Client(settings=Settings(broker_url=url, store=self.root.as_uri()))
        self.client._send = self.sent.append
        dictionary = Dictionary.from_json(json.dumps([{"surface": "番目", "reading": "バンメ"}]))
        script = Script([Passage(TEXT, "mei")], dictionary=dictionary)
        job_options = JobOptions(quality=Quality(takes=2), priority=PRIORITIES["batch"])
        submit(redis, self.client.store, self.sent.append, JOB, script, job_options, {"mei": TARGET})
        self.revision = dictionary.revision
        self.run_what_was_sent()
        outputs = list(self.client.store.list(f"jobs/{JOB}/out/"))
        for key in [store_keys.done(JOB, 1), store_keys.result(JOB), *outputs]:
            self.client.store.delete(key)
        shutil.copytree(self.root, self.pristine)

    def lay_anew(self) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(self.pristine, self.root)
        self.redis.flushall()
        announce_toy(self.redis)
        self.sent.clear()
        self.stumbles.clear()

    def path(self, document: str) -> Path:
        match document:
            case "the dictionary":
                return self.root / store_keys.dictionary(self.revision)
            case "a segment's marks":
                return min(self.root.glob("segments/*/*.json"))
            case _:
                return self.root / document

    def run_what_was_sent(self) -> None:
        for _ in range(100):
            if not self.sent:
                return
            message = self.sent.pop(0)
            task: Any = (
                celery_tasks.synthesize_chunk
                if message.task == celery_tasks.SYNTHESIZE_CHUNK
                else celery_tasks.assemble
            )
            task.apply(args=[message.request], task_id=message.task_id)
        raise AssertionError("messages without end")

    def look_at_everything(self) -> None:
        client = self.client
        steps: list[Callable[[], object]] = [
            lambda: client.status(JOB),
            lambda: client.outcome(JOB),
            lambda: client.storage(JOB, with_segments=True),
            lambda: survey(client.store, self.redis, 0.0, margin=0.0),
            lambda: client.resume(JOB),
            self.run_what_was_sent,
            lambda: client.wait(JOB, 0.0),
            self.run_what_was_sent,
            lambda: client.result(JOB),
            lambda: client.redrive(JOB),
            self.run_what_was_sent,
            lambda: client.cancel(JOB),
        ]
        for step in steps:
            with suppress(KoebinError, TimeoutError):
                step()
        assert not self.stumbles


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with RedisServer() as server:
        redis: Redis = Redis.from_url(server.url)
        made = Bench(redis, server.url, tmp_path_factory.mktemp("fuzz"))

        class Stumbles(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if "unexpected error" in record.getMessage():
                    made.stumbles.append(self.format(record))

        handler = Stumbles()
        logging.getLogger("tasks").addHandler(handler)
        yield made
        logging.getLogger("tasks").removeHandler(handler)
        made.client.close()
        redis.close()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def spots(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside a document."""
    found = [path]
    rows = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    for name, value in rows:
        found += spots(value, (*path, name))
    return found


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with one value changed."""
    if not path:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = changed(document[path[0]], path[1:], value)
    return copy


FUZZ = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(st.sampled_from(DOCUMENTS), st.data())
def test_a_document_with_another_value_somewhere(bench: Bench, document: str, data: st.DataObject) -> None:
    bench.lay_anew()
    path = bench.path(document)
    if document == store_keys.result(JOB):
        source: Any = {"version": 1, "job": JOB, "state": "SUCCEEDED", "error": "", "files": []}
    elif document == store_keys.done(JOB, 1):
        source = json.loads((bench.root / store_keys.done(JOB, 0)).read_text()) | {
            "dead": [{"key": "0" * 64, "line": 1}]
        }
    else:
        source = json.loads(path.read_text())
    spot = data.draw(st.sampled_from(spots(source)))
    path.write_text(json.dumps(changed(source, spot, data.draw(json_values))))
    bench.look_at_everything()


@FUZZ
@given(st.sampled_from(DOCUMENTS), st.binary(max_size=60) | st.sampled_from([b"", b"null", b"[" * 200_000, b"\xff"]))
def test_a_document_that_is_garbage(bench: Bench, document: str, garbage: bytes) -> None:
    bench.lay_anew()
    bench.path(document).write_bytes(garbage)
    bench.look_at_everything()


@FUZZ
@given(
    st.sampled_from([d for d in DOCUMENTS if d not in (store_keys.done(JOB, 1), store_keys.result(JOB))]),
    st.floats(0.0, 1.0),
)
def test_a_document_that_is_cut_off_or_missing(bench: Bench, document: str, share: float) -> None:
    bench.lay_anew()
    path = bench.path(document)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))]) if share else path.unlink()
    bench.look_at_everything()


names = st.binary(min_size=1, max_size=30).map(lambda raw: raw.replace(b"/", b"_").replace(b"\0", b"_"))
folders = st.sampled_from(["", "jobs", f"jobs/{JOB}", f"jobs/{JOB}/done", f"jobs/{JOB}/chunks", "segments"])
numbers = st.sampled_from([b"999999.json", b"-1.json", b"x.json", b"1e3.json", b"000001.json.json"])


@FUZZ
@given(
    st.lists(
        st.tuples(
            folders,
            names | numbers,
            st.binary(max_size=20),
        ),
        max_size=6,
    )
)
def test_strange_names_beside_our_own(bench: Bench, found: list[tuple[str, bytes, bytes]]) -> None:
    bench.lay_anew()
    for folder, name, content in found:
        if name.strip(b".") and not os.path.exists(os.path.join(os.fsencode(bench.root / folder), name)):
            Path(os.fsdecode(os.path.join(os.fsencode(bench.root / folder), name))).write_bytes(content)
    assert bench.client.resume(JOB)
    bench.run_what_was_sent()
    outcome = bench.client.wait(JOB, 0.0)
    assert outcome.result is not None
    assert outcome.segments.total == 12
    bench.look_at_everything()
