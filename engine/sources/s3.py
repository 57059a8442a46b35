"""S3 source: voices in a bucket of S3, or of a server with its protocol."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from koebin.engine.errors import BackendMissing, SourceCorrupt, SourceError, SourceNotFound, SourceUnavailable
from koebin.engine.sources.base import Listing, RemoteFile, SourceOptions, check_file, check_prefix, is_wanted
from koebin.engine.sources.cache import Shelf
from koebin.engine.sources.cached import CachedSource, endpoint_name
from koebin.engine.sources.versions import FOLDER, LOCK, describe_upload, read_lock, version_folder

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MD5: Final = re.compile(r"[0-9a-f]{32}")
_PARTS: Final = re.compile(r"[0-9a-f]{32}-([0-9]+)")
_BLOCK: Final = 1 << 20

Answer = TypeVar("Answer")


class S3Source(CachedSource):
    """Tree of voices below a prefix of one bucket."""

    def __init__(self, bucket: str, root: str, options: SourceOptions) -> None:
        super().__init__(options)
        self._bucket = bucket
        self._root = f"{root}/" if root else ""
        if options.s3_endpoint:
            endpoint_name(options.s3_endpoint)

    @property
    def uri(self) -> str:
        return f"s3://{self._bucket}/{self._root}".rstrip("/")

    def upload(self, prefix: str, local_dir: Path) -> None:
        manifest = describe_upload(local_dir, self.uri, check_prefix(prefix))
        client, base = self._client(), self._key(prefix)
        for path, file in manifest.files.items():
            key = f"{base}{version_folder(manifest.revision)}/{path}"
            with self._translated(key), (local_dir / path).open("rb") as content:
                client.upload_fileobj(content, self._bucket, key)
                arrived = client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
            if arrived != file.size:
                raise SourceCorrupt(
                    f"{arrived} of {file.size} bytes arrived", f"s3://{self._bucket}/{key}", "Try again"
                )
        with self._translated(base + LOCK):
            client.put_object(
                Bucket=self._bucket, Key=base + LOCK, Body=manifest.to_json(), ContentType="application/json"
            )

    def _shelf(self) -> Shelf:
        root = self._root.rstrip("/").replace("/", "~")
        place = self._options.cache_root / "sources" / "s3" / (f"{self._bucket}~{root}" if root else self._bucket)
        return Shelf(place / self._endpoint_name(place), self.uri)

    def _endpoint_name(self, place: Path) -> str:
        """Folder name of the endpoint: buckets of the same name at two endpoints are two sources."""
        if self._options.s3_endpoint:
            return endpoint_name(self._options.s3_endpoint)
        if not self._closed:
            return endpoint_name(self._client().meta.endpoint_url)
        # A machine with a filled cache need not know its origin.
        known = sorted(path.name for path in place.iterdir()) if place.is_dir() else []
        if len(known) > 1:
            raise SourceError(f"cached from several endpoints ({', '.join(known)})", self.uri, "Set the endpoint")
        return known[0] if known else "unknown"

    def _foreign(self, prefix: str) -> tuple[Path, str] | None:
        from koebin.engine.sources.hayakoe import find_s3

        # That cache does not tell endpoints apart, so it is trusted only where nobody can be asked.
        root = self._options.cache_root
        return find_s3(root, self._bucket, self._root.rstrip("/"), prefix) if self._closed else None

    def _list(self, prefix: str) -> Listing:
        base = self._key(prefix)
        found = self._objects(base, nested=bool(prefix))
        if any(file.path == LOCK for file in found):
            return self._locked(base)
        wanted = sorted((file for file in found if is_wanted(file.path)), key=lambda file: file.path)
        files = tuple(replace(file, digest=self._digest(base + file.path, file.tag)) for file in wanted)
        lines = "".join(f"{file.path}\0{file.size}\0{file.tag}\n" for file in files)
        return Listing(hashlib.sha256(lines.encode()).hexdigest(), files)

    def _locked(self, base: str) -> Listing:
        """Version in use, by the lock file."""
        with self._translated(base + LOCK):
            from koebin.engine.s3.retries import read_again

            lock = read_again(
                lambda: self._client().get_object(Bucket=self._bucket, Key=base + LOCK)["Body"],
                lambda body: bytes(body.read()),
            )
        return read_lock(lock, f"s3://{self._bucket}/{base}{LOCK}")

    def _objects(self, base: str, nested: bool) -> list[RemoteFile]:
        found: list[RemoteFile] = []
        for page in self._pages(base, "" if nested else "/"):
            for entry in page.get("Contents", []):
                path = entry["Key"].removeprefix(base)
                if path.endswith("/") or not path or path.startswith(f"{FOLDER}/"):
                    continue
                found.append(RemoteFile(check_file(path, self.uri), entry["Size"], tag=entry["ETag"].strip('"')))
        return found

    def _digest(self, key: str, tag: str) -> str:
        """Digest of an object's content, if the server tells one."""
        head = self._asked(key, lambda: self._client().head_object(Bucket=self._bucket, Key=key, PartNumber=1))
        if head.get("ServerSideEncryption", "AES256") != "AES256" or head.get("SSECustomerAlgorithm"):
            return ""  # with a customer's encryption key the tag is not an MD5
        if _MD5.fullmatch(tag):
            return f"md5:{tag}"
        parts = _PARTS.fullmatch(tag)
        return f"parts:{head['ContentLength']}:{tag}" if parts and head.get("PartsCount") == int(parts[1]) else ""

    def _children(self, prefix: str) -> list[str]:
        base = self._key(prefix)
        names: set[str] = set()
        for page in self._pages(base, "/"):
            names.update(entry["Key"].removeprefix(base) for entry in page.get("Contents", []))
            names.update(entry["Prefix"].removeprefix(base).rstrip("/") for entry in page.get("CommonPrefixes", []))
        if LOCK in names:
            names = {file.path.split("/")[0] for file in self._locked(base).files}
        return sorted(name for name in names if name and not name.startswith("."))

    def _pages(self, base: str, delimiter: str) -> list[Any]:
        pages = self._client().get_paginator("list_objects_v2")
        return self._asked(base, lambda: list(pages.paginate(Bucket=self._bucket, Prefix=base, Delimiter=delimiter)))

    def _download(self, prefix: str, listing: Listing, missing: list[RemoteFile], staging: Path) -> None:
        base = self._key(prefix) + (f"{listing.base}/" if listing.base else "")
        for file in missing:
            part = staging / "parts" / f"{file.path}.part"
            part.parent.mkdir(parents=True, exist_ok=True)
            self._download_file(base + file.path, file, part)
            target = self._staged(prefix, staging) / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)

    def _download_file(self, key: str, file: RemoteFile, part: Path) -> None:
        """Download an object to ``part``, continuing an interrupted download."""
        start = part.stat().st_size if part.exists() else 0
        if start >= file.size:
            part.unlink(missing_ok=True)
            start = 0
        wanted: Any = {"Range": f"bytes={start}-"} if start else {}
        if file.tag:
            wanted["IfMatch"] = file.tag
        try:
            answer = self._asked(key, lambda: self._client().get_object(Bucket=self._bucket, Key=key, **wanted))
            with self._translated(key):
                going_on = start and answer.get("ContentRange", "").startswith(f"bytes {start}-")
                with part.open("ab" if going_on else "wb") as output:
                    for block in answer["Body"].iter_chunks(_BLOCK):
                        output.write(block)
        except SourceNotFound as gone:  # it was listed just now
            raise SourceUnavailable("the voice was replaced during the download", gone.value, "Try again") from gone
        if part.stat().st_size < file.size:
            raise SourceUnavailable("the connection to the source was cut", f"s3://{self._bucket}/{key}", "Try again")

    def _key(self, prefix: str) -> str:
        return f"{self._root}{prefix}/" if prefix else self._root

    def _translated(self, key: str) -> Any:
        from koebin.engine.sources.s3_errors import translated

        return translated(f"s3://{self._bucket}/{key}")

    def _client(self) -> S3Client:
        try:
            from koebin.engine.s3.client import connect
        except ModuleNotFoundError:
            raise BackendMissing("boto3 is not installed", "s3", "pip install 'koebin[s3]'") from None
        from koebin.engine.sources.s3_errors import translated

        with translated(self._options.s3_endpoint or "s3"):
            return connect(self._options.s3())

    def _asked(self, key: str, step: Callable[[], Answer]) -> Answer:
        """The answer of a request, made again where a refusal may pass."""
        from koebin.engine.s3.retries import retried

        with self._translated(key):
            return retried(step)
