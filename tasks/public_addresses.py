"""Network address checks against server-side request forgery: only public or explicitly allowed addresses may be
connected to.

Judge the numeric address, and connect to the one that was judged: a name server may answer differently the next time.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Final

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

EVERYWHERE: Final[tuple[IpNetwork, ...]] = (ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0"))
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is handed out; what lies outside, site-local addresses of old too, is somebody's own."""
_SPECIAL: Final[tuple[IpNetwork, ...]] = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # protocol assignments; a cloud's metadata at .192
            "192.88.99.0/24",  # relays from 6to4, deprecated
            "168.63.129.16/32",  # a cloud's own services, on every machine in it
            "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
            "3fff::/20",  # documentation
        ),
    )
)
"""What the registries of special addresses hold (IANA's, and the clouds'), and ``is_global`` of some Python lacks."""


def may_connect(address: IpAddress, networks: Sequence[IpNetwork] = ()) -> bool:
    """Whether an address is public, or lies in one of the explicitly allowed networks.

    IPv4 addresses that travel inside IPv6 ones (mapped, 6to4, NAT64) are judged as IPv4 addresses.
    """
    inner = _embedded(address)
    if any(inner in network for network in networks):
        return True
    if isinstance(inner, ipaddress.IPv6Address) and inner not in _GLOBAL_UNICAST:
        return False
    if any(inner in network for network in _SPECIAL):
        return False
    return inner.is_global and not inner.is_multicast and not inner.is_reserved


def _embedded(address: IpAddress) -> IpAddress:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def resolve(host: str, port: int) -> list[str]:
    """Numeric addresses of a host, in the system's order. Blocks. Raises: OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
