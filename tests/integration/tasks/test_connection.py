"""Our own connection to Redis, against a real server in its several moods."""

from __future__ import annotations

import shutil

import pytest
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from koebin.tasks.connection import takes_writes
from tests.servers.redis import RedisServer
from tests.servers.waiting import wait_until


@pytest.mark.parametrize("mood", ["full", "a replica", "without its replicas", "cannot save"])
def test_a_server_that_takes_no_writes_is_told_from_one_that_does(
    mood: str, redis: Redis, redis_server: RedisServer
) -> None:
    assert takes_writes(redis)
    if mood == "full":
        redis.config_set("maxmemory", "1")
    elif mood == "a replica":
        redis.replicaof("127.0.0.1", "1")
    elif mood == "without its replicas":
        redis.config_set("min-replicas-to-write", "1")
    else:
        redis.config_set("save", "3600 1")
        shutil.rmtree(redis_server.folder)
        redis.bgsave()
        wait_until(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "err")
    assert not takes_writes(redis)


def test_a_server_that_refuses_us_or_is_gone_is_neither(redis: Redis, redis_server: RedisServer) -> None:
    redis.acl_setuser("plain", enabled=True, nopass=True, keys=["koebin.*"], commands=["+@all"])
    with pytest.raises(ResponseError):
        takes_writes(Redis.from_url(redis_server.url.replace("redis://", "redis://plain:x@")))
    redis_server.stop()
    with pytest.raises(RedisError):
        takes_writes(redis)
