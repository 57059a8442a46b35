"""Errors of an S3 server as those of a store."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Final

from koebin.engine.errors import StoreDenied, StoreError, StoreFull, StoreNotFound, StoreUnavailable
from koebin.engine.s3 import errors as s3

STORE: Final = s3.Family(
    "store",
    denied=StoreDenied,
    missing=StoreNotFound,
    full=StoreFull,
    unavailable=StoreUnavailable,
    other=StoreError,
)


def translated(value: str) -> AbstractContextManager[None]:
    """Turn an error of botocore into the one of ours that it means; ``value`` names the object."""
    return s3.translated(value, STORE)
