"""Ledger: large jobs in slices, cheap status, lists in pages; and beside producers and workers of an older release."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from redis import Redis

from koebin.tasks import redis_keys
from koebin.tasks.jobs.ledger import ENDED_SECONDS, Ledger, LedgerChunk, State

OLD_CREATE = """
local job = KEYS[1]
if redis.call('EXISTS', job) == 1 then return 0 end
local fields = cjson.decode(ARGV[1])
for name, value in pairs(fields) do redis.call('HSET', job, name, value) end
for _, chunk in ipairs(cjson.decode(ARGV[2])) do
  redis.call('HSET', job .. ':chunks', chunk[1], chunk[2] .. ' ' .. chunk[3])
  redis.call('ZADD', job .. ':planned:' .. chunk[2], chunk[1], chunk[1])
end
redis.call('HSET', job, 'done', 0)
redis.call('ZADD', KEYS[2], fields['created'], ARGV[3])
return 1
"""


def fields(chunks: int, **more: Any) -> dict[str, Any]:
    return {
        "store": "file:///s",
        "created": time.time(),
        "priority": 6,
        "chunks": chunks,
        "segments": chunks,
        "seconds": 10.0 * chunks,
        "speakers": json.dumps({"mei": "m1"}),
        "engine_revision": "e1",
        **more,
    }


def chunks(count: int) -> list[LedgerChunk]:
    return [LedgerChunk(number, "mei", 10.0) for number in range(count)]


def test_a_job_of_many_chunks_is_there_whole_or_not_at_all(redis: Redis) -> None:
    ledger = Ledger(redis)
    assert ledger.create("book", fields(20_000), chunks(20_000), done=[0, 19_999])
    entry = ledger.entry("book")
    assert [entry.chunks, entry.done] == [20_000, 2]
    assert redis.zcard("koebin:job:book:planned:mei") == 19_998
    assert redis.hlen("koebin:job:book:chunks") == 20_000
    assert ledger.remaining_seconds(entry) == pytest.approx(199_980)
    for suffix in (":chunks", ":done", ":planned:mei"):
        assert redis.ttl("koebin:job:book" + suffix) == -1
    assert not ledger.create("book", fields(1), chunks(1))
    assert not redis.exists(redis_keys.creating("book"))


def test_of_two_who_enter_a_job_one_does_and_nothing_is_missing(redis: Redis) -> None:
    entered: list[bool] = []

    def enter() -> None:
        entered.append(Ledger(redis).create("book", fields(5_000), chunks(5_000)))

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entered) == [False, False, False, True]
    assert redis.zcard("koebin:job:book:planned:mei") == 5_000


def test_what_a_killed_process_has_written_is_not_seen_and_not_kept(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(redis)
    killed = Ledger(redis)

    def dies(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(killed, "_create", dies)
    with pytest.raises(KeyboardInterrupt):
        killed.create("book", fields(3), [LedgerChunk(number, "ken", 1.0) for number in range(3)])
    assert ledger.live() == []
    assert 0 < redis.ttl("koebin:job:book:planned:ken") <= 24 * 3600
    redis.delete(redis_keys.creating("book"))  # or half a minute later
    assert ledger.create("book", fields(1), chunks(1))
    assert redis.hgetall("koebin:job:book:chunks") == {b"0": b"mei 10.000"}


def test_the_rest_of_a_job_is_exact_near_its_end_and_counts_for_old_and_new_workers(redis: Redis) -> None:
    ledger = Ledger(redis)
    uneven = [LedgerChunk(0, "mei", 1.0), LedgerChunk(1, "mei", 5.0), LedgerChunk(2, "mei", 30.0)]
    ledger.create("new", fields(3, seconds=36.0), uneven)
    document = json.dumps([[c.number, c.speaker, f"{c.seconds:.3f}"] for c in uneven])
    redis.eval(
        OLD_CREATE, 2, "koebin:job:old", redis_keys.JOBS, json.dumps({"state": "RUNNING", "updated": 0.0, **fields(3)}),
        document, "old",
    )  # fmt: skip
    for job in ("new", "old"):
        ledger.move_to_open(job, "mei", 1)
        ledger.mark_done(job, 0, "mei", seconds=1.2)
        assert ledger.remaining_seconds(ledger.entry(job)) == 35.0


def test_lists_of_jobs_are_read_in_pages_and_by_state(redis: Redis) -> None:
    ledger = Ledger(redis)
    ledger.create("live", fields(1), chunks(1))
    pipe = redis.pipeline(transaction=False)
    for number in range(2_500):
        state = State.FAILED if number % 1000 == 0 else State.SUCCEEDED
        pipe.hset(f"koebin:job:j{number}", mapping=fields(1, state=state, updated=number, done=1))
        pipe.zadd(redis_keys.ENDED, {f"j{number}": number})
    pipe.zadd(redis_keys.ENDED, {"forgotten": 9999})
    pipe.execute()
    assert list(ledger.listed(State.RUNNING)) == ["live"]
    assert list(ledger.listed(State.FAILED)) == ["j2000", "j1000", "j0"]
    everything = list(ledger.listed())
    assert everything[:3] == ["live", "j2499", "j2498"]
    assert len(everything) == 2_501
    assert [entry.job for entry in ledger.entries(["j1", "forgotten", "j3"])] == ["j1", "j3"]


def test_the_list_of_ended_jobs_holds_those_that_redis_remembers(redis: Redis) -> None:
    ledger = Ledger(redis)
    now = time.time()
    redis.zadd("koebin:ended", {"gone": now - ENDED_SECONDS - 60, "still-there": now - ENDED_SECONDS + 60})
    ledger.create("new", fields(1), chunks(1))
    ledger.end("new", State.SUCCEEDED)
    assert ledger.ended() == ["new", "still-there"]


def test_a_live_job_that_is_forgotten_meanwhile_is_left_out(redis: Redis) -> None:
    ledger = Ledger(redis)
    ledger.create("book", fields(1), chunks(1))
    redis.zadd("koebin:jobs", {"forgotten": 1.0})
    assert [entry.job for entry in ledger.live_entries()] == ["book"]


def test_only_a_live_job_waits(redis: Redis) -> None:
    """A chunk may meet an outage after its job was cancelled, or after Redis forgot it."""
    ledger = Ledger(redis)
    ledger.create("book", fields(1), chunks(1))
    ledger.end("book", State.SUCCEEDED)
    for job in ("book", "forgotten"):
        ledger.wait_for(job, "the store does not answer")
    assert redis.hget("koebin:job:book", "waiting") is None
    assert not redis.exists("koebin:job:forgotten")
