"""Redis connection of our own, beside Celery's."""

from __future__ import annotations

import time
from typing import Any, Final

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
from koebin.tasks.broker_address import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    HEALTH_SECONDS,
    BrokerAddress,
    parse_broker_url,
)

OUTAGE: Final = (RedisError, OperationalError)
"""Errors while Redis is away or refuses writes, from our own connection and from Celery's."""
_MOST_SKEW_SECONDS: Final = 60.0
_REFUSALS: Final = ("MISCONF", "NOREPLICAS")
"""Error codes of refused writes that redis-py has no class for: saving fails; too few replicas."""


def connect(url: str, *, retries: int = 3, timeout_seconds: float = ANSWER_SECONDS) -> Redis:
    """A client for any URL that ``koebin.tasks.broker_address`` reads. Nothing is contacted yet.

    Raises:
        ConfigurationError: not such a URL; no part that may be a secret is repeated.
    """
    return client_for(parse_broker_url(url), retries=retries, timeout_seconds=timeout_seconds)


def client_for(address: BrokerAddress, *, retries: int = 3, timeout_seconds: float = ANSWER_SECONDS) -> Redis:
    """A client for an address; every connection has its time limits, and notices a peer that is gone."""
    options: dict[str, Any] = {
        **address.socket_options(),
        "socket_timeout": timeout_seconds,
        "health_check_interval": HEALTH_SECONDS,
        "retry": Retry(ExponentialWithJitterBackoff(base=0.1, cap=1.0), retries),
        "retry_on_error": [RedisConnectionError, RedisTimeoutError],
        "db": address.database,
        "username": address.user or None,
        "password": address.password or None,
    }
    if "socket_connect_timeout" in options:
        options["socket_connect_timeout"] = min(CONNECT_SECONDS, timeout_seconds)
    if address.tls is not None:
        options |= {"ssl": True, **address.tls.options()}
    if address.master:
        master: Redis = Sentinel(  # type: ignore[no-untyped-call]
            address.hosts, sentinel_kwargs=address.sentinel_options()
        ).master_for(address.master, **options)
        return master
    if address.socket_path:
        return Redis(unix_socket_path=address.socket_path, **options)
    host, port = address.hosts[0]
    return Redis(host=host, port=port, **options)


def server_time(client: Redis) -> float:
    """Seconds since 1970 by the server's clock, which all workers share; local clocks may differ by minutes."""
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


def clock_skew(client: Redis) -> float:
    """Seconds by which this machine's clock is ahead of the server's; 0 below a minute.

    Raises:
        RedisError: the server does not answer.
    """
    skew = time.time() - server_time(client)
    return skew if abs(skew) > _MOST_SKEW_SECONDS else 0.0


def takes_writes(client: Redis) -> bool:
    """Whether the server accepts writes: it is the master, has memory and disk space, and enough replicas.

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
    """Answer of Redis as text, be it bytes or text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def check(client: Redis, shown: str) -> None:
    """Check that the server answers.

    Args:
        shown: its address without credentials, for the message.

    Raises:
        BrokerUnavailable: it does not answer, or is not ready yet.
        ConfigurationError: it answers, and will refuse us for ever: what it wants is named.
    """
    try:
        client.ping()
    except RedisError as error:
        raise refusal(error, shown) from error


def outage(error: BaseException, hint: str = "Start it, or set KOEBIN_BROKER_URL") -> BrokerUnavailable:
    """The meaning of one of ``OUTAGE`` in the midst of the work."""
    return BrokerUnavailable(f"the broker does not answer ({type(error).__name__})", "", hint)


def refusal(error: RedisError, shown: str) -> BrokerUnavailable | ConfigurationError:
    """The meaning of an error at the first contact, with what to do about it.

    A server's own words are repeated; they hold no secrets. redis-py's are not: they may hold an address.
    """
    said = f"{error} {error.__cause__ or ''} {error.__context__ or ''}"
    for error_type, words, what, hint in _REFUSED:
        if isinstance(error, error_type) and any(word in said for word in words):
            return ConfigurationError(what, shown, hint)
    why = f"{type(error).__name__}: {str(error)[:120]}" if isinstance(error, ResponseError) else _short(error, said)
    hint = "Start it, or correct KOEBIN_BROKER_URL"
    if shown.startswith("rediss://") and isinstance(error, RedisTimeoutError):
        hint += "; if this port speaks no TLS, use redis://"
    elif shown.startswith("redis://") and "closed by server" in said:
        hint += "; if this port wants TLS, use rediss://"
    return BrokerUnavailable(f"the broker does not answer ({why})", shown, hint)


def _short(error: RedisError, said: str) -> str:
    for words, meaning in _UNREACHABLE.items():
        if words in said:
            return meaning
    return type(error).__name__


_LOGIN: Final = "Correct user and password in KOEBIN_BROKER_URL; percent-encode / # ? @ : in them"
_REFUSED: Final[tuple[tuple[type[RedisError], tuple[str, ...], str, str], ...]] = (
    (
        RedisError,
        ("WRONGPASS", "invalid username-password", "invalid password"),
        "the broker refuses user or password",
        _LOGIN,
    ),
    (
        RedisError,
        ("NOAUTH", "Authentication required", "AUTH <password> called without"),
        "the broker's password does not fit",
        _LOGIN,
    ),
    (
        RedisError,
        ("NOPERM", "no permissions"),
        "the broker's user lacks a right",
        "Give it those of docs/operations.md, section Redis",
    ),
    (
        RedisError,
        ("DB index is out of range", "invalid DB index"),
        "the broker has no database of that number",
        "Use a lower one, such as /0",
    ),
    (
        RedisError,
        ("CERTIFICATE_VERIFY_FAILED", "certificate verify failed"),
        "the broker's certificate is not accepted",
        "Trust its authority with ?ssl_ca_certs=FILE, and use the name that the certificate has",
    ),
    (
        RedisError,
        ("WRONG_VERSION_NUMBER", "wrong version number", "record layer failure"),
        "the broker does not speak TLS at this port",
        "Use redis:// instead of rediss://, or its TLS port",
    ),
    (
        RedisError,
        ("CERTIFICATE_REQUIRED", "certificate required", "tlsv13 alert"),
        "the broker wants a certificate of the client",
        "Give ?ssl_certfile=FILE&ssl_keyfile=FILE",
    ),
    (
        RedisError,
        ("No master found",),
        "the sentinels know no master of that name",
        "Correct the fragment of the URL: …/0#mymaster",
    ),
)
"""What a server, or its connection, says that will be said again the next time."""
_UNREACHABLE: Final = {
    "Name or service not known": "its host name is not known",
    "Temporary failure in name resolution": "its host name cannot be resolved now",
    "nodename nor servname": "its host name is not known",
    "No address associated": "its host name has no address",
    "Connection refused": "connection refused",
    "No such file or directory": "there is no such socket",
    "Permission denied": "the socket may not be used by this user",
    "timed out": "no answer in time",
    "Timeout": "no answer in time",
}
