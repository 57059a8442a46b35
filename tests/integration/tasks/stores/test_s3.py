"""The S3 store against a real server, and against servers that misbehave."""

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from koebin.engine.errors import StoreDenied, StoreError, StoreNotFound, StoreUnavailable
from koebin.tasks.stores.base import StoreOptions
from koebin.tasks.stores.s3 import S3Store
from koebin.tasks.stores.uri import open_store
from tests.servers.waiting import PATIENCE

ROOT = Path(__file__).parents[4]


@pytest.fixture
def options(s3_server):
    return StoreOptions(
        endpoint=s3_server.endpoint,
        access_key_id=s3_server.access_key,
        secret_access_key=s3_server.secret_key,
        multipart_threshold=6 << 20,
        part_size=5 << 20,
        attempts=2,
    )


@pytest.fixture(scope="module")
def bucket(s3_server):
    return s3_server.bucket()


@pytest.fixture
def store(bucket, options):
    return open_store(f"s3://{bucket}/{uuid.uuid4().hex}", options=options)


@pytest.fixture
def raw(s3_server):
    return s3_server.client()


def target(store, key):
    """Where boto3 finds the object."""
    bucket, _, full = store.url(key).removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": full}


def test_objects_come_and_go(store, tmp_path):
    assert store.put("segments/ab/x.json", b"first")
    assert not store.put("segments/ab/x.json", b"second")
    assert store.get("segments/ab/x.json") == b"first"
    assert store.put("segments/ab/x.json", b"third", if_absent=False)
    found = store.head("segments/ab/x.json")
    assert (found.size, abs(found.modified - time.time()) < 60) == (5, True)
    store.download("segments/ab/x.json", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"third"
    assert store.url("segments/ab/x.json") == store.uri + "/segments/ab/x.json"
    store.put("jobs/夢 十夜/out.json", b"")
    assert sorted(store.list()) == ["jobs/夢 十夜/out.json", "segments/ab/x.json"]
    assert list(store.list("segments/a")) == ["segments/ab/x.json"]
    store.delete("segments/ab/x.json")
    store.delete("segments/ab/x.json")
    assert store.head("segments/ab/x.json") is None
    with pytest.raises(StoreNotFound):
        store.get("segments/ab/x.json")
    with pytest.raises(StoreNotFound):
        store.download("segments/ab/x.json", tmp_path / "y")
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("key", ["a b/c+d", "100%25", "q?x=1&y=2", "#hash", "~tilde*", "「夢」/é", "<xml>&amp;"])
def test_keys_of_all_kinds(store, key):
    assert store.put(key, key.encode(errors="replace"))
    assert store.get(key) == key.encode(errors="replace")
    assert list(store.list()) == [key]
    with urllib.request.urlopen(store.presign(key, 60)) as answer:
        assert answer.read() == key.encode()
    store.delete(key)
    assert list(store.list()) == []


def test_listing_goes_over_pages(store, raw, monkeypatch):
    monkeypatch.setattr("koebin.tasks.stores.s3.PAGE_KEYS", 10)
    for number in range(25):
        raw.put_object(**target(store, f"done/{number}"), Body=b"")
    assert len(set(store.list("done/"))) == 25


def test_a_large_file_goes_in_parts_and_the_first_one_stays(store, raw, tmp_path):
    source = tmp_path / "book.flac"
    source.write_bytes(os.urandom(12 << 20))
    assert store.put_file("out/book.flac", source, if_absent=True)
    found = raw.head_object(**target(store, "out/book.flac"))
    assert found["ETag"].endswith('-3"')
    assert found["ContentType"] == "audio/flac"
    store.download("out/book.flac", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()
    assert not store.put_file("out/book.flac", source, if_absent=True)
    (tmp_path / "new").write_bytes(os.urandom(7 << 20))
    assert store.put_file("out/book.flac", tmp_path / "new", if_absent=False)
    assert store.head("out/book.flac").size == 7 << 20


RACE = """
import os, sys, time
from pathlib import Path
from koebin.tasks.stores.base import StoreOptions
from koebin.tasks.stores.uri import open_store
options = StoreOptions(endpoint=os.environ["AWS_ENDPOINT_URL_S3"], multipart_threshold=6 << 20, part_size=5 << 20)
store, name, file = open_store(sys.argv[1], options=options), sys.argv[2], Path(sys.argv[3])
file.write_bytes(name.encode() * (6 << 20))
store.put("warm/" + name, b"")
while len(list(store.list("warm/"))) < 2:
    time.sleep(0.02)
store.exists = lambda key: False  # both go through with the upload, so that the server has to decide
small = sum(store.put(f"small/{i}", name.encode() * 1000) for i in range(20))
print(small, sum(store.put_file(f"large/{i}", file, if_absent=True) for i in range(2)))
"""


def test_two_processes_write_the_same_keys(store, s3_server, tmp_path):
    environment = {**os.environ, **s3_server.environment()}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, store.uri, name, str(tmp_path / name)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    won = [[int(word) for word in writer.communicate(timeout=PATIENCE)[0].split()] for writer in writers]
    small, large = (sum(pair) for pair in zip(*won, strict=True))
    assert small == 20
    # This server looks whether a large object is there and completes it in two steps: rarely both are told they won.
    assert 2 <= large <= 4
    stored = [store.get(f"small/{number}") for number in range(20)]
    assert [stored.count(name * 1000) for name in (b"a", b"b")] == [won[0][0], won[1][0]]
    for number in range(2):
        assert len(set(store.get(f"large/{number}"))) == 1
    assert store.sweep_temporary(0) == 0, "the loser leaves no open upload"


def test_a_signed_url_is_read_by_anyone_until_it_expires(store):
    store.put("a.json", b"audio")
    url = store.presign("a.json", 1)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"audio"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url.replace("a.json", "b.json"))
    time.sleep(2.1)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url)


def test_credentials_that_are_wrong_or_too_weak(store, options, s3_server):
    store.put("a", b"x")
    for wrong in (
        replace(options, secret_access_key="not-the-secret"),
        replace(options, access_key_id="NOBODY"),
    ):
        refused = open_store(store.uri, options=wrong)
        for attempt in (lambda s=refused: s.get("a"), lambda s=refused: s.put("b", b""), lambda s=refused: s.head("a")):
            with pytest.raises(StoreDenied) as caught:
                attempt()
            assert not any(secret in repr(caught.value) for secret in ("not-the-secret", "NOBODY"))
        assert [finding.ok for finding in refused.probe()] == [False]
    reader = open_store(
        store.uri,
        options=replace(
            options, access_key_id=s3_server.reader_access_key, secret_access_key=s3_server.reader_secret_key
        ),
    )
    assert reader.get("a") == b"x"
    with pytest.raises(StoreDenied):
        reader.put("b", b"")
    assert not store.exists("b")


def test_no_credentials_at_all(options, bucket):
    code = (
        "import sys\n"
        "from koebin.tasks.stores.base import StoreOptions\nfrom koebin.tasks.stores.uri import open_store\n"
        "open_store(sys.argv[1], options=StoreOptions(endpoint=sys.argv[2], attempts=1)).get('a')"
    )
    bare = {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", code, f"s3://{bucket}", options.endpoint],
        cwd=ROOT, env=bare, capture_output=True, text=True,
    )  # fmt: skip
    assert "StoreDenied: no usable credentials" in done.stderr


def test_a_bucket_that_does_not_exist(options):
    store = open_store("s3://nobody-made-this/x", options=options)
    for attempt in (lambda: store.get("a"), lambda: list(store.list())):
        with pytest.raises(StoreNotFound, match="no such bucket"):
            attempt()
    assert "no such bucket" in store.probe()[0].detail


def test_an_endpoint_that_is_down(options):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{held.getsockname()[1]}"
        store = S3Store("bucket", "", replace(options, endpoint=endpoint, attempts=2))
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            store.put("a", b"")
        assert not store.probe()[0].ok


def test_half_an_upload_is_invisible_and_swept(store, raw):
    key = target(store, "jobs/42/book.flac")
    upload = raw.create_multipart_upload(**key)["UploadId"]
    raw.upload_part(**key, UploadId=upload, PartNumber=1, Body=os.urandom(5 << 20))
    assert not store.exists("jobs/42/book.flac")
    assert store.sweep_temporary(3600) == 0
    time.sleep(1)
    assert store.sweep_temporary(0) == 1
    assert not raw.list_multipart_uploads(Bucket=key["Bucket"]).get("Uploads")


def test_an_upload_that_fails_is_aborted(store, raw, bucket, tmp_path, monkeypatch):
    source = tmp_path / "book.flac"
    source.write_bytes(os.urandom(11 << 20))
    client, sent = store._client(), []
    upload_part = client.upload_part

    def full_after_one(**arguments):
        if sent:
            raise KeyboardInterrupt
        sent.append(arguments)
        return upload_part(**arguments)

    monkeypatch.setattr(client, "upload_part", full_after_one)
    with pytest.raises(KeyboardInterrupt):
        store.put_file("book.flac", source)
    assert not store.exists("book.flac")
    assert not raw.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_probe_tells_that_conditions_are_honoured(store):
    findings = store.probe()
    assert all(finding.ok for finding in findings)
    assert "is honoured" in findings[1].detail
    assert list(store.list()) == []


PASSING = ("403 AccessDenied", "404 NoSuchKey")


class Misbehaving(BaseHTTPRequestHandler):
    """An S3 server as one meets them: without If-None-Match, with 503s, or with bodies that are cut off."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]
    mode = "plain"
    requests: list[str]

    def _answer(self, status, body=b"", length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("ETag", '"0"')
        self.send_header("Last-Modified", "Mon, 23 Nov 2026 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def _handle(self):
        self.requests.append(self.command)
        if self.mode in PASSING and self.requests.count(self.command) == 1 and self.command != "HEAD":
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer(int(self.mode.split()[0]), f"<Error><Code>{self.mode.split()[1]}</Code></Error>".encode())
            return
        if self.mode == "no checksums" and any(name.lower().startswith("x-amz-checksum") for name in self.headers):
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(400, b"<Error><Code>InvalidArgument</Code></Error>")
            return
        key, body = self.path.split("?")[0], b""
        if self.command == "PUT":
            body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.mode == "503":
            self._answer(503)
        elif self.mode == "501" and self.headers.get("If-None-Match"):
            self._answer(501, b"<Error><Code>NotImplemented</Code></Error>")
        elif self.command == "PUT":
            self.objects[key] = body
            self._answer(200)
        elif key not in self.objects:
            self._answer(404)
        elif self.command == "HEAD":
            self._answer(200, length=len(self.objects[key]))
        elif self.mode == "cut":
            self._answer(200, self.objects[key][:-1], len(self.objects[key]))
            self.close_connection = True
        else:
            self._answer(200, self.objects[key])

    do_PUT = do_GET = do_HEAD = _handle  # noqa: N815

    def log_message(self, *arguments):
        pass


@pytest.fixture
def misbehaving(request):
    Handler = type("Handler", (Misbehaving,), {"objects": {}, "requests": [], "mode": request.param})  # noqa: N806
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield (
        Handler,
        StoreOptions(
            endpoint=f"http://127.0.0.1:{server.server_port}",
            access_key_id="a",
            secret_access_key="b",
            attempts=2,
            checksums="when_required",
        ),
    )
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("misbehaving", ["plain", "501"], indirect=True)
def test_a_server_that_ignores_conditions_is_noticed_and_looked_at_first(misbehaving, caplog):
    _, options = misbehaving
    store = S3Store("bucket", "x", options)
    assert store.put("a", b"first")
    assert not store.put("a", b"second")
    assert store.get("a") == b"first"
    assert not store.honours_conditions()
    assert [record.message for record in caplog.records if "If-None-Match" in record.message] == [
        "s3://bucket/x ignores If-None-Match: an existence check before each write replaces it"
    ]


@pytest.mark.parametrize("misbehaving", ["503"], indirect=True)
def test_a_server_that_is_busy_is_asked_again_and_then_waited_for(misbehaving):
    server, options = misbehaving
    with pytest.raises(StoreUnavailable, match="503"):
        S3Store("bucket", "", options).get("a")
    assert server.requests.count("GET") == options.attempts


@pytest.mark.parametrize("misbehaving", ["cut"], indirect=True)
def test_a_body_that_is_cut_off_is_never_taken_for_the_object(misbehaving, tmp_path):
    server, options = misbehaving
    store = S3Store("bucket", "", options)
    server.objects["/bucket/a"] = b"whole object"
    with pytest.raises(StoreUnavailable):
        store.get("a")
    with pytest.raises(StoreUnavailable):
        store.download("a", tmp_path / "a")
    assert os.listdir(tmp_path) == []


def test_a_server_that_hangs_is_given_up(options):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        store = S3Store("bucket", "", replace(options, endpoint=endpoint, attempts=1, read_timeout=0.2))
        with pytest.raises(StoreUnavailable, match="too long"):
            store.get("a")


@pytest.mark.parametrize("misbehaving", PASSING, indirect=True)
def test_a_refusal_that_passes_is_asked_again(misbehaving):
    handler, options = misbehaving
    handler.objects["/bucket/x/a"] = b"there"
    store = S3Store("bucket", "x", options)
    assert store.get("a") == b"there"
    assert handler.requests == ["GET", "GET"]
    assert store.find("b") is None


@pytest.mark.parametrize("misbehaving", ["403 AccessDenied"], indirect=True)
def test_a_write_that_is_refused_once_is_made_again(misbehaving):
    handler, options = misbehaving
    assert S3Store("bucket", "x", options).put("a", b"1", if_absent=False)
    assert handler.objects == {"/bucket/x/a": b"1"}


@pytest.mark.parametrize("misbehaving", ["plain"], indirect=True)
def test_who_asks_whether_an_object_is_there_asks_once(misbehaving):
    handler, options = misbehaving
    assert S3Store("bucket", "x", options).find("a") is None
    assert handler.requests == ["GET"]


@pytest.mark.parametrize("misbehaving", ["no checksums"], indirect=True)
def test_a_server_that_refuses_checksums_is_written_to_without_them(misbehaving, caplog):
    handler, options = misbehaving
    store = S3Store("bucket", "x", replace(options, checksums="auto"))
    assert store.put("a", b"1", if_absent=False)
    assert store.put("b", b"2", if_absent=False)
    assert handler.objects == {"/bucket/x/a": b"1", "/bucket/x/b": b"2"}
    assert handler.requests.count("PUT") == 3
    assert len([record for record in caplog.records if "checksums" in record.message]) == 1
    with pytest.raises(StoreError):
        S3Store("bucket", "x", replace(options, checksums="when_supported")).put("c", b"3", if_absent=False)
