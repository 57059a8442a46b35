"""The backlog against a count of its own."""

import json
import threading
import time
import urllib.request

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from producers.commands.backlog import describe, metrics, server
from tasks.backlog import backlog
from tasks.fleet import Announcement, ServedSpeaker, announce
from tasks.ledger import Ledger, LedgerChunk, State


@pytest.fixture
def client(redis_server):
    with redis.Redis.from_url(redis_server.url) as connection:
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

    assert ledger.take("book", "mei", 1) == [0]
    assert sum(backlog(client)["mei"].audio_seconds.values()) == 95.0, "what is dispatched still waits"
    ledger.tick("book", 0, "mei", rendered=1, seconds=61.0)
    assert backlog(client)["mei"].audio_seconds == {3: 5.0, 6: 30.0}
    ledger.end("news", State.CANCELLED)
    assert backlog(client)["mei"].audio_seconds == {6: 30.0}


def test_the_metrics_parse_and_say_what_the_json_says(client):
    ledger = Ledger(client)
    enter(ledger, "book", 6, [("mei", 60.0), ("jvnv-F1-jp", 30.0)])
    ledger.tick("book", 0, "mei")
    ledger.tick("book", 1, "jvnv-F1-jp")
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
        with urllib.request.urlopen(f"{address}/backlog.json", timeout=10) as answer:
            assert json.load(answer)["speakers"]["mei"]["work_seconds"] == 60.0
        with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
            assert b'koebin_backlog_work_seconds{speaker="mei"} 60.0' in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address}/", timeout=10)
        redis_server.kill()
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{address}/metrics", timeout=20)
    finally:
        serving.shutdown()
        serving.server_close()
