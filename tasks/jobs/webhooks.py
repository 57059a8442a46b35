"""Webhooks for the end of a job: payload, signature, and the list of pending deliveries.

The end of a job and the entry in ``koebin:webhooks`` are one script of the ledger. A worker takes an entry for a while
(``claim``) and removes it when it was answered; if it dies in between, another one tells it again. So every end is told
at least once, and the id lets a receiver recognise the second time.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final
from urllib.parse import urlsplit

from redis import Redis

from koebin.engine.errors import InvalidOption, JobNotFound
from koebin.tasks import redis_keys, traces
from koebin.tasks.connection import as_text, server_time
from koebin.tasks.contracts import dump
from koebin.tasks.jobs.ledger import JobEntry, Ledger
from koebin.tasks.jobs.outcome import JobOutcome, stored_outcome
from koebin.tasks.retry_policy import jittered
from koebin.tasks.stores.base import Store

TIMEOUT_SECONDS: Final = 15.0
"""Timeout for name resolution, connection, request and response headers together."""
CLAIM_SECONDS: Final = 60.0
"""Seconds that a worker may take to deliver; longer than all time limits of the request together."""
MAX_ATTEMPTS: Final = 16
FIRST_DELAY_SECONDS: Final = 5.0
LONGEST_DELAY_SECONDS: Final = 3600.0
_MAX_URL: Final = 2000
_MAX_HOST: Final = 253
_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")

_CLAIM: Final = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, job in ipairs(due) do redis.call('ZADD', KEYS[1], 'XX', ARGV[3], job) end
return due
"""
# The ledger may have dropped or re-entered the job: only an existing entry is changed.
_NOTE: Final = """
if redis.call('HEXISTS', KEYS[1], 'state') == 1 then redis.call('HSET', KEYS[1], 'webhook_state', ARGV[1]) end
return 1
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """One request to be sent; ``attempt`` counts from 1."""

    job: str
    url: str
    headers: dict[str, str]
    body: bytes
    attempt: int


class Webhooks:
    """Pending deliveries."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._ledger = Ledger(redis)
        self._claim = redis.register_script(_CLAIM)
        self._note = redis.register_script(_NOTE)

    def claim(self, limit: int = 8) -> list[str]:
        """Jobs whose delivery is due; nobody else gets them for ``CLAIM_SECONDS``."""
        now = server_time(self._redis)
        return [as_text(job) for job in self._claim(keys=[redis_keys.WEBHOOKS], args=[now, limit, now + CLAIM_SECONDS])]

    def now(self) -> float:
        """Time by the server's clock; receivers refuse signatures of a clock that is minutes off."""
        return server_time(self._redis)

    def entry(self, job: str) -> JobEntry | None:
        """Entry of an ended job; None if the ledger dropped it, or it is live again: then there is nothing to
        deliver."""
        try:
            entry = self._ledger.entry(job)
        except JobNotFound:
            entry = None
        if entry is None or not entry.state.ended:
            self._forget(job)
            return None
        return entry

    def begin(self, job: str) -> int:
        """Count an attempt; returns its number."""
        return int(self._redis.hincrby(redis_keys.WEBHOOK_ATTEMPTS, job, 1))

    def delivered(self, job: str, detail: str) -> None:
        """Note that the receiver accepted the delivery."""
        self._note(keys=[redis_keys.job(job)], args=[f"delivered ({detail})"])
        self._forget(job)

    def failed(self, job: str, attempt: int, reason: str, *, final: bool = False) -> float:
        """Note a failed attempt. Returns the seconds until the next one; 0.0 if there is none."""
        if final or attempt >= MAX_ATTEMPTS:
            self._note(keys=[redis_keys.job(job)], args=[f"given up after {attempt} attempts: {reason}"[:500]])
            self._forget(job)
            return 0.0
        seconds = jittered(attempt - 1, FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS)
        self._note(keys=[redis_keys.job(job)], args=[f"attempt {attempt} failed: {reason}"[:500]])
        self._redis.zadd(redis_keys.WEBHOOKS, {job: server_time(self._redis) + seconds}, xx=True)
        return seconds

    def _forget(self, job: str) -> None:
        self._redis.zrem(redis_keys.WEBHOOKS, job)
        self._redis.hdel(redis_keys.WEBHOOK_ATTEMPTS, job)


def notice(entry: JobEntry, store: Store, secret: str, attempt: int, now: float) -> Notice:
    """Request for an ended job.

    Args:
        now: seconds since 1970, for the signature.

    Raises:
        StoreUnavailable, StoreDenied: its result cannot be read now.
    """
    document = _document(entry, store)
    body = _dump(document)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "koebin-webhook/1",
        "Koebin-Event": "job.ended",
        "Koebin-Event-Id": document["id"],
        **({traces.HEADER: trace} if (trace := traces.checked(entry.trace)) else {}),
    }
    if secret:
        headers["Koebin-Signature"] = signature(secret, int(now), body)
    return Notice(entry.job, entry.webhook, headers, body, attempt)


def event_id(entry: JobEntry, outcome: JobOutcome) -> str:
    """Event id, the same for every delivery of one end of one job, even after Redis lost the job."""
    end = f"{entry.job}\n{entry.created}\n".encode() + dump(outcome)
    return hashlib.sha256(end).hexdigest()[:32]


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Signature header, ``t=<seconds since 1970>,v1=<hex HMAC-SHA256 over timestamp, a point and the body>``."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def check_webhook(url: str) -> str:
    """Return ``url`` if it is a valid webhook URL. Its host's addresses are checked at delivery.

    Raises:
        InvalidOption: not http or https, no host, a user name, a fragment, or too long.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and _is_host(parts.hostname or "") and parts.port != 0
        good = good and _is_readable(url)
    except ValueError:
        good = False
    if not good or len(url) > _MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidOption("not a valid URL for a webhook", url[:200], "Use https://host/path")
    if "@" in parts.netloc or parts.fragment:
        raise InvalidOption(
            "a webhook's address has a user name or a fragment", parts.hostname or "", "Check the signature instead"
        )
    return url


def _is_host(host: str) -> bool:
    """Whether a name or an address of a URL is one. Raises: ValueError: it is not."""
    if ":" in host:
        return IPv6Address(host).scope_id is None
    labels = host.removesuffix(".").split(".")
    if labels[-1].isdecimal() or labels[-1].startswith("0x"):
        return bool(IPv4Address(host))  # no other way of writing one: not every reader takes it for the same
    for label in labels:
        if label.startswith("xn--"):
            label.encode().decode("idna")
    return len(host) <= _MAX_HOST and all(_LABEL.fullmatch(label) for label in labels)


def _is_readable(url: str) -> bool:
    """Whether the client that will send the webhook can read the URL, where it is installed here."""
    try:
        import httpx2
    except ImportError:
        return True
    try:
        return bool(httpx2.URL(url).host)
    except httpx2.InvalidURL:
        return False


def _document(entry: JobEntry, store: Store) -> Mapping[str, Any]:
    # Without a result it failed before there was anything to store.
    outcome = stored_outcome(store, entry.job) or JobOutcome(job=entry.job, state=entry.state, error=entry.error)
    return {
        "version": 1,
        "event": "job.ended",
        "id": event_id(entry, outcome),
        "job": entry.job,
        "title": entry.title,
        "state": entry.state,
        "error": entry.error,
        "created": entry.created,
        "ended": entry.updated,
        "segments": {"total": entry.segments, "reused": entry.reused, "failed": len(outcome.failures)},
        "result": outcome.result.model_dump(mode="json") if outcome.result else None,
        "files": [file.model_dump(mode="json") for file in outcome.files],
    }


def _dump(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
