"""Requests to a server of voices: bounded, timed, retried by class, and never with a key in a message."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import tenacity

from koebin.engine.bounded_json import loads
from koebin.engine.errors import (
    BackendMissing,
    InferenceFailed,
    InvalidInput,
    SourceDenied,
    SourceError,
    SourceNotFound,
    SourceUnavailable,
)
from koebin.engine.limits import REMOTE_ANSWER_BYTES, REMOTE_JSON_BYTES
from koebin.engine.models.remote.address import RemoteAddress

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger(__name__)

_LONGEST_WAIT: Final = 30.0
_CONNECT_SECONDS: Final = 10.0
_TEXTS_FAULT: Final = (400, 413, 414, 422)
"""The server refuses this request, and would refuse it again."""


class _Busy(SourceUnavailable):
    """429 or 503 with a time after which it is worth asking again."""

    seconds = 0.0


class Client:
    """Any number of threads may use it. Made after the fork, in the process that speaks.

    Args:
        address: where the server is, and how patient its client.
        keys: by host or host:port; sent as a bearer token, and to nobody else: redirects are not followed.

    Raises:
        BackendMissing: httpx2 is not installed.
    """

    def __init__(self, address: RemoteAddress, keys: Mapping[str, str]) -> None:
        try:
            import httpx2
        except ModuleNotFoundError:
            raise BackendMissing("httpx2 is not installed", address.protocol, "Install koebin[engine]") from None
        self._address = address
        self._errors = httpx2.TransportError
        key = keys.get(address.place) or keys.get(address.host)
        timeout = httpx2.Timeout(address.timeout, connect=min(_CONNECT_SECONDS, address.timeout))
        self._http = httpx2.Client(
            timeout=timeout,
            limits=httpx2.Limits(max_connections=address.concurrency + 1),
            headers={"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {}),
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def json(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None) -> Any:
        """The JSON of an answer.

        Raises:
            SourceError: no JSON, or too much; else as ``answer``.
        """
        data, _ = self.answer(method, path, query=query, body=body, limit=REMOTE_JSON_BYTES)
        try:
            return loads(data)
        except InvalidInput as error:
            raise SourceError(
                f"the server of the voice gives no usable JSON ({error.what[:80]})", self._at(path)
            ) from None

    def optional_json(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The same of what not every server has: None where it has not."""
        try:
            return self.json("GET", path, query=query)
        except SourceUnavailable:
            raise
        except (SourceError, InferenceFailed):
            return None

    def answer(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        limit: int = REMOTE_ANSWER_BYTES,
    ) -> tuple[bytes, str]:
        """Body and media type of an answer, asked for again where the reason may pass.

        Raises:
            SourceUnavailable: no answer, one that is cut off or takes too long, 429 or 5xx, after all tries.
            SourceDenied: 401 or 403.
            SourceNotFound: 404.
            InferenceFailed: the server refuses what it is to say.
            SourceError: any other answer, or one of more bytes than ``limit``.
        """
        again = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._address.attempts),
            wait=_wait,
            retry=tenacity.retry_if_exception_type(SourceUnavailable),
            before_sleep=lambda state: log.warning("asking again: %s", state.outcome and state.outcome.exception()),
            reraise=True,
        )
        return again(self._once, method, path, query, body, limit)

    def _once(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Any, limit: int
    ) -> tuple[bytes, str]:
        until = time.monotonic() + self._address.timeout
        url = f"{self._address.base}{path}"
        try:
            with self._http.stream(method, url, params=dict(query or {}), json=body) as answer:
                data = self._read(answer, limit, until, path)
                self._check(answer, data, path)
                return data, answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        except self._errors as error:
            what = f"the server of the voice does not answer ({type(error).__name__})"
            raise SourceUnavailable(what, self._at(path), "Check that it runs") from None

    def _read(self, answer: httpx2.Response, limit: int, until: float, path: str) -> bytes:
        parts, size = [], 0
        for part in answer.iter_bytes():
            size += len(part)
            if size > limit:
                raise SourceError(f"the server of the voice answers with more than {limit} bytes", self._at(path))
            if time.monotonic() > until:
                what = f"the server of the voice takes more than {self._address.timeout:g} s for an answer"
                raise SourceUnavailable(what, self._at(path), "Give it more with timeout=")
            parts.append(part)
        return b"".join(parts)

    def _check(self, answer: httpx2.Response, data: bytes, path: str) -> None:
        status = answer.status_code
        if status < 300:
            return
        said = _said(data)
        what = f"the server of the voice answers {status}{f' ({said})' if said else ''}"
        if status in (401, 403):
            raise SourceDenied(
                f"the server of the voice refuses ({status})",
                self._at(path),
                f"Set KOEBIN_VOICE_KEYS={self._address.place}=KEY",
            )
        if status == 404:
            raise SourceNotFound(what, self._at(path), "Check the address, the model and the voice")
        if status in _TEXTS_FAULT:
            raise InferenceFailed(what, self._at(path))
        if status == 429 or status >= 500 or status == 408:
            busy = _Busy(what, self._at(path), "Try again later")
            after = answer.headers.get("retry-after", "")
            busy.seconds = min(_LONGEST_WAIT, float(after)) if after.isdigit() else 0.0
            raise busy
        raise SourceError(what, self._at(path), "Give the address that it leads to" if status < 400 else "")

    def _at(self, path: str) -> str:
        return f"{self._address.base}{path}"


def _wait(state: tenacity.RetryCallState) -> float:
    """As the server asks, else 0.25 s, doubled each time."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.seconds if isinstance(error, _Busy) else 0.0
    return max(asked, min(_LONGEST_WAIT, 0.25 * 2.0 ** (state.attempt_number - 1)))


def _said(data: bytes) -> str:
    """The beginning of what a server says of its error, in one line."""
    try:
        text = data[:300].decode("utf-8", "replace")
    except ValueError:
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:120]
