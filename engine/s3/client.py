"""The S3 client: one way to make it for all who read and write."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import boto3
import boto3.s3.inject  # or boto3 imports it when it makes a client
from botocore.config import Config

from koebin.engine.s3.options import S3Options

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def connect(options: S3Options, *, plain: bool = False) -> S3Client:
    """This process's client for these options; it is shared by its threads.

    Args:
        plain: without the checksums that boto3 adds by itself; for a server that has refused them.

    Raises:
        botocore.exceptions.BotoCoreError: no region, or a configuration file that cannot be read.
    """
    checksums = "when_required" if plain or options.checksums == "when_required" else "when_supported"
    return _connect(os.getpid(), options, checksums)


@lru_cache(maxsize=16)
def _connect(
    process: int,  # noqa: ARG001
    options: S3Options,
    checksums: Literal["when_supported", "when_required"],
) -> S3Client:
    """A client of this process: making one takes half a second, and a fork must not share its parent's sockets."""
    path_style = bool(options.endpoint) if options.path_style is None else options.path_style
    # A session of one's own: the default one is shared and not safe to make clients from in threads.
    session = boto3.session.Session(
        aws_access_key_id=options.access_key_id or None,
        aws_secret_access_key=options.secret_access_key or None,
        aws_session_token=options.session_token or None,
    )
    # A server of one's own has no regions, but every signature names one.
    region = options.region or session.region_name or ("us-east-1" if options.endpoint else None)
    return session.client(
        "s3",
        region_name=region,
        endpoint_url=options.endpoint or None,
        config=Config(
            signature_version="s3v4",
            connect_timeout=options.connect_timeout,
            read_timeout=options.read_timeout,
            tcp_keepalive=True,
            retries={"mode": "standard", "total_max_attempts": options.attempts},
            s3={"addressing_style": "path" if path_style else "auto"},
            request_checksum_calculation=checksums,
            response_checksum_validation=checksums,
        ),
    )
