"""Webhook sender: a thread of the parent that delivers the ends of jobs.

It is a thread of its own, because a slow receiver must not delay the renewal of leases.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import ipaddress
import logging
import threading
from collections.abc import Callable
from typing import Final

from redis.exceptions import RedisError

from koebin.engine.errors import BackendMissing, KoebinError
from koebin.tasks.jobs.webhooks import TIMEOUT_SECONDS, Notice, Webhooks, notice
from koebin.tasks.public_addresses import EVERYWHERE, may_connect, resolve
from koebin.tasks.stores.base import Store

log = logging.getLogger(__name__)

_IMPORTED_LATE: Final = (
    "httpx2",
    "httpcore2",
    "truststore",
    "anyio._backends._asyncio",
    "concurrent.futures.thread",
    "encodings.idna",
)
"""Modules that the first request would import, by itself or through httpx2, the event loop and the resolver."""


class Refused(Exception):
    """Permanent refusal: the receiver's address is not allowed, or it answers 410 Gone. There is no further attempt."""


class WebhookSender(threading.Thread):
    """Sender thread; it starts with the worker and ends with its process.

    Create it before the pool forks: it imports then what its thread needs. A process that is forked during an import of
    another thread would wait for that import's lock for ever.

    Args:
        open_store: opens a store below the worker's roots.
        secret: key of the signature; "" sends none.
        private: whether private and loopback addresses are allowed.
    """

    def __init__(
        self,
        webhooks: Webhooks,
        open_store: Callable[[str], Store],
        *,
        secret: str,
        private: bool,
        interval_seconds: float,
    ) -> None:
        super().__init__(name="koebin-webhook-sender", daemon=True)
        self._webhooks = webhooks
        self._open_store = open_store
        self._secret = secret
        self._private = private
        self._interval = interval_seconds
        self._ended = threading.Event()
        for name in _IMPORTED_LATE:
            with contextlib.suppress(ModuleNotFoundError):  # ``post`` reports that
                importlib.import_module(name)

    def run(self) -> None:
        while not self._ended.wait(self._interval):
            try:
                self.deliver_due()
            except RedisError as error:
                log.warning("Redis does not answer; webhooks wait: %s", error)
            except Exception:
                # the next round tries again
                log.exception("unexpected error while sending webhooks; the sender goes on")

    def end(self) -> None:
        """Stop. A delivery that the end of the process cuts off is repeated by another worker."""
        self._ended.set()

    def deliver_due(self) -> int:
        """Deliver what is due; returns the number of deliveries."""
        jobs = self._webhooks.claim()
        return sum(asyncio.run(self._deliver_all(jobs))) if jobs else 0

    async def _deliver_all(self, jobs: list[str]) -> list[bool]:
        return await asyncio.gather(*(self._deliver(job) for job in jobs))

    async def _deliver(self, job: str) -> bool:
        attempt = self._webhooks.begin(job)
        final = False
        try:
            entry = self._webhooks.entry(job)
            if entry is None:
                return False
            sent = notice(entry, self._open_store(entry.store), self._secret, attempt, self._webhooks.now())
            status = await post(sent, private=self._private)
        except Refused as error:
            reason, final = str(error), True
        except (KoebinError, OSError) as error:
            reason = str(error)
        except RedisError:
            raise
        except Exception as error:  # one that nobody foresaw neither silences its neighbours nor is tried for ever
            log.exception("webhook of job %s", job, extra={"job": job})
            reason = type(error).__name__
        else:
            self._webhooks.delivered(job, f"HTTP {status}, attempt {attempt}")
            return True
        seconds = self._webhooks.failed(job, attempt, reason, final=final)
        after = f"next attempt in {seconds:.0f} s" if seconds else "given up"
        log.warning("webhook of job %s not delivered, %s: %s", job, after, reason, extra={"job": job})
        return False


async def post(sent: Notice, *, private: bool) -> int:
    """POST a notice to a host whose addresses are allowed; returns the status, which is 2xx.

    Raises:
        Refused: no address of the host is allowed, or the response is 410.
        BackendMissing: httpx2 is not installed.
        OSError: anything else; the reason names neither path nor query, which may hold a token.
    """
    try:
        import httpx2 as httpx
    except ImportError as error:
        raise BackendMissing(
            "this worker cannot send webhooks: httpx2 is not installed", "", "Run: pip install httpx2"
        ) from error

    try:
        url = httpx.URL(sent.url)
    except httpx.InvalidURL as error:
        raise Refused("it is no URL that can be reached") from error
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            found = await asyncio.get_running_loop().run_in_executor(None, resolve, url.host, port)
            networks = EVERYWHERE if private else ()
            allowed = [each for each in found if may_connect(ipaddress.ip_address(each.split("%")[0]), networks)]
            if not allowed:
                raise Refused(f"{url.host} has private or local addresses only (see KOEBIN_WEBHOOK_PRIVATE)")
            # No proxies or credentials from the environment: a proxy would resolve the name a second time.
            async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS, follow_redirects=False) as client:
                request = client.build_request(
                    "POST",
                    url.copy_with(host=allowed[0]),
                    content=sent.body,
                    headers={**sent.headers, "Host": url.netloc.decode("ascii")},
                    # the certificate is checked against the host's name, not the address
                    extensions={"sni_hostname": url.host},
                )
                response = await client.send(request, stream=True)
                await response.aclose()
    except TimeoutError:
        raise OSError(f"{url.host} did not answer within {TIMEOUT_SECONDS:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise OSError(f"{url.host}: {type(error).__name__}") from error
    if response.status_code == 410:
        raise Refused(f"{url.host} answers 410 Gone")
    if not 200 <= response.status_code < 300:
        raise OSError(f"{url.host} answers {response.status_code}")
    return int(response.status_code)
