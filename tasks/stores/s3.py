"""S3 store: finished audio in a bucket of S3, or of a server with its protocol."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from koebin.engine.errors import InvalidOption, KoebinError, StoreNotFound
from koebin.engine.s3.client import connect
from koebin.engine.s3.errors import Kind, code_of, meaning, refuses_checksums, status_of
from koebin.engine.s3.options import check_endpoint
from koebin.engine.s3.retries import backoff, read_again, retried
from koebin.tasks.stores.base import Finding, Stat, StoreOptions, check_key, check_prefix, content_type_of
from koebin.tasks.stores.s3_errors import translated

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

log = logging.getLogger(__name__)

MARKER: Final = ".koebin/if-none-match"
"""Probe object: tells whether the server honours If-None-Match."""

_MARK: Final = b"koebin\n"
MAX_PRESIGN_SECONDS: Final = 7 * 24 * 3600
PAGE_KEYS: Final = 1000
_READ_BYTES: Final = 1 << 20
_MAX_PARTS: Final = 10_000
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
        self._plain = False
        check_endpoint(options.endpoint)

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

    def find(self, key: str) -> bytes | None:
        with translated(self.url(key)):
            try:
                return self._body(key, lambda body: body.read(), missing=False)
            except ClientError as error:
                if meaning(error)[0] is Kind.MISSING:
                    return None
                raise

    def get_range(self, key: str, first: int, count: int) -> bytes:
        if count < 1:
            return b""
        span = f"bytes={first}-{first + count - 1}"
        with translated(self.url(key)):
            return retried(lambda: self._client().get_object(**self._target(key), Range=span)["Body"].read())

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
                found = retried(lambda: self._client().head_object(**self._target(key)), missing=False)
        except StoreNotFound:
            return None
        return Stat(found["ContentLength"], found["LastModified"].timestamp(), found["ETag"].strip('"'))

    def list(self, prefix: str = "") -> Iterator[str]:
        wanted = self._prefix + check_prefix(prefix)
        more: dict[str, Any] = {}
        while True:
            with translated(f"s3://{self._bucket}/{wanted}"):
                page = self._page(wanted, more)
            for entry in page.get("Contents", []):
                key = entry["Key"].removeprefix(self._prefix)
                if key != MARKER and not key.endswith("/"):
                    yield key
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _page(self, wanted: str, more: dict[str, Any]) -> Any:
        return retried(
            lambda: self._client().list_objects_v2(Bucket=self._bucket, Prefix=wanted, MaxKeys=PAGE_KEYS, **more)
        )

    def delete(self, key: str) -> None:
        with translated(self.url(key)):
            retried(lambda: self._client().delete_object(**self._target(key)))

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
        """Pass the object's body to ``take``, again from its beginning if it is cut off or damaged on its way."""
        with translated(self.url(key)):
            return self._body(key, take)

    def _body(self, key: str, take: Callable[[StreamingBody], T], *, missing: bool = True) -> T:
        return read_again(lambda: self._client().get_object(**self._target(key))["Body"], take, missing=missing)

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
            self._client().put_object(**self._target(MARKER), **described, Body=_MARK)

        try:
            kept = not (self._sent(send, if_absent=True) and self._sent(send, if_absent=True))
        except ClientError as error:
            if status_of(error) == 501:  # the server does not support the header
                return False
            raise
        if self._options.endpoint and not self._plain and self._options.checksums == "auto":
            self._notice_spoilt(send)
        return kept

    def _notice_spoilt(self, send: Send) -> None:
        """Old servers store what boto3 wraps around a body for its checksum as part of the body."""
        if self._body(MARKER, lambda body: body.read()) == _MARK:
            return
        send({})
        if self._body(MARKER, lambda body: body.read()) != _MARK:
            log.warning("%s spoils boto3's checksums: it is written to without them", self.uri)
            self._plain = True
            send({})

    def _write(self, key: str, send: Send, if_absent: bool) -> bool:
        if if_absent and not self.honours_conditions():
            if self.exists(key):
                return False
            if_absent = False
        with translated(self.url(key)):
            return self._sent(send, if_absent=if_absent)

    def _sent(self, send: Send, *, if_absent: bool) -> bool:
        """Make a write; again without boto3's checksums where the server may have refused it for them."""
        try:
            return _send_if_absent(send) if if_absent else _send(send)
        except ClientError as error:
            if self._plain or self._options.checksums != "auto" or not refuses_checksums(error):
                raise
            self._plain = True
            try:
                answer = _send_if_absent(send) if if_absent else _send(send)
            except ClientError:
                self._plain = False
                raise error from None
            log.warning("%s refuses boto3's checksums (%s): it is written to without them", self.uri, code_of(error))
            return answer

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
        return connect(self._options.s3(), plain=self._plain)


def _send(send: Send) -> bool:
    retried(lambda: send({}))
    return True


def _send_if_absent(send: Send) -> bool:
    """Send on the condition that no such object exists yet; False if it does.

    409 means that another write of the same key is in progress: the first to end wins, so ask again.
    """
    for attempt in range(1, _CONFLICT_ATTEMPTS + 1):
        try:
            retried(lambda: send({"IfNoneMatch": "*"}))
        except ClientError as error:
            match status_of(error):
                case 412:
                    return False
                case 409 if attempt < _CONFLICT_ATTEMPTS:
                    time.sleep(backoff(attempt))
                case _:
                    raise
        else:
            return True
    raise AssertionError("unreachable")
