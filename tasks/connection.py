"""Our own connection to Redis, beside Celery's."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from kombu.exceptions import OperationalError
from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel

from koebin.engine.errors import BrokerUnavailable, ConfigurationError
from koebin.tasks import redis_keys

OUTAGE: Final = (RedisError, OperationalError)
"""What is raised while Redis is away, or takes no writes: by our own connection, and where Celery sends a message."""
_REFUSALS: Final = ("MISCONF", "NOREPLICAS")
"""Of writes, beside those for which redis-py has classes: nothing can be saved; too few replicas are there."""


def connect(url: str, *, retries: int = 3, timeout_seconds: float = 10.0) -> Redis:
    """A client for ``redis://``, ``rediss://``, ``unix://`` or ``sentinel://host:port;sentinel://…/db?…`` URLs.

    Nothing is contacted yet.

    Raises:
        ConfigurationError: not such a URL; it is not repeated, for it may hold a password.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": min(5.0, timeout_seconds),
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry": Retry(ExponentialWithJitterBackoff(base=0.1, cap=1.0), retries),
        "retry_on_error": [RedisConnectionError, RedisTimeoutError],
    }
    try:
        if url.startswith("sentinel://"):
            return _sentinel(url, options)
        client: Redis = Redis.from_url(url, **options)
    except (ValueError, KeyError) as error:
        raise ConfigurationError(
            "KOEBIN_BROKER_URL is no Redis URL", "", "Use redis://host:6379/0, rediss://… or sentinel://…"
        ) from error
    return client


def _sentinel(url: str, options: dict[str, Any]) -> Redis:
    """kombu's form: several ``sentinel://host:port`` joined by ``;``; the master's name is in the fragment."""
    parts = [urlsplit(part) for part in url.split(";")]
    nodes = [(part.hostname or "localhost", part.port or 26379) for part in parts]
    database = int(parts[-1].path.strip("/") or 0)
    master: Redis = Sentinel(  # type: ignore[no-untyped-call]
        nodes, socket_timeout=options["socket_timeout"]
    ).master_for(sentinel_master(url), db=database, password=parts[0].password, **options)
    return master


def server_time(client: Redis) -> float:
    """Seconds since 1970 on the server's clock, which all workers share; their own may differ by minutes."""
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


def takes_writes(client: Redis) -> bool:
    """Whether the server is the master, has room in memory and on its disk, and the replicas that it wants.

    Raises:
        RedisError: it does not answer.
    """
    try:
        return bool(client.set(redis_keys.WRITE_PROBE, "", px=1))
    except (OutOfMemoryError, ReadOnlyError):
        return False
    except ResponseError as error:
        if not str(error).startswith(_REFUSALS):
            raise
        return False


def as_text(value: Any) -> str:
    """What Redis answers, be it bytes or text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def sentinel_master(url: str) -> str:
    """Which master a ``sentinel://`` URL asks for: its fragment."""
    return urlsplit(url.split(";")[-1]).fragment or "mymaster"


def check(client: Redis, shown: str) -> None:
    """Ask the server for a sign of life.

    Args:
        shown: its address without credentials, for the message.

    Raises:
        BrokerUnavailable: it does not answer, or refuses us.
    """
    try:
        client.ping()
    except RedisError as error:
        raise BrokerUnavailable(
            f"the broker does not answer ({_why(error)})", shown, "Start it, or set KOEBIN_BROKER_URL"
        ) from error


def _why(error: RedisError) -> str:
    """A refusal in the server's own words, which hold no secrets; else the kind of error."""
    name = type(error).__name__
    return f"{name}: {str(error)[:120]}" if isinstance(error, ResponseError) else name
