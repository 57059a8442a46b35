"""Rights of a user of Redis: what Koebin and Celery use of it, and what of that a user lacks.

Commands are queued in a transaction whose connection is then closed: the server judges each, and runs none.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, Final

from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from koebin.tasks import redis_keys

_KEY: Final = "KEY"
_COMMANDS: Final[tuple[tuple[str, ...], ...]] = (
    *(
        (name, _KEY)
        for name in ("GET", "DEL", "UNLINK", "EXISTS", "PERSIST", "TYPE", "LLEN", "LPOP", "RPOP", "SMEMBERS")
    ),
    *((name, _KEY) for name in ("SCARD", "ZCARD", "ZPOPMIN", "HGETALL", "HLEN", "MGET")),
    *((name, _KEY, "1") for name in ("SET", "EXPIRE", "PEXPIRE", "LPUSH", "SADD", "SREM", "SISMEMBER", "INCRBY")),
    *((name, _KEY, "1") for name in ("HGET", "HDEL", "HEXISTS", "HMGET", "ZREM", "ZSCORE", "BRPOP", "SSCAN", "HSCAN")),
    *((name, _KEY, "1", "1") for name in ("HSET", "HSETNX", "HINCRBY", "HINCRBYFLOAT", "ZADD", "LRANGE", "LTRIM")),
    *((name, _KEY, "1", "1") for name in ("ZRANGE", "ZREVRANGE", "ZRANGEBYSCORE", "ZREMRANGEBYSCORE", "SETEX")),
    ("ZREVRANGEBYSCORE", _KEY, "1", "1"),
    ("LINDEX", _KEY, "0"),
    ("LINSERT", _KEY, "BEFORE", "1", "1"),
    ("XADD", _KEY, "*", "a", "b"),
    ("XREAD", "STREAMS", _KEY, "0"),
    ("EVAL", "return 1", "0"),
    ("EVALSHA", "0" * 40, "0"),
    ("SCRIPT", "LOAD", "return 1"),
    ("SUBSCRIBE", "/"),
    ("PSUBSCRIBE", "/*"),
    ("PING",),
    ("TIME",),
    ("INFO", "server"),
)
USEFUL: Final = "the command INFO"
"""Without it a worker works; it cannot tell what is wrong with the server."""


def missing_rights(client: Redis) -> list[str]:
    """What of Koebin's least ACL the user lacks: keys, channels and commands, by name; [] if nothing.

    Raises:
        RedisError: the server does not answer.
    """
    probe = f"koebin-probe-{secrets.token_hex(4)}"
    pool = client.connection_pool
    connection: Any = pool.get_connection()
    try:
        return [*_keys(connection, probe), *_channels(connection, probe), *_commands(connection, probe)]
    finally:
        connection.disconnect()
        pool.release(connection)


def _keys(connection: Any, probe: str) -> Iterator[str]:
    for prefix in redis_keys.KEY_PREFIXES:
        if not _may(connection, "DEL", prefix + probe):
            yield f"keys {prefix}*"
    if not _may(connection, "DEL", f"{probe.removeprefix('koebin-')}{redis_keys.CONTROL_SUFFIX}"):
        yield f"keys *{redis_keys.CONTROL_SUFFIX}*"


def _channels(connection: Any, probe: str) -> Iterator[str]:
    for prefix in redis_keys.CHANNEL_PREFIXES:
        if not _may(connection, "PUBLISH", prefix + probe, ""):
            yield f"channels {prefix}*"


def _commands(connection: Any, probe: str) -> Iterator[str]:
    """Of commands whose keys or channels are the trouble nothing is said: those are named by themselves."""
    if not _may(connection, "WATCH", f"koebin:{probe}", word="command"):
        yield "the command WATCH"
    if not _may(connection, "MULTI", word="command"):
        yield "the command MULTI"
        return
    for name, *arguments in _COMMANDS:
        given = [f"koebin:{probe}" if each is _KEY else each for each in arguments]
        if not _may(connection, name, *given, word="command"):
            yield f"the command {name}"
    # Of a pattern the server wants the very same one among the user's.
    pattern = f"/{connection.db or 0}{redis_keys.CONTROL_SUFFIX}"
    if not _may(connection, "PSUBSCRIBE", pattern, word="channel"):
        yield f"the pattern of channels {pattern}"


def _may(connection: Any, *command: str, word: str = "") -> bool:
    """Whether the server lets the user do that; what it refuses for another reason may be done.

    Args:
        word: that a refusal has to hold; "" takes any.
    """
    connection.send_command(*command)
    try:
        connection.read_response()
    except NoPermissionError as error:
        return word not in str(error)
    except ResponseError:
        return True
    return True
