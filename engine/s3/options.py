"""Connection options of an S3 server; they need no boto3."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from koebin.engine.errors import InvalidSettings

Checksums = Literal["auto", "when_supported", "when_required"]


@dataclass(frozen=True, slots=True)
class S3Options:
    """How an S3 endpoint is reached.

    Attributes:
        endpoint: ``http(s)://host:port`` of an S3-compatible server; "" is AWS.
        region: "" lets boto3 decide.
        path_style: ``endpoint/bucket/key`` instead of ``bucket.endpoint/key``; None: whenever an endpoint is given.
        access_key_id, secret_access_key, session_token: "" leaves them to boto3's own chain.
        connect_timeout, read_timeout: seconds.
        attempts: tries per request, the first included, with exponential backoff and jitter between them.
        checksums: ``when_required`` for servers that refuse the checksums which boto3 adds by itself; ``auto`` finds
            out by the first refusal.
    """

    endpoint: str = ""
    region: str = ""
    path_style: bool | None = None
    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    attempts: int = 5
    checksums: Checksums = "auto"


def check_endpoint(endpoint: str) -> None:
    """Refuse what cannot be an endpoint; "" is AWS.

    Raises:
        InvalidSettings: no http(s) URL, or one with credentials, a query or a fragment.
    """
    if not endpoint:
        return
    try:
        parts = urlsplit(endpoint)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise InvalidSettings("not an endpoint of an S3 server", "", "Use http(s)://host:port") from None
    if "@" in parts.netloc:
        raise InvalidSettings("the S3 endpoint holds credentials", "", "Set them apart from the endpoint")
    if not sound or parts.query or parts.fragment:
        raise InvalidSettings("not an endpoint of an S3 server", endpoint, "Use http(s)://host:port")
