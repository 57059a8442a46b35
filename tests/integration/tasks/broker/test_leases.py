"""A worker's leases, against a real server."""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis

from koebin.tasks import redis_keys
from koebin.tasks.broker.leases import Leases
from koebin.tasks.jobs.ledger import Ledger, LedgerChunk
from koebin.worker.celery_ext.held_leases import HeldLeases
from tests.servers.redis import RedisServer


def test_a_lease_that_is_given_back_while_it_is_renewed_is_not_set_again(redis_server: RedisServer) -> None:
    redis: Redis = Redis.from_url(redis_server.url)

    class GivenBackMeanwhile(Leases):
        def renew_all(self, held: Sequence[tuple[str, str, str]]) -> list[bool]:
            for task_id, _nonce, _tag in held:
                held_leases.release(task_id)
            return super().renew_all(held)

    held_leases = HeldLeases(GivenBackMeanwhile(redis, 30.0), Ledger(redis))
    assert held_leases.acquire("text", "tag", 60.0)
    assert redis.exists(redis_keys.lease("text"))
    assert held_leases.renew() == []
    assert not redis.exists(redis_keys.lease("text"))


def test_what_is_held_against_a_task_does_not_outlive_it_for_ever(redis: Redis) -> None:
    """A task that is put off and then fails leaves what was counted; nobody forgets it."""
    leases = Leases(redis, 30.0)
    assert [leases.count_delay("put off"), leases.count_delay("put off")] == [0, 1]
    leases.strike("struck", "its process was lost")
    leases.keep("made way", 0, 1, 2.0, 3.0)
    attempts = redis.keys("koebin:attempt:*")
    assert len(attempts) == 3
    assert all(redis.ttl(attempt) > 0 for attempt in attempts)


def test_what_a_frozen_run_made_is_not_kept_once_another_is_done_with_the_chunk(redis: Redis) -> None:
    """It makes way, is stopped by a signal, and goes on when nobody forgets its chunk any more."""
    leases, ledger = Leases(redis, 30.0), Ledger(redis)
    ledger.create("book", {"speakers": "{}", "created": 0, "chunks": 2}, [LedgerChunk(n, "mei", 1.0) for n in range(2)])
    assert leases.keep("book", 1, 2, 3.0, 4.0)
    assert leases.keep("book", 1, 2, 3.0, 4.0)
    kept = leases.attempt("book/1")
    assert (kept.rendered, kept.seconds, kept.wall_seconds) == (4, 6.0, 8.0)
    ledger.mark_done("book", 1, "mei")
    leases.forget("book/1")
    assert not leases.keep("book", 1, 2, 3.0, 4.0)
    assert not redis.keys("koebin:attempt:*")
