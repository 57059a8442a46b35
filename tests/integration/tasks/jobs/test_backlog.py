"""The backlog against a count of its own."""

import json
import threading
import time
import urllib.request

import pytest
import redis
from celery import Celery
from prometheus_client.parser import text_string_to_metric_families

from koebin.producers.commands.backlog import describe, metrics, server
from koebin.tasks.broker.celery_config import configure
from koebin.tasks.broker.delayed_messages import Message, delay_message
from koebin.tasks.broker.fleet import Announcement, ServedSpeaker, announce, withdraw
from koebin.tasks.contracts import SYNTHESIZE, SYNTHESIZE_CHUNK
from koebin.tasks.jobs import waiting_texts as waiting
from koebin.tasks.jobs.backlog import backlog
from koebin.tasks.jobs.ledger import Ledger, LedgerChunk, State
from tests.servers.waiting import PATIENCE


@pytest.fixture
def client(redis_server):
    with redis.Redis.from_url(redis_server.url) as connection:
        connection.zadd("koebin:speakers", dict.fromkeys(("mei", "ken", "ghost"), time.time()))
        yield connection


def enter(ledger, job, priority, chunks):
    fields = {
        "store": "file:///out",
        "created": time.time(),
        "priority": priority,
        "chunks": len(chunks),
        "segments": len(chunks),
        "speakers": json.dumps({speaker: "ab12" for speaker, _ in chunks}),
        "engine_revision": "cd34",
    }
    ledger.create(job, fields, [LedgerChunk(number, *chunk) for number, chunk in enumerate(chunks)])


def test_planned_queued_and_leased_work_counts_until_it_is_done(client):
    ledger = Ledger(client)
    enter(ledger, "book", 6, [("mei", 60.0), ("mei", 30.0), ("ken", 10.0)])
    enter(ledger, "news", 3, [("mei", 5.0)])
    announce(client, Announcement("w1", "cd34", 1, False, (ServedSpeaker("mei", ("Neutral",), 48000, "ab12", 4.0),)))
    announce(client, Announcement("w2", "cd34", 2, False, (ServedSpeaker("mei", ("Neutral",), 48000, "ab12", 6.0),)))

    found = backlog(client)
    assert found["mei"].audio_seconds == {3: 5.0, 6: 90.0}
    assert (found["mei"].children, found["mei"].speed_factor, found["mei"].work_seconds) == (3, 5.0, 19.0)
    assert (found["ken"].children, found["ken"].work_seconds) == (0, 10.0)

    assert ledger.move_to_open("book", "mei", 1) == [0]
    assert sum(backlog(client)["mei"].audio_seconds.values()) == 95.0, "what is dispatched still waits"
    ledger.mark_done("book", 0, "mei", rendered=1, seconds=61.0)
    assert backlog(client)["mei"].audio_seconds == {3: 5.0, 6: 30.0}
    ledger.end("news", State.CANCELLED)
    assert backlog(client)["mei"].audio_seconds == {6: 30.0}


def test_the_metrics_parse_and_say_what_the_json_says(client):
    ledger = Ledger(client)
    enter(ledger, "book", 6, [("mei", 60.0), ("jvnv-F1-jp", 30.0)])
    ledger.mark_done("book", 0, "mei")
    ledger.mark_done("book", 1, "jvnv-F1-jp")
    enter(ledger, "second", 6, [("mei", 12.5)])
    document = describe(client)

    samples = {
        (sample.name, sample.labels.get("speaker", "")): sample.value
        for family in text_string_to_metric_families(metrics(document))
        for sample in family.samples
    }
    assert samples["koebin_backlog_audio_seconds", "mei"] == document["speakers"]["mei"]["audio_seconds"] == 12.5
    assert samples["koebin_backlog_work_seconds", "mei"] == 12.5
    assert samples["koebin_backlog_assembling_jobs", ""] == document["assembling"] == 1


def test_it_is_served_and_says_so_when_the_broker_is_gone(client, redis_server):
    enter(Ledger(client), "book", 6, [("mei", 60.0)])
    serving = server(redis.Redis.from_url(redis_server.url), "127.0.0.1", 0)
    threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{serving.server_port}"
    try:
        with urllib.request.urlopen(f"{address}/backlog.json", timeout=PATIENCE) as answer:
            assert json.load(answer)["speakers"]["mei"]["work_seconds"] == 60.0
        with urllib.request.urlopen(f"{address}/metrics", timeout=PATIENCE) as answer:
            assert b'koebin_backlog_work_seconds{speaker="mei"} 60.0' in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address}/", timeout=PATIENCE)
        redis_server.kill()
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{address}/metrics", timeout=PATIENCE)
    finally:
        serving.shutdown()
        serving.server_close()


def test_single_texts_count_while_they_wait_and_while_a_worker_has_them(client, redis_server):
    app = Celery("anybody")
    configure(app, broker=redis_server.url, result_backend=redis_server.url, visibility_timeout=30)

    def send(text, speaker="mei", **options):
        request = {"text": text, "speaker": speaker, "store": "file:///out", "options": options}
        return app.send_task(SYNTHESIZE, args=[request], queue=f"speaker.{speaker}", priority=options.get("seed", 6))

    for _ in range(4):
        send("一二三四五六七八九十")
    send("一二三四五六七八九十", speed=2.0)
    send("急ぎです。", seed=0)
    send("誰も話さない。", speaker="ghost")
    client.lpush("speaker.mei", "no message at all")
    delay_message(
        client, Message(SYNTHESIZE, "late", {"text": "一二三四五六七八九十", "speaker": "mei"}, "speaker.mei", 6), 60
    )
    enter(Ledger(client), "book", 6, [("mei", 60.0)])
    app.send_task(SYNTHESIZE_CHUNK, args=[{}], queue="speaker.mei", task_id="book/0")  # counted in its ledger

    found = backlog(client)
    assert found["mei"].texts == 7
    assert found["mei"].audio_seconds == pytest.approx({0: 0.75, 6: 60.0 + 5 * 1.5 + 0.75})
    assert found["ghost"].texts == 1
    assert found["ghost"].children == 0

    with app.connection_for_read() as connection:
        taken = connection.SimpleQueue("speaker.mei").get(timeout=PATIENCE)
        assert client.hlen("koebin.unacked") == 1
        assert backlog(client)["mei"] == found["mei"]
        taken.ack()
        after = backlog(client)["mei"]
    assert after.texts == 6
    assert f'koebin_backlog_texts{{speaker="mei"}} {after.texts}' in metrics(describe(client))


@pytest.mark.parametrize("goes", ["back to its queue", "from its delay to its queue", "to a worker"])
def test_a_text_that_changes_places_while_the_backlog_is_read_counts_once(goes, client, monkeypatch):
    request = {"text": "一二三四五六七八九十", "speaker": "mei", "store": "file:///out"}
    message = {"headers": {"task": SYNTHESIZE, "id": "one"}, "properties": {"priority": 0}, "body": ""}
    noted = json.dumps([message, "", "speaker.mei"])
    later = Message(SYNTHESIZE, "one", request, "speaker.mei", 0)
    if goes == "back to its queue":
        client.hset("koebin.unacked", "tag", noted)
    elif goes == "to a worker":
        client.lpush("speaker.mei", json.dumps(message))
    else:
        delay_message(client, later, 60)
    read = waiting._count_list

    def read_then_move(redis, name, counter):
        read(redis, name, counter)
        client.delete("koebin.unacked", "koebin:delayed", "speaker.mei")
        if goes == "to a worker":
            client.hset("koebin.unacked", "tag", noted)
        else:
            client.lpush("speaker.mei", json.dumps(message))

    client.lpush("speaker.ken", b"[]")  # so that there is a list to read
    monkeypatch.setattr(waiting, "_count_list", read_then_move)
    assert backlog(client)["mei"].texts == 1


def test_of_a_long_queue_the_length_counts(client, redis_server, monkeypatch):
    app = Celery("anybody")
    configure(app, broker=redis_server.url, result_backend=redis_server.url, visibility_timeout=30)
    monkeypatch.setattr("koebin.tasks.jobs.waiting_texts.MOST_READ", 500)
    with app.producer_pool.acquire() as producer:
        for number in range(1200):
            request = {"text": "長い文字の列" * (1 + number % 2), "speaker": "mei", "store": "file:///out"}
            app.send_task(SYNTHESIZE, args=[request], queue="speaker.mei", priority=6, producer=producer)
    found = backlog(client)["mei"]
    assert found.texts == 1200
    assert found.audio_seconds[6] == pytest.approx(1200 * 1.35)


def test_whatever_lies_in_a_queue_of_whatever_name_is_counted_or_passed_over(client, redis_server):
    """A text that has been put off and not been acknowledged yet counts once."""
    app = Celery("anybody")
    configure(app, broker=redis_server.url, result_backend=redis_server.url, visibility_timeout=30)
    request = {"text": "一二三四五六七八九十", "speaker": "mei", "store": "file:///out"}
    app.send_task(SYNTHESIZE, args=[request], queue="speaker.mei", task_id="one", priority=6)
    delay_message(client, Message(SYNTHESIZE, "one", request, "speaker.mei", 6), 60)
    sound = client.lindex("speaker.mei\x06\x166", 0)
    strange = [b"{", b"\xff", b'{"headers": 1}', b"[" * 5000, b'{"headers": {"task": "koebin.synthesize"}}']
    client.lpush("speaker.mei", *strange)
    for name in (b'speaker.a"} 1\n', b"speaker.\xff", b"speaker.", "speaker.mei\x06\x16²".encode()):
        client.lpush(name, sound.replace(b'"one"', json.dumps(repr(name)).encode()))
    client.hset("koebin.unacked", mapping={str(number): row for number, row in enumerate([*strange, b"[1, 2, 3]"])})
    properties = {"priority": "high"}
    row = json.dumps([{"headers": {"task": SYNTHESIZE, "id": "three"}, "properties": properties}, "", "speaker.mei"])
    client.hset("koebin.unacked", "last", row)

    found = backlog(client)
    assert list(found) == ["mei"]
    assert found["mei"].texts == 1
    assert list(text_string_to_metric_families(metrics(describe(client))))


def test_no_key_of_others_is_looked_at(client, redis_server):
    """A speaker is known by its workers, also when they are gone; what is no list of texts stops nothing."""
    client.delete("koebin:speakers")
    served = tuple(ServedSpeaker(name, ("Neutral",), 48000, "m1", 4.0) for name in ("mei", "ken", "no name"))
    announce(client, Announcement("w", "e1", 1, False, served))
    app = Celery("anybody")
    configure(app, broker=redis_server.url, result_backend=redis_server.url, visibility_timeout=30)
    request = {"text": "一二三四五六七八九十", "speaker": "mei", "store": "file:///out"}
    app.send_task(SYNTHESIZE, args=[request], queue="speaker.mei", priority=6)
    withdraw(client, "w")
    client.set("speaker.ken", "another application's")
    with client.monitor() as watched:
        other = redis.Redis.from_url(redis_server.url)
        assert backlog(other)["mei"].texts == 1
        other.echo("end")
        commands = []
        for command in watched.listen():
            commands.append(command["command"])
            if command["command"].startswith("ECHO"):
                break
    assert not [command for command in commands if command.startswith(("SCAN", "KEYS"))]
