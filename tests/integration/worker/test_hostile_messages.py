"""Messages that end or starve a worker of stock Celery: each is run, refused with a result, held or parked."""

from __future__ import annotations

import base64
import bz2
import gc
import json
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
from celery import Celery, chain, chord, group
from celery.exceptions import NotRegistered
from celery.result import AsyncResult
from redis import Redis

from koebin.producers.client import Client
from koebin.tasks.redis_keys import priority_list
from koebin.tasks.settings import Settings
from tests.integration.worker.hostile_messages import envelope, text_request
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import Worker

pytestmark = [pytest.mark.xdist_group("hostile")]

FAST = {"visibility_timeout": 3, "sweep_interval": 0.3, "batch_texts": 4}
QUEUE = "speaker.mei"
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return (tmp_path_factory.mktemp("hostile") / "store").as_uri()


@pytest.fixture(scope="module")
def worker(server: RedisServer, store: str) -> Iterator[Worker]:
    with Worker(server.url, store, "mei", settings=FAST) as running:
        yield running


@pytest.fixture(scope="module")
def redis(server: RedisServer) -> Iterator[Redis]:
    client: Redis = Redis.from_url(server.url)
    yield client
    client.close()


@pytest.fixture(scope="module")
def client(server: RedisServer, store: str, worker: Worker) -> Iterator[Client]:
    with Client(settings=Settings(broker_url=server.url, store=store, visibility_timeout=3)) as connected:
        yield connected
        gc.collect()  # results end while their connection is open


class Sender:
    """Lays messages into the queue of mei, and sends ordinary texts."""

    def __init__(self, client: Client, redis: Redis, store: str, worker: Worker) -> None:
        self.client, self.redis, self.store, self.worker = client, redis, store, worker
        self.child = worker.child()

    def lay(self, message: Any) -> AsyncResult[Any]:
        raw = message if isinstance(message, bytes | str) else json.dumps(message)
        self.redis.lpush(QUEUE, raw)
        task_id = message["headers"].get("id") if isinstance(message, dict) else None
        usable = isinstance(task_id, str) and task_id.isprintable() and task_id
        return AsyncResult(task_id if usable else "none", app=self.client.app)

    def text(self, **changes: Any) -> dict[str, Any]:
        """An ordinary text that no other test has sent, as an envelope with such changes."""
        return envelope("koebin.synthesize", text_request(f"{next(_NUMBERS)}。", self.store), **changes)

    def is_spoken(self) -> None:
        """An ordinary text is spoken by the worker that was there before, and its process."""
        result = self.lay(self.text())
        assert result.get(timeout=PATIENCE)["uri"].startswith(self.store)
        assert self.worker.process.poll() is None
        assert self.worker.child() == self.child, "the worker's process was replaced"

    def parked(self) -> int:
        return len(self.client.unreadable_messages())


@pytest.fixture
def sender(client: Client, redis: Redis, store: str, worker: Worker) -> Sender:
    return Sender(client, redis, store, worker)


def outcome(result: AsyncResult[Any]) -> str:
    """The result, or the error in its place."""
    try:
        return str(result.get(timeout=PATIENCE))
    except Exception as error:
        return str(error)


@cache
def bomb() -> bytes:
    """A gigabyte in a few kilobytes."""
    return bz2.compress(b"0" * (1 << 26)) * 16


def eta(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_what_has_an_eta_is_held_outside_of_the_worker(sender: Sender, redis: Redis) -> None:
    """Many more than a worker lets in; more than one text is spoken after them, and each in its time."""
    redis.delete("koebin:held")
    for _ in range(20):
        sender.lay(sender.text(headers={"eta": eta(3600)}))
    for _ in range(3):
        sender.is_spoken()
    wait_until(lambda: redis.zcard("koebin:held") == 20, what="not all are held")
    wait_until(lambda: not redis.exists("koebin.unacked"), what="a message is left unacknowledged")
    assert sum(found.texts for found in _backlog(redis)) == 20
    redis.delete("koebin:held")


def _backlog(redis: Redis) -> list[Any]:
    from koebin.tasks.jobs.backlog import backlog

    return list(backlog(redis).values())


@pytest.mark.slow
def test_an_eta_beyond_the_visibility_timeout_is_kept_once_and_run_in_its_time(sender: Sender, redis: Redis) -> None:
    due = datetime.now(UTC) + timedelta(seconds=7)  # the visibility timeout is 3
    message = sender.text(headers={"eta": due.isoformat()}, properties={"priority": 3})
    result = sender.lay(message)
    wait_until(lambda: redis.zcard("koebin:held") == 1)
    assert result.get(timeout=PATIENCE)["uri"]
    assert datetime.now(UTC) >= due
    assert not redis.exists("koebin:held")
    assert sender.worker.text().count("held for") >= 1


def test_an_eta_keeps_what_is_linked(sender: Sender, redis: Redis) -> None:
    app = sender.client.app
    last = app.signature("shop.publish", queue="shop")
    first = app.signature(
        "koebin.synthesize", args=[text_request("連なりの文です。", sender.store)], queue=QUEUE, countdown=1, link=last
    )
    assert first.apply_async().get(timeout=PATIENCE)["uri"]
    wait_until(lambda: redis.llen("shop") == 1, what="what was linked was not sent")
    redis.delete("shop")


@pytest.mark.parametrize(
    "value", ["soon", 17, "9999999-01-01", ["a"], {"a": 1}, "2026-13-01", "2999-01-01T00:00:00+00:00"]
)
def test_an_eta_that_is_no_date_is_refused(sender: Sender, value: object) -> None:
    with pytest.raises(Exception, match="eta"):
        sender.lay(sender.text(headers={"eta": value})).get(timeout=PATIENCE)
    sender.is_spoken()


@pytest.mark.parametrize("limit", [[0.001, None], [1e-9, 1e-9], [None, 0.001], [0, 0], [1e300, 5]])
def test_a_tiny_time_limit_ends_no_process(sender: Sender, limit: list[Any]) -> None:
    request = text_request("長い文を読みます。" * 40 + str(limit), sender.store)
    message = envelope("koebin.synthesize", request, headers={"timelimit": limit})
    assert sender.lay(message).get(timeout=PATIENCE)["uri"]
    sender.is_spoken()


@pytest.mark.parametrize("limit", ["x", 5, [1], ["a", None], [-1, None], [[1], 2], [True, {}]])
def test_time_limits_of_another_kind_are_refused_or_ignored(sender: Sender, limit: object) -> None:
    result = sender.lay(sender.text(headers={"timelimit": limit}))
    assert "uri" in outcome(result) or "time limit" in outcome(result)
    sender.is_spoken()


@pytest.mark.parametrize("depth", [101, 200, 900, 990, 5000, 100_000])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_body_nested_deeply_is_refused(sender: Sender, depth: int, brackets: tuple[bytes, bytes]) -> None:
    opening, closing = brackets
    inner = opening * depth + (b"1" if opening != b"[" else b"") + closing * depth
    for body in (b"[[" + inner + b"],{},{}]", b"[[],{}," + inner + b"]", b'[[],{},{"chord":' + inner + b"}]"):
        with pytest.raises(Exception, match=r"nested|links|signature"):
            sender.lay(envelope("koebin.synthesize", None, body=body)).get(timeout=PATIENCE)
    sender.is_spoken()


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"\x00",
        b"\xff\xfe\x00",
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"a":' + b"7" * 6000 + b"}",
        b'{"headers":' + b"7" * 600_000 + b"}",
        b"7" * 6000,
        b"-1e99999",
        b"NaN",
        b"null",
        b'"text"',
        b"{}",
        b"[]",
        b"[{}, {}, {}]",
        b'{"body": null, "headers": null, "properties": null}',
        b'{"properties": {"delivery_tag": "x", "delivery_info": {"exchange": "", "routing_key": "koebin:jobs"}}}',
        b'"\\ud800"',
        b'{"a": "\\u0000"}',
        b"\x80\x04\x95.",
        b"{" + b" " * (13 << 20) + b"}",
    ],
    ids=lambda entry: repr(entry[:20]),
)
def test_an_entry_that_is_no_message_is_parked(sender: Sender, redis: Redis, entry: bytes) -> None:
    before = sender.parked()
    sender.lay(entry)
    wait_until(lambda: sender.parked() == before + 1, what="it was not parked")
    sender.is_spoken()
    wait_until(lambda: not redis.exists("koebin.unacked"), what="a message is left unacknowledged")


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("application/x-bz2", bomb),
        ("bzip2", bomb),
        ("application/x-gzip", lambda: zlib.compress(b"0" * (1 << 28))),
        ("application/zstd", lambda: b"anything"),
        ("nothing", lambda: b"anything"),
    ],
    ids=["bz2", "bzip2", "gzip", "zstd", "unknown"],
)
def test_what_is_compressed_is_refused_unread(sender: Sender, name: str, packed: Callable[[], bytes]) -> None:
    before = _peak(sender.worker.pid)
    with pytest.raises(Exception, match="compressed"):
        sender.lay(envelope("koebin.synthesize", None, body=packed(), headers={"compression": name})).get(
            timeout=PATIENCE
        )
    assert _peak(sender.worker.pid) - before < 100 << 20
    sender.is_spoken()


@pytest.mark.parametrize("encoding", ["bz2", "zip", "hex", "rot13", "utf-7", "binary", "idna", "", None, 7, ["a"], {}])
def test_another_encoding_is_refused_unread(sender: Sender, encoding: object) -> None:
    before = _peak(sender.worker.pid)
    message = sender.text(body=bomb())
    with pytest.raises(Exception, match="UTF-8"):
        sender.lay(message | {"content-encoding": encoding}).get(timeout=PATIENCE)
    assert _peak(sender.worker.pid) - before < 100 << 20
    sender.is_spoken()


@pytest.mark.parametrize(
    "kind", ["application/x-python-serialize", "application/x-yaml", "text/plain", "", None, 3, {}, []]
)
def test_another_content_type_is_refused(sender: Sender, kind: object) -> None:
    with pytest.raises(Exception, match="JSON"):
        sender.lay(sender.text() | {"content-type": kind}).get(timeout=PATIENCE)
    sender.is_spoken()


def _peak(pid: int) -> int:
    """Most resident bytes that a process ever had."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize(
    "headers",
    [
        {"expires": "never"},
        {"expires": []},
        {"retries": "many"},
        {"retries": -3},
        {"retries": 10**400},
        {"root_id": ["x"], "parent_id": {}, "group": 5, "group_index": "x"},
        {"shadow": "koebin.assemble"},
        {"argsrepr": {"a": 1}, "kwargsrepr": 5},
        {"stamped_headers": 5, "stamps": 7},
        {"stamped_headers": [["a"]], "stamps": {"a": [{}]}},
        {"replaced_task_nesting": "x"},
        {"ignore_result": "perhaps"},
        {"get": 5, "delivery_info": 3, "args": 1, "callbacks": 4, "chain": {}, "_context": 1, "__class__": "x"},
        {"koebin": {"nonce": "x", "made": 5}},
        {"koebin_sent": "yesterday"},
        {"koebin_sent": float("nan")},
        {"lang": None, "origin": 17, "utc": False, "meth": []},
        {"x" * 100_000: "y", "traceparent": 5},
    ],
    ids=lambda headers: ",".join(headers)[:40],
)
def test_headers_of_another_kind_end_nothing(sender: Sender, headers: dict[str, Any]) -> None:
    result = sender.lay(sender.text(headers=headers))
    assert "uri" in outcome(result) or "expires" in outcome(result)
    sender.is_spoken()


@pytest.mark.parametrize(
    "properties",
    [
        {"priority": "urgent"},
        {"priority": -5},
        {"priority": 10**30},
        {"priority": 1e400},
        {"priority": float("nan")},
        {"priority": None},
        {"priority": [1]},
        {"reply_to": {"a": 1}, "correlation_id": ["x"]},
        {"reply_to": "koebin:jobs", "correlation_id": "x" * 100_000},
        {"delivery_mode": "x", "delivery_info": 7},
        {"delivery_tag": "the same for all"},
        {"delivery_tag": None},
        {"delivery_info": {"exchange": "celeryev", "routing_key": "koebin:jobs"}},
        {"delivery_info": {"exchange": "", "routing_key": "shop"}},
    ],
    ids=lambda properties: ",".join(properties),
)
def test_properties_of_another_kind_end_nothing(sender: Sender, properties: dict[str, Any]) -> None:
    results = [sender.lay(sender.text(properties=properties)) for _ in range(2)]
    for result in results:
        assert result.get(timeout=PATIENCE)["uri"]
    sender.is_spoken()


@pytest.mark.parametrize("body_encoding", ["zip", 5, "base64"])
def test_a_body_that_is_not_as_it_is_said_is_refused(sender: Sender, body_encoding: object) -> None:
    message = sender.text(properties={"body_encoding": body_encoding}) | {"body": "これは違う"}
    with pytest.raises(Exception, match=r"JSON|body"):
        sender.lay(message).get(timeout=PATIENCE)
    sender.is_spoken()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"7",
        b"[]",
        b"{}",
        b"[1,2,3]",
        b"[[],{}]",
        b"[[],[],[]]",
        b'["args",{},{}]',
        b"[{},{},{}]",
        b'{"args": [], "kwargs": {}, "task": "koebin.synthesize"}',
        b'[[{"__type__": [], "__value__": 1}],{},{}]',
        b'[[{"__type__": "bytes", "__value__": "x"}],{},{}]',
        b'[[{"__type__": "datetime", "__value__": 5}],{},{}]',
        b"[[],{},{}]",
        b"[[1,2,3,4],{},{}]",
        b'[[],{"x":1},{}]',
        b'[[{}],{"request":{}},{}]',
        b'[[null],{},{"id": "another", "task": "x", "koebin": {"nonce": "x"}}]',
        b'[[{}],{},{"callbacks": "x"}]',
        b'[[{}],{},{"chain": [1,2]}]',
        b'[[{}],{},{"chord": [1]}]',
        b'[[{}],{},{"errbacks": [{"task": "x", "args": 5}]}]',
        b'[[{}],{},{"callbacks": [' + b",".join([b'{"task": "x"}'] * 1001) + b"]}]",
        b'[[{"text": ' + b"7" * 6000 + b"}],{},{}]",
        b'[[{"text": "\\ud800"}],{},{}]',
    ],
    ids=lambda body: repr(body[:30]),
)
def test_a_body_of_another_shape_is_refused_with_a_result(sender: Sender, body: bytes) -> None:
    with pytest.raises(Exception, match=r"."):
        sender.lay(envelope("koebin.synthesize", None, body=body)).get(timeout=PATIENCE)
    sender.is_spoken()


@pytest.mark.parametrize("task_id", ["", "a\nb", "a\x1b[31mb", "x" * 256, "\ud800", 7, None, ["a"]])
def test_an_id_that_is_none_is_parked(sender: Sender, task_id: object) -> None:
    before = sender.parked()
    sender.lay(sender.text(headers={"id": task_id}))
    wait_until(lambda: sender.parked() == before + 1, what="it was not parked")
    sender.is_spoken()


@pytest.mark.parametrize(
    "task",
    ["celery.map", "celery.starmap", "celery.chord_unlock", "celery.accumulate", "celery.backend_cleanup",
     "celery.group", "celery.chain", "celery.chord", "celery.chunks", "shop.publish", "os.system"],
)  # fmt: skip
def test_only_tasks_of_ours_are_run(sender: Sender, task: str) -> None:
    before = sender.parked()
    with pytest.raises(NotRegistered):
        sender.lay(envelope(task, {"task": "koebin.synthesize", "args": []})).get(timeout=PATIENCE)
    wait_until(lambda: sender.parked() == before + 1, what="it was not parked")
    sender.is_spoken()


def test_a_canvas_of_another_application_goes_on(sender: Sender, server: RedisServer, redis: Redis) -> None:
    """Its application has its own settings but for the three that it must share with us."""
    shop = Celery("shop", broker=server.url, backend=server.url, set_as_current=False)
    shop.conf.broker_transport_options = {"priority_steps": [0, 3, 6, 9], "queue_order_strategy": "priority"}

    def speak(text: str) -> Any:
        return shop.signature("koebin.synthesize", args=[text_request(text, sender.store)], queue=QUEUE, immutable=True)

    publish = shop.signature("shop.publish")
    chain(speak("鎖の一つ目です。"), publish).apply_async()
    wait_until(lambda: redis.llen("celery") == 1, what="the next of the chain was not sent to Celery's own queue")
    sent = json.loads(redis.lpop("celery"))
    assert sent["headers"]["task"] == "shop.publish"
    arguments = json.loads(base64.b64decode(sent["body"]))[0]
    assert arguments[0]["uri"].startswith(sender.store)

    chain(speak("鎖の二つ目です。"), publish.clone().set(queue="shop.own")).apply_async()
    wait_until(lambda: redis.llen("shop.own") == 1, what="the next of the chain was not sent to the queue it names")
    redis.delete("shop.own")

    assert len(group(speak(f"群れの{n}です。") for n in range(3)).apply_async().get(timeout=PATIENCE)) == 3
    spoken = chain(speak("先の文です。"), speak("後の文です。")).apply_async()
    assert spoken.get(timeout=PATIENCE)["uri"]
    chord([speak("弦の一です。"), speak("弦の二です。")], publish.clone().set(queue="shop.own")).apply_async()
    wait_until(lambda: redis.llen("shop.own") == 1, what="the body of the chord was not sent")
    body = json.loads(base64.b64decode(json.loads(redis.lpop("shop.own"))["body"]))[0]
    assert len(body[0]) == 2


def is_there(sender: Sender) -> None:
    """The worker answers, and nobody else does."""
    name = sender.worker.name
    answers = sender.client.app.control.ping(destination=[name], timeout=PATIENCE)
    assert [list(answer) for answer in answers] == [[name]]


def test_control_of_other_applications_is_not_heard(sender: Sender, server: RedisServer) -> None:
    stranger = Celery("stranger", broker=server.url, set_as_current=False)
    assert not stranger.control.ping(timeout=1.0)
    stranger.control.shutdown()
    sender.is_spoken()
    is_there(sender)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("rate_limit", {"task_name": "koebin.synthesize", "rate_limit": "1/h"}),
        ("time_limit", {"task_name": "koebin.synthesize", "hard": 0.001}),
        ("pool_grow", {"n": 3}),
        ("pool_shrink", {"n": 1}),
        ("pool_restart", {}),
        ("autoscale", {"max": 9, "min": 0}),
        ("cancel_consumer", {"queue": QUEUE}),
        ("add_consumer", {"queue": "celery"}),
        ("objgraph", {}),
        ("memdump", {}),
    ],
)
def test_commands_that_would_break_a_worker_are_refused(
    sender: Sender, command: str, arguments: dict[str, Any]
) -> None:
    answers = sender.client.app.control.broadcast(
        command, arguments, [sender.worker.name], reply=True, limit=1, timeout=PATIENCE
    )
    assert f"refuses {command}" in answers[0][sender.worker.name]["error"]
    sender.is_spoken()


@pytest.mark.parametrize(
    "broadcast",
    [b"\xff", b"[" * 5000, b"7" * 6000, b"null", b"[]", b'{"body": 5}', b'{"properties": {}}',
     json.dumps(envelope("x", {}, body=b'{"method": []}')).encode(),
     json.dumps(envelope("x", {}, body=b'{"method": "ping", "arguments": 5, "reply_to": 7}')).encode(),
     b"bomb"],
    ids=lambda raw: repr(raw[:20]),
)  # fmt: skip
def test_a_broadcast_that_cannot_be_read_is_passed_over(sender: Sender, redis: Redis, broadcast: bytes) -> None:
    before = _peak(sender.worker.pid)
    if broadcast == b"bomb":
        broadcast = json.dumps(envelope("x", {}, body=bomb(), headers={"compression": "bzip2"})).encode()
    assert redis.publish("/0.koebin.pidbox", broadcast) == 1
    sender.is_spoken()
    assert _peak(sender.worker.pid) - before < 100 << 20
    is_there(sender)


def test_bad_rows_among_what_is_put_off_are_set_aside(sender: Sender, redis: Redis) -> None:
    before = sender.parked()
    due = '["koebin.synthesize", "put-off", %s, "speaker.mei", 0, "a field of tomorrow"]'
    rows = [b"", b"\xff", b"null", b"[1]", b"[" * 5000, b'["a","b",5,"c","d"]', b'["a\\n","b",{},"c",0]', b"{}"]
    redis.zadd("koebin:delayed", dict.fromkeys(rows, 1.0))
    redis.zadd("koebin:delayed", {due % json.dumps(text_request("後で読む文です。", sender.store)): 2.0})
    held = [b"", b"no list", b"koebin:jobs\n{}", b"shop\n{}", b"\xff\n\xff"]
    redis.zadd("koebin:held", dict.fromkeys(held, 1.0))
    assert AsyncResult("put-off", app=sender.client.app).get(timeout=PATIENCE)["uri"]
    wait_until(
        lambda: sender.parked() == before + len(rows) + len(held), what=lambda: str(sender.client.unreadable_messages())
    )
    assert not redis.exists("koebin:delayed")
    assert not redis.exists("koebin:held")
    assert not redis.exists("shop")


def test_bad_rows_among_the_unacknowledged_are_set_aside(sender: Sender, redis: Redis) -> None:
    before = sender.parked()
    rows = [b"", b"\xff", b"null", b"[1,2]", b'[{}, "", "koebin:workers"]', b'[{"properties": 5}, "", "speaker.mei"]',
            b"[" * 5000, b'[{"properties": {"priority": 1e999}}, "", "speaker.mei"]']  # fmt: skip
    for number, row in enumerate(rows):
        redis.hset("koebin.unacked", f"bad-{number}", row)
        redis.zadd("koebin.unacked_index", {f"bad-{number}": 1.0})
    wait_until(lambda: not redis.exists("koebin.unacked_index"), what="they are still there")
    wait_until(lambda: sender.parked() >= before + 6, what=lambda: str(sender.client.unreadable_messages()))
    sender.is_spoken()
    assert redis.type("koebin:workers") == b"set"


def test_a_text_of_many_hours_of_pauses_is_refused(sender: Sender) -> None:
    """2,400 pauses of a minute would be 26 GiB in memory."""
    before = _peak(sender.child)
    request = text_request("あ。" * 2400, sender.store, options={"pause": 60})
    with pytest.raises(Exception, match="would last"):
        sender.lay(envelope("koebin.synthesize", request)).get(timeout=PATIENCE)
    assert _peak(sender.child) - before < 100 << 20
    sender.is_spoken()


@pytest.mark.parametrize("task", ["koebin.render", "koebin.synthesize_chunk", "koebin.assemble"])
def test_an_eta_of_any_task_is_held(sender: Sender, redis: Redis, task: str) -> None:
    redis.delete("koebin:held")
    for _ in range(10):
        sender.lay(envelope(task, {}, headers={"eta": eta(3600)}))
    sender.is_spoken()
    wait_until(lambda: redis.zcard("koebin:held") == 10, what="not all are held")
    redis.delete("koebin:held")


def test_a_tiny_time_limit_of_a_rendering_ends_no_process(sender: Sender) -> None:
    request = text_request("別の長い文を読みます。" * 40, sender.store)
    message = envelope("koebin.render", request, headers={"timelimit": [0.001, 0.001]})
    assert sender.lay(message).get(timeout=PATIENCE)
    sender.is_spoken()


@pytest.mark.parametrize("place", ["headers", "properties"])
@pytest.mark.parametrize("depth", [101, 900, 20_000])
def test_what_is_nested_beside_the_body_is_parked(sender: Sender, place: str, depth: int) -> None:
    before = sender.parked()
    whole = json.dumps(sender.text(**{place: {"deep": 0}}))
    sender.lay(whole.replace('"deep": 0', f'"deep": {"[" * depth}{"]" * depth}'))
    wait_until(lambda: sender.parked() == before + 1, what="it was not parked")
    sender.is_spoken()


@pytest.mark.parametrize("compression", [["bzip2"], {"a": 1}, "GZIP", 7, True])
def test_whatever_is_said_of_compression_is_refused_unread(sender: Sender, compression: object) -> None:
    with pytest.raises(Exception, match="compressed"):
        sender.lay(envelope("koebin.synthesize", None, body=bomb(), headers={"compression": compression})).get(
            timeout=PATIENCE
        )
    sender.is_spoken()


@pytest.mark.parametrize("step", [3, 6, 9])
@pytest.mark.parametrize("entry", [b"", b"[" * 5000, b'{"a":' + b"7" * 6000 + b"}"], ids=["empty", "deep", "digits"])
def test_an_entry_of_another_priority_is_parked_as_well(sender: Sender, redis: Redis, step: int, entry: bytes) -> None:
    before = sender.parked()
    redis.lpush(priority_list(QUEUE, step), entry)
    wait_until(lambda: sender.parked() == before + 1, what="it was not parked")
    sender.is_spoken()


@pytest.mark.parametrize("step", [3, 9])
def test_a_key_of_another_kind_in_place_of_a_list_ends_nothing(sender: Sender, redis: Redis, step: int) -> None:
    """Another application writes under a name of ours; when it is gone, all goes on."""
    name = priority_list(QUEUE, step)
    wait_until(lambda: not redis.exists(name))
    redis.set(name, "a stranger's")
    try:
        result = sender.lay(sender.text())
        sender.client.app.control.ping(destination=[sender.worker.name], timeout=1.0)
    finally:
        redis.delete(name)
    assert result.get(timeout=PATIENCE)["uri"]
    sender.is_spoken()


@pytest.mark.parametrize("name", ["koebin:delayed", "koebin:held", "koebin:jobs", "koebin:webhooks", "koebin:sweep"])
def test_a_key_of_another_kind_in_place_of_a_set_ends_nothing(sender: Sender, redis: Redis, name: str) -> None:
    redis.delete(name)
    redis.set(name, "a stranger's")
    try:
        for _ in range(2):
            sender.is_spoken()
    finally:
        redis.delete(name)
    sender.is_spoken()


@pytest.mark.slow
def test_memory_and_descriptors_stay_flat(sender: Sender) -> None:
    parent = psutil.Process(sender.worker.pid)

    def flood() -> tuple[int, int]:
        for number in range(200):
            sender.lay([b"", b"[" * 3000, b'{"a":' + b"7" * 5000 + b"}", b"\xff" * 1000][number % 4])
            sender.lay(sender.text(headers={"compression": "bz2"}))
        sender.is_spoken()
        return parent.memory_info().rss, parent.num_fds()

    flood()
    memory, descriptors = flood()
    for _ in range(2):
        after = flood()
    assert after[0] - memory < 20 << 20
    assert after[1] <= descriptors + 2
