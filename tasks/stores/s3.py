"""S3 store: finished audio in a bucket of S3, or of a server with its protocol."""

from __future__ import annotations

import logging
import os
import random
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar
from urllib.parse import urlsplit

import boto3
import boto3.s3.inject  # or boto3 imports it when it makes a client
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from koebin.engine.errors import InvalidOption, InvalidSettings, KoebinError, StoreNotFound, StoreUnavailable
from koebin.tasks.stores.base import Finding, Stat, StoreOptions, check_key, check_prefix, content_type_of
from koebin.tasks.stores.s3_errors import status_of, translated

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PaginatorConfigTypeDef

log = logging.getLogger(__name__)

MARKER: Final = ".koebin/if-none-match"
"""Probe object: tells whether the server honours If-None-Match."""

MAX_PRESIGN_SECONDS: Final = 7 * 24 * 3600
PAGE_KEYS: Final = 1000
_READ_BYTES: Final = 1 << 20
_MAX_PARTS: Final = 10_000
_BODY_ATTEMPTS: Final = 3
_CONFLICT_ATTEMPTS: Final = 8

T = TypeVar("T")
Send = Callable[[dict[str, Any]], None]


class Target(TypedDict):
    """Location of an object, as boto3 expects it."""

    Bucket: str
    Key: str


class S3Store:
    """Store of objects below a prefix of one bucket.

    A conditional write (``If-None-Match: *``) decides a race on the server. Not every server honours it, so it
    is tried once per process; where it does not hold, a look before the write takes its place, and two writers at the
    very same moment leave the later one's object.
    """

    def __init__(self, bucket: str, prefix: str, options: StoreOptions) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._options = options
        self._conditional: bool | None = None
        _check_endpoint(options.endpoint)

    def __repr__(self) -> str:
        return f"S3Store({self.uri!r})"

    @property
    def uri(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def url(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{check_key(key)}"

    def put(self, key: str, data: bytes, *, if_absent: bool = True, content_type: str | None = None) -> bool:
        def send(condition: dict[str, Any]) -> None:
            self._client().put_object(
                **self._target(key), **self._written_as(key, content_type), **condition, Body=data
            )

        return self._write(key, send, if_absent)

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        if_absent: bool = False,
        content_type: str | None = None,
        given: bool = False,  # noqa: ARG002
    ) -> bool:
        size = path.stat().st_size

        def send(condition: dict[str, Any]) -> None:
            if size >= self._options.multipart_threshold:
                self._put_in_parts(key, path, size, self._written_as(key, content_type), condition)
                return
            with path.open("rb") as body:
                described = {**self._written_as(key, content_type), **condition}
                self._client().put_object(**self._target(key), **described, Body=body)

        if if_absent and self.exists(key):
            return False  # spares the upload; the server still decides
        return self._write(key, send, if_absent)

    def get(self, key: str) -> bytes:
        return self._read(key, lambda body: body.read())

    def download(self, key: str, path: Path) -> None:
        def save(body: StreamingBody) -> None:
            with partial.open("wb") as file:
                for data in body.iter_chunks(_READ_BYTES):
                    file.write(data)

        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            self._read(key, save)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def exists(self, key: str) -> bool:
        return self.head(key) is not None

    def head(self, key: str) -> Stat | None:
        try:
            with translated(self.url(key)):
                found = self._client().head_object(**self._target(key))
        except StoreNotFound:
            return None
        return Stat(found["ContentLength"], found["LastModified"].timestamp(), found["ETag"].strip('"'))

    def list(self, prefix: str = "") -> Iterator[str]:
        wanted = self._prefix + check_prefix(prefix)
        with translated(f"s3://{self._bucket}/{wanted}"):
            pages = self._client().get_paginator("list_objects_v2")
            sizes: PaginatorConfigTypeDef = {"PageSize": PAGE_KEYS}
            for page in pages.paginate(Bucket=self._bucket, Prefix=wanted, PaginationConfig=sizes):
                for entry in page.get("Contents", []):
                    key = entry["Key"].removeprefix(self._prefix)
                    if key != MARKER and not key.endswith("/"):
                        yield key

    def delete(self, key: str) -> None:
        with translated(self.url(key)):
            self._client().delete_object(**self._target(key))

    def presign(self, key: str, seconds: int) -> str:
        if not 1 <= seconds <= MAX_PRESIGN_SECONDS:
            raise InvalidOption("a URL cannot be signed for that long", f"{seconds} s", "Use 1 s to 7 days")
        with translated(self.url(key)):
            target = dict(self._target(key))
            return self._client().generate_presigned_url("get_object", Params=target, ExpiresIn=seconds)

    def probe(self) -> Sequence[Finding]:
        key = f"doctor/{secrets.token_hex(8)}"
        try:
            list(self.list(key))  # first: some servers create a missing bucket on a write
            self.put(key, b"koebin", if_absent=False)
            read = self.get(key)
            listed = list(self.list(key))
            conditional = self.honours_conditions()
            self.delete(key)
        except KoebinError as error:
            return [Finding("store", False, str(error), error.hint)]
        once = Finding("store keeps the first write", True, "If-None-Match is honoured")
        if not conditional:
            once = Finding(
                "store keeps the first write",
                True,
                "the server ignores If-None-Match: an existence check before each write replaces it",
            )
        return [
            Finding("store", read == b"koebin" and listed == [key], f"{self.uri} can be written, read and listed"),
            once,
        ]

    def sweep_temporary(self, older_than_seconds: float) -> int:
        limit, removed = datetime.now(UTC) - timedelta(seconds=older_than_seconds), 0
        with translated(self.uri):
            pages = self._client().get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for upload in page.get("Uploads", []):
                    if upload["Initiated"] < limit:
                        self._abort(upload["Key"], upload["UploadId"])
                        removed += 1
        return removed

    def _read(self, key: str, take: Callable[[StreamingBody], T]) -> T:
        """Pass the object's body to ``take``, again from its beginning if it is cut off.

        botocore asks again when a request fails, but not when a body ends too early.
        """
        for attempt in range(_BODY_ATTEMPTS):
            with translated(self.url(key)):
                body = self._client().get_object(**self._target(key))["Body"]
            try:
                with translated(self.url(key)):
                    return take(body)
            except StoreUnavailable:
                if attempt + 1 == _BODY_ATTEMPTS:
                    raise
                time.sleep(_backoff(attempt))
        raise AssertionError("unreachable")

    def honours_conditions(self) -> bool:
        """Whether the server honours ``If-None-Match: *``; tested once, then remembered."""
        if self._conditional is None:
            with translated(self.url(MARKER)):
                self._conditional = self._marker_is_kept()
            if not self._conditional:
                log.warning("%s ignores If-None-Match: an existence check before each write replaces it", self.uri)
        return self._conditional

    def _marker_is_kept(self) -> bool:
        def send(condition: dict[str, Any]) -> None:
            described = {**self._written_as(MARKER, "text/plain"), **condition}
            self._client().put_object(**self._target(MARKER), **described, Body=b"koebin\n")

        try:
            return not (_send_if_absent(send) and _send_if_absent(send))
        except ClientError as error:
            if status_of(error) == 501:  # the server does not support the header
                return False
            raise

    def _write(self, key: str, send: Send, if_absent: bool) -> bool:
        if if_absent and not self.honours_conditions():
            if self.exists(key):
                return False
            if_absent = False
        with translated(self.url(key)):
            if if_absent:
                return _send_if_absent(send)
            send({})
            return True

    def _put_in_parts(
        self, key: str, path: Path, size: int, described: dict[str, Any], condition: dict[str, Any]
    ) -> None:
        """Upload ``path`` in parts; a failed upload leaves nothing on the server."""
        client, target = self._client(), self._target(key)
        part_size = max(self._options.part_size, -(-size // _MAX_PARTS))
        upload = client.create_multipart_upload(**target, **described)["UploadId"]
        try:
            parts: list[Any] = []
            with path.open("rb") as file:
                while body := file.read(part_size):
                    number = len(parts) + 1
                    sent = client.upload_part(**target, UploadId=upload, PartNumber=number, Body=body)
                    parts.append({"PartNumber": number, "ETag": sent["ETag"]})
            client.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": parts}, **condition)
        except BaseException:
            self._abort(target["Key"], upload)
            raise

    def _abort(self, key: str, upload: str) -> None:
        try:
            self._client().abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
        except (BotoCoreError, ClientError) as error:
            if not (isinstance(error, ClientError) and status_of(error) == 404):
                log.warning("an unfinished upload to s3://%s/%s remains until the next clean-up", self._bucket, key)

    def _target(self, key: str) -> Target:
        return {"Bucket": self._bucket, "Key": self._prefix + check_key(key)}

    def _written_as(self, key: str, content_type: str | None) -> dict[str, Any]:
        described: dict[str, Any] = {"ContentType": content_type or content_type_of(key)}
        if self._options.encryption:
            described["ServerSideEncryption"] = self._options.encryption
        if self._options.kms_key_id:
            described["SSEKMSKeyId"] = self._options.kms_key_id
        return described

    def _client(self) -> S3Client:
        return _connect(os.getpid(), self._options)


def _send_if_absent(send: Send) -> bool:
    """Send on the condition that no such object exists yet; False if it does.

    409 means that another write of the same key is in progress: the first to end wins, so ask again.
    """
    for attempt in range(_CONFLICT_ATTEMPTS):
        try:
            send({"IfNoneMatch": "*"})
        except ClientError as error:
            match status_of(error):
                case 412:
                    return False
                case 409 if attempt + 1 < _CONFLICT_ATTEMPTS:
                    time.sleep(_backoff(attempt))
                case _:
                    raise
        else:
            return True
    raise AssertionError("unreachable")


def _backoff(attempt: int) -> float:
    """Seconds to wait: exponential, at most 5, with full jitter."""
    return random.uniform(0.0, min(5.0, 0.1 * 2**attempt))


@lru_cache(maxsize=16)
def _connect(process: int, options: StoreOptions) -> S3Client:  # noqa: ARG001
    """Client of this process: creating one takes half a second, and a fork must not share its parent's sockets."""
    path_style = bool(options.endpoint) if options.path_style is None else options.path_style
    session = boto3.session.Session(
        aws_access_key_id=options.access_key_id or None,
        aws_secret_access_key=options.secret_access_key or None,
        aws_session_token=options.session_token or None,
        # A server of one's own has no regions, but every signature names one.
        region_name=options.region or ("us-east-1" if options.endpoint else None),
    )
    return session.client(
        "s3",
        endpoint_url=options.endpoint or None,
        config=Config(
            signature_version="s3v4",
            connect_timeout=options.connect_timeout,
            read_timeout=options.read_timeout,
            retries={"mode": "standard", "total_max_attempts": options.attempts},
            s3={"addressing_style": "path" if path_style else "auto"},
            request_checksum_calculation=options.checksums,
            response_checksum_validation=options.checksums,
        ),
    )


def _check_endpoint(endpoint: str) -> None:
    if not endpoint:
        return
    parts = urlsplit(endpoint)
    if "@" in parts.netloc:
        raise InvalidSettings(
            "the store's endpoint holds credentials", "", "Set KOEBIN_S3_ACCESS_KEY and KOEBIN_S3_SECRET_KEY instead"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InvalidSettings("not a valid endpoint of a store", endpoint, "Use http(s)://host:port")
