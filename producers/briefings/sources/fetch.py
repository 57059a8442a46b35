"""HTTP client for sources, safe against forged requests, redirects and oversized bodies.

Every hop is checked for scheme, host and address, and the connection goes to the address that was checked. Bytes are
counted while they arrive, after decompression, and one deadline holds for everything.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

import httpx2 as httpx

from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.sources.allowed_hosts import addresses, check_host
from koebin.producers.briefings.sources.base import SourceFailed

MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = {301, 302, 303, 307, 308}
_HEADERS: Final = {"User-Agent": "koebin-briefing", "Accept-Encoding": "gzip, identity"}


@dataclass(frozen=True, slots=True)
class Body:
    """Decoded response body.

    Attributes:
        content_type: the raw header, "" if there was none.
    """

    data: bytes
    content_type: str


async def fetch(url: str, *, hosts: Sequence[str], policy: Policy, timeout: float, max_bytes: int) -> Body:
    """GET ``url``.

    Args:
        hosts: allowed by the briefing; the policy's list applies as well.
        timeout: seconds for name resolution, every redirect and the whole body together.
        max_bytes: of the body after decompression.

    Raises:
        SourceFailed: for every reason.
    """
    try:
        async with asyncio.timeout(timeout):
            return await _follow(url, hosts, policy, max_bytes)
    except TimeoutError:
        raise SourceFailed(f"no complete response within {timeout:g} seconds") from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        reason = f"{type(error).__name__}: {error}"[:200].removesuffix(": ")
        raise SourceFailed(f"the request failed ({reason})") from error


async def _follow(url: str, hosts: Sequence[str], policy: Policy, max_bytes: int) -> Body:
    target = _checked(httpx.URL(url), hosts, policy)
    # No proxies or credentials from the environment: a proxy would resolve the name a second time.
    async with httpx.AsyncClient(trust_env=False, timeout=None, follow_redirects=False) as client:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await _hop(client, target, policy, max_bytes)
            if isinstance(answer, Body):
                return answer
            following = _checked(target.join(answer), hosts, policy)
            if target.scheme == "https" and following.scheme == "http":
                raise SourceFailed("a redirect from https to http is not followed")
            target = following
    raise SourceFailed(f"more than {MAX_REDIRECTS} redirects")


def _checked(url: httpx.URL, hosts: Sequence[str], policy: Policy) -> httpx.URL:
    if url.scheme not in ("http", "https") or not url.host:
        raise SourceFailed(f"only http and https are fetched, not {url.scheme or 'a relative address'!r}")
    if url.userinfo:
        raise SourceFailed("an address with a user name or a password is not fetched")
    check_host(url.host, hosts, policy.hosts)
    return url


async def _hop(client: httpx.AsyncClient, url: httpx.URL, policy: Policy, max_bytes: int) -> Body | str:
    """One request: its body, or the address of a redirect."""
    port = url.port or (443 if url.scheme == "https" else 80)
    last: httpx.ConnectError | None = None
    for address in await addresses(url.host, port, policy):
        request = client.build_request(
            "GET",
            url.copy_with(host=address),
            headers={**_HEADERS, "Host": url.netloc.decode("ascii")},
            # the certificate is checked against the host's name, not the address
            extensions={"sni_hostname": url.host},
        )
        try:
            response = await client.send(request, stream=True)
        except httpx.ConnectError as error:
            last = error
            continue
        try:
            return await _answer(response, max_bytes)
        finally:
            await response.aclose()
    raise last or SourceFailed("the host has no address to connect to")


async def _answer(response: httpx.Response, max_bytes: int) -> Body | str:
    if response.status_code in _REDIRECTS and "location" in response.headers:
        return response.headers["location"]
    if response.status_code != 200:
        raise SourceFailed(f"the server answers {response.status_code}")
    declared = response.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise SourceFailed(f"{declared} bytes, more than the limit of {max_bytes}")
    chunks = _decoded(response, max_bytes)
    data = b"".join([chunk async for chunk in chunks])
    return Body(data, response.headers.get("content-type", ""))


async def _decoded(response: httpx.Response, max_bytes: int) -> AsyncIterator[bytes]:
    """Bytes of the body, decompressed no further than the limit."""
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "", "gzip", "x-gzip"):
        raise SourceFailed(f"the content encoding {encoding!r} was not asked for")
    inflate = zlib.decompressobj(wbits=31) if "gzip" in encoding else None
    left = max_bytes
    async for raw in response.aiter_raw():
        try:
            chunk = inflate.decompress(raw, left + 1) if inflate else raw
        except zlib.error as error:
            raise SourceFailed("the compressed response is damaged") from error
        left -= len(chunk)
        if left < 0:
            raise SourceFailed(f"more than the limit of {max_bytes} bytes")
        yield chunk
    if inflate and not inflate.eof:
        raise SourceFailed("the compressed response is truncated")
