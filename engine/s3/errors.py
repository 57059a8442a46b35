"""Errors of botocore: what each means, who is to blame, and whether another try may help. One table for all.

| kind | examples | tries |
|---|---|---|
| MISSING | 404 | 2: a proxy in front of the server may have answered |
| BUCKET | no such bucket | 1 |
| NO_LOGIN | no credentials at all | 1 |
| DENIED | 401, 403 | 2: servers that start, and policies that spread, refuse for a moment |
| CLOCK, REGION | this machine's clock or region is wrong | 1 |
| FULL | quota, 507 | 1; the task waits |
| CHANGED | 412 while reading | 1; the caller begins again |
| BUSY, AWAY, CUT | 429, 5xx, no connection, one that broke | 1, and botocore's own before it |
| CUT, SUM of a body | a body that ends too early, or has a wrong checksum | 3: botocore does not ask again |
| NAME, OTHER | a name that no bucket can have; all else | 1 |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from koebin.engine.errors import InvalidName, KoebinError

_BUSY: Final = {"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests", "InternalError"}
_CLOCK: Final = {"RequestTimeTooSkewed", "RequestExpired"}
_FULL: Final = {"InsufficientStorage", "QuotaExceeded", "StorageFull", "XMinioStorageFull", "TooManyBuckets"}
_REGION: Final = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
_NO_CHECKSUMS: Final = {
    "BadDigest",
    "InvalidArgument",
    "InvalidDigest",
    "InvalidRequest",
    "MissingContentLength",
    "NotImplemented",
    "SignatureDoesNotMatch",
    "XAmzContentChecksumMismatch",
    "XAmzContentSHA256Mismatch",
}
"""What servers that do not know boto3's checksums make of a write with one."""
_SKEW_SECONDS: Final = 600.0
"""S3 refuses signatures that are 15 minutes off; an answer to HEAD has no body that would say so."""
_CREDENTIALS: Final = "Check the access key, its secret and its policy"


class Kind(StrEnum):
    """Meaning of an error."""

    MISSING = "missing"
    BUCKET = "bucket"
    DENIED = "denied"
    NO_LOGIN = "no login"
    CLOCK = "clock"
    REGION = "region"
    FULL = "full"
    CHANGED = "changed"
    BUSY = "busy"
    AWAY = "away"
    CUT = "cut"
    SUM = "checksum"
    NAME = "name"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Family:
    """The errors of one side: of a store, or of a source of voices.

    Attributes:
        noun: for messages, such as ``store``.
    """

    noun: str
    denied: type[KoebinError]
    missing: type[KoebinError]
    full: type[KoebinError]
    unavailable: type[KoebinError]
    other: type[KoebinError]

    def error(self, kind: Kind, detail: str, value: str) -> KoebinError:
        """The error of this family for a kind."""
        cls, what, hint = self._table(detail)[kind]
        return cls(what, value, hint)

    def _table(self, detail: str) -> dict[Kind, tuple[type[KoebinError], str, str]]:
        noun, said = self.noun, f" ({detail})" if detail else ""
        region = f"Set KOEBIN_S3_REGION={detail}" if detail else f"Set the {noun}'s region: KOEBIN_S3_REGION"
        return {
            Kind.MISSING: (self.missing, f"no such object in the {noun}", ""),
            Kind.BUCKET: (self.missing, "no such bucket", f"Create it, or correct the {noun}'s URI"),
            Kind.DENIED: (self.denied, f"the {noun} refuses these credentials{said}", _CREDENTIALS),
            Kind.NO_LOGIN: (self.denied, f"no usable credentials for the {noun}", _CREDENTIALS),
            Kind.CLOCK: (self.denied, f"this machine's clock is wrong{said}", "Set the clock"),
            Kind.REGION: (self.denied, "the bucket lies in another region", region),
            Kind.FULL: (self.full, f"the {noun} has no space left", "Raise its quota, or run: koebin gc"),
            Kind.CHANGED: (self.unavailable, f"the {noun} was changed while it was read", "Try again"),
            Kind.BUSY: (self.unavailable, f"the {noun} answers {detail}", ""),
            Kind.AWAY: (self.unavailable, f"the {noun} cannot be reached{said}", "Check the endpoint and the network"),
            Kind.CUT: (self.unavailable, f"the connection to the {noun} was cut{said}", ""),
            Kind.SUM: (self.unavailable, f"what the {noun} sent does not match its checksum", ""),
            Kind.NAME: (InvalidName, f"the {noun} cannot take this name", ""),
            Kind.OTHER: (self.other, f"the {noun} cannot do this{said}", ""),
        }


@contextmanager
def translated(value: str, family: Family) -> Iterator[None]:
    """Turn an error of botocore into the one of ours that it means; ``value`` names the object."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise family.error(*meaning(error), value) from error


def meaning(error: ClientError | BotoCoreError) -> tuple[Kind, str]:
    """The kind of an error, and a detail. Only codes are repeated: messages may name keys."""
    return _of_answer(error) if isinstance(error, ClientError) else _of_client(error)


def status_of(error: ClientError) -> int:
    """The HTTP status of a refused request; 0 if there is none."""
    metadata: Any = error.response.get("ResponseMetadata", {})
    return int(metadata.get("HTTPStatusCode", 0))


def code_of(error: ClientError) -> str:
    """S3's name of an error, "" if there is none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def refuses_checksums(error: ClientError) -> bool:
    """Whether a write may have been refused for the checksum that boto3 added."""
    return status_of(error) in (400, 403, 411, 501) and code_of(error) in _NO_CHECKSUMS


def _of_answer(error: ClientError) -> tuple[Kind, str]:
    code, status = code_of(error), status_of(error)
    if code == "NoSuchBucket":
        return Kind.BUCKET, ""
    if code in _FULL or status == 507:
        return Kind.FULL, ""
    if code in _CLOCK or (status in (400, 403) and (skew := _skew(error)) and abs(skew) > _SKEW_SECONDS):
        return Kind.CLOCK, _described(_skew(error))
    if code in _REGION or status == 301 or (status == 400 and _header(error, "x-amz-bucket-region")):
        return Kind.REGION, _header(error, "x-amz-bucket-region")
    if code == "PreconditionFailed" or status == 412:
        return Kind.CHANGED, ""
    if code in _BUSY or status == 429 or status >= 500:
        return Kind.BUSY, code or str(status)
    if status in (401, 403):
        return Kind.DENIED, code or str(status)
    if status == 404:
        return Kind.MISSING, ""
    return Kind.OTHER, code or str(status)


def _of_client(error: BotoCoreError) -> tuple[Kind, str]:
    """The meaning of an error that came up before, or instead of, an answer."""
    match error:
        case boto.NoCredentialsError() | boto.PartialCredentialsError() | boto.CredentialRetrievalError():
            return Kind.NO_LOGIN, ""
        case boto.NoRegionError():
            return Kind.REGION, ""
        case boto.ParamValidationError():
            return Kind.NAME, ""
        case boto.SSLError():
            return Kind.AWAY, "its certificate is not accepted"
        case boto.EndpointConnectionError() | boto.ConnectTimeoutError():
            return Kind.AWAY, ""
        case boto.ReadTimeoutError():
            return Kind.CUT, "it takes too long to answer"
        case boto.HTTPClientError() | boto.IncompleteReadError() | boto.ResponseStreamingError():
            return Kind.CUT, ""
        case boto.FlexibleChecksumError() | boto.ChecksumError():
            return Kind.SUM, ""
        case _:
            return Kind.OTHER, type(error).__name__


def _header(error: ClientError, name: str) -> str:
    metadata: Any = error.response.get("ResponseMetadata", {})
    return str((metadata.get("HTTPHeaders") or {}).get(name, ""))


def _skew(error: ClientError) -> float | None:
    """Seconds by which this machine is ahead of the server; None where it does not say the time."""
    try:
        return (datetime.now(UTC) - parsedate_to_datetime(_header(error, "date"))).total_seconds()
    except (TypeError, ValueError):
        return None


def _described(skew: float | None) -> str:
    return "" if skew is None else f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the server's"
