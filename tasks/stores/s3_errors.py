"""Translation of botocore's errors to store errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from koebin.engine.errors import (
    InvalidName,
    KoebinError,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreNotFound,
    StoreUnavailable,
)

_CREDENTIALS: Final = "Check the access key, its secret and its policy"
_FULL: Final = {"InsufficientStorage", "QuotaExceeded", "StorageFull", "XMinioStorageFull", "TooManyBuckets"}
_BUSY: Final = {"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests", "InternalError"}
_REGION: Final = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}


@contextmanager
def translated(value: str) -> Iterator[None]:
    """Store error for an error of botocore; ``value`` names the object."""
    try:
        yield
    except ClientError as error:
        raise from_response(error, value) from error
    except BotoCoreError as error:
        raise _from_client(error, value) from error


def status_of(error: ClientError) -> int:
    """The HTTP status of a refused request; 0 if there is none."""
    metadata: Any = error.response.get("ResponseMetadata", {})
    return int(metadata.get("HTTPStatusCode", 0))


def from_response(error: ClientError, value: str) -> KoebinError:
    """Store error for an error response. Only its code is repeated: messages may name keys."""
    code, status = str(error.response.get("Error", {}).get("Code", "")), status_of(error)
    if code == "NoSuchBucket":
        return StoreNotFound("no such bucket", value, "Create it, or correct the store's URI")
    if code in _FULL or status == 507:
        return StoreFull("the store has no space left", value, "Raise its quota, or run: koebin gc")
    if code == "RequestTimeTooSkewed":
        return StoreDenied("this machine's clock is wrong, so its signatures are refused", value, "Set the clock")
    if code in _REGION or status == 301:
        return StoreDenied("the bucket lies in another region", value, "Set the store's region")
    if code in _BUSY or status == 429 or status >= 500:
        return StoreUnavailable(f"the store answers {code or status}", value)
    if status in (401, 403):
        return StoreDenied(f"the store refuses the credentials ({code or status})", value, _CREDENTIALS)
    if status == 404:
        return StoreNotFound("no such object in the store", value)
    return StoreError(f"the store refuses the request ({code or status})", value)


def _from_client(error: BotoCoreError, value: str) -> KoebinError:
    """Store error for an error without a response."""
    match error:
        case boto.NoCredentialsError() | boto.PartialCredentialsError() | boto.CredentialRetrievalError():
            return StoreDenied("no usable credentials were found for the store", value, _CREDENTIALS)
        case boto.NoRegionError():
            return StoreDenied("no region is set for the store", value, "Set the store's region")
        case boto.ParamValidationError():
            return InvalidName("the store does not accept this name", value)
        case boto.SSLError():
            return StoreUnavailable("the store's certificate is not accepted", value, "Check the endpoint and the CA")
        case boto.EndpointConnectionError() | boto.ConnectTimeoutError():
            return StoreUnavailable("the store cannot be reached", value, "Check the endpoint and the network")
        case boto.ReadTimeoutError():
            return StoreUnavailable("the store takes too long to answer", value)
        case boto.HTTPClientError() | boto.IncompleteReadError() | boto.ResponseStreamingError():
            return StoreUnavailable("the connection to the store was cut", value)
        case boto.FlexibleChecksumError() | boto.ChecksumError():
            return StoreUnavailable("the data from the store does not match its checksum", value)
        case _:
            return StoreError(f"the store cannot be used ({type(error).__name__})", value)
