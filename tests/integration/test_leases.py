"""A worker's leases, against a real server."""

from __future__ import annotations

from redis import Redis

from tasks.leases import Leases, lease_key
from tasks.ledger import Ledger
from tests.servers.redis import RedisServer
from worker.requests import Holds


def test_a_lease_that_is_given_back_while_it_is_renewed_is_not_set_again(redis_server: RedisServer) -> None:
    redis: Redis = Redis.from_url(redis_server.url)

    class GivenBackMeanwhile(Leases):
        def renew(self, task_id: str, nonce: str, delivery_tag: str = "") -> bool:
            holds.give_back(task_id)
            return super().renew(task_id, nonce, delivery_tag)

    holds = Holds(GivenBackMeanwhile(redis, 30.0), Ledger(redis))
    assert holds.take("text", "tag", 60.0)
    assert redis.exists(lease_key("text"))
    assert holds.renew() == []
    assert not redis.exists(lease_key("text"))


def test_what_is_held_against_a_task_does_not_outlive_it_for_ever(redis: Redis) -> None:
    """A task that is put off and then fails leaves what was counted; nobody forgets it."""
    leases = Leases(redis, 30.0)
    assert [leases.count_delay("put off"), leases.count_delay("put off")] == [0, 1]
    leases.strike("struck", "its process was lost")
    assert leases.keep("made way", "", 1, 2.0, 3.0)
    attempts = redis.keys("koebin:attempt:*")
    assert len(attempts) == 3
    assert all(redis.ttl(attempt) > 0 for attempt in attempts)


def test_what_a_frozen_run_made_is_not_kept_once_its_task_is_anothers(redis: Redis) -> None:
    """It makes way, is stopped by a signal, and goes on when another one has long ended the task."""
    leases = Leases(redis, 30.0)
    nonce = leases.acquire("chunk")
    assert nonce
    assert leases.keep("chunk", nonce, 2, 3.0, 4.0)
    assert (leases.attempt("chunk").rendered, leases.attempt("chunk").seconds) == (2, 3.0)
    leases.forget("chunk")
    leases.release("chunk", nonce)
    assert not leases.keep("chunk", nonce, 2, 3.0, 4.0)
    assert leases.acquire("chunk")
    assert not leases.keep("chunk", nonce, 2, 3.0, 4.0)
    assert not redis.keys("koebin:attempt:*")
