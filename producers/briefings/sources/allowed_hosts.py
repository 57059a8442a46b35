"""Host and address checks for sources.

A host must be allowed by name, and every address it resolves to is judged by number. What is connected to is the
address that was judged (`koebin.producers.briefings.sources.fetch`), so a second, different answer of the name server
changes nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from fnmatch import fnmatchcase

from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.sources.base import SourceFailed
from koebin.producers.briefings.sources.threads import in_thread
from koebin.tasks.public_addresses import may_connect
from koebin.tasks.public_addresses import resolve as resolve_host


def check_host(host: str, *allowed: Sequence[str]) -> None:
    """Check that every list has a pattern for ``host``: its exact name, or ``*.`` and a parent domain.

    Raises:
        SourceFailed: a list has none.
    """
    for patterns in allowed:
        if not any(_matches(host.lower().rstrip("."), pattern.lower()) for pattern in patterns):
            raise SourceFailed(f"the host {host!r} is not on the list of allowed hosts")


async def addresses(host: str, port: int, policy: Policy) -> list[str]:
    """Numeric addresses of ``host`` that may be connected to, in the resolver's order.

    Raises:
        SourceFailed: the name does not resolve, or to forbidden addresses only.
    """
    resolve = policy.resolve or resolve_host
    try:
        found = await in_thread(resolve, host, port)
    except (OSError, UnicodeError) as error:
        raise SourceFailed(f"the host {host!r} cannot be resolved") from error
    good = [address for address in found if may_connect(ipaddress.ip_address(address.split("%")[0]), policy.networks)]
    if not good:
        raise SourceFailed(f"the host {host!r} has only private, local or reserved addresses, which are not allowed")
    return good


def _matches(host: str, pattern: str) -> bool:
    return pattern == "*" or host == pattern or (pattern.startswith("*.") and fnmatchcase(host, pattern))
