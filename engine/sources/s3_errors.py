"""Errors of an S3 server as those of a source of voices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from koebin.engine.errors import SourceDenied, SourceError, SourceNotFound, SourceUnavailable
from koebin.engine.s3 import errors as s3

SOURCE: Final = s3.Family(
    "source",
    denied=SourceDenied,
    missing=SourceNotFound,
    full=SourceUnavailable,
    unavailable=SourceUnavailable,
    other=SourceError,
)


@contextmanager
def translated(value: str) -> Iterator[None]:
    """Turn an error of botocore, or of the file that is written, into the one of ours that it means."""
    try:
        with s3.translated(value, SOURCE):
            yield
    except (ConnectionError, TimeoutError) as error:
        raise SourceUnavailable("the connection to the source broke", value) from error
    except OSError as error:
        raise SourceError(error.strerror or type(error).__name__, str(error.filename or value)) from error
