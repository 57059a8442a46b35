"""Voices from a real S3 server."""

import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from koebin.engine.errors import SourceCorrupt, SourceDenied, SourceNotFound, SourceUnavailable
from koebin.engine.sources import SourceOptions, parse
from koebin.engine.sources.versions import LOCK
from tests.servers.waiting import PATIENCE
from tests.unit.engine.sources.voices import published, read, tree, under, write

HANA = "onnx/speakers/hana"
pytestmark = pytest.mark.xdist_group("s3")


@pytest.fixture
def options(s3_server, tmp_path):
    return SourceOptions(
        tmp_path / "cache",
        s3_endpoint=s3_server.endpoint,
        s3_region=s3_server.region,
        s3_access_key_id=s3_server.access_key,
        s3_secret_access_key=s3_server.secret_key,
        delay=0.01,
        connect_timeout=2,
        read_timeout=5,
    )


@pytest.fixture
def bucket(s3_server):
    name = s3_server.bucket()
    put(s3_server, name, published())
    return name


@pytest.fixture
def source(bucket, options):
    return parse(f"s3://{bucket}", options)


def put(server, bucket, files, root=""):
    for path, content in files.items():
        server.client().put_object(Bucket=bucket, Key=root + path, Body=content)


def test_a_plain_tree_is_fetched_once(source, options, bucket):
    folder = source.fetch(HANA)

    assert read(folder) == under(published(), HANA)
    offline = parse(f"s3://{bucket}", SourceOptions(options.cache_root, offline=True))
    assert offline.fetch(HANA) == folder, "the endpoint need not be known to use a filled cache"
    offline.verify(HANA)


def test_a_prefix_with_more_files_than_a_page_of_a_listing(s3_server, bucket, source):
    files = {f"many/{number:02}.txt": b"%d" % number for number in range(9)}
    put(s3_server, bucket, files)
    events = source._client().meta.events
    events.register("provide-client-params.s3.ListObjectsV2", lambda params, **_: {**params, "MaxKeys": 4})

    assert read(source.fetch("many")) == under(files, "many")
    assert source.children("many") == sorted(under(files, "many"))


def test_a_root_below_the_bucket(s3_server, bucket, options):
    put(s3_server, bucket, published("mei"), "voices/v1/")
    source = parse(f"s3://{bucket}/voices/v1", options)

    assert read(source.fetch("onnx/speakers/mei")) == under(published("mei"), "onnx/speakers/mei")
    with pytest.raises(SourceNotFound, match="there is: mei"):
        source.fetch(HANA)


def test_an_upload_is_seen_whole_or_not_at_all(source, bucket, options, tmp_path, s3_server):
    first = write(tmp_path / "1", {"config.json": b"1", "synthesizer.onnx": b"1" * 9_000_000})
    source.upload(HANA, first)
    assert read(source.fetch(HANA, refresh=True)) == read(first)
    old = source.revision(HANA)

    second = write(tmp_path / "2", {"config.json": b"2", "more.onnx": b"2"})
    client = s3_server.client()
    source.upload(HANA, second)
    assert source.children(HANA) == sorted(read(second))
    assert source.revision(HANA) == old
    assert read(source.fetch(HANA, refresh=True)) == read(second)
    assert source.revision(HANA) != old
    # An upload that stops before its last step changes nothing for readers.
    lock = client.get_object(Bucket=bucket, Key=f"{HANA}/{LOCK}")["Body"].read()
    client.put_object(Bucket=bucket, Key=f"{HANA}/.versions/{'0' * 64}/config.json", Body=b"3")
    assert client.get_object(Bucket=bucket, Key=f"{HANA}/{LOCK}")["Body"].read() == lock
    assert read(source.fetch(HANA, refresh=True)) == read(second)


def test_files_of_an_unfinished_first_upload_are_not_taken_for_the_voice(source, bucket, s3_server):
    key = f"{HANA}/.versions/{'0' * 64}/config.json"
    s3_server.client().put_object(Bucket=bucket, Key=key, Body=b"unfinished")

    assert read(source.fetch(HANA)) == under(published(), HANA)


def test_an_object_uploaded_in_parts_is_checked_part_by_part(source, bucket, s3_server, options):
    client = s3_server.client()
    key = f"{HANA}/large.onnx"
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    bodies = [b"a" * (5 << 20), b"b" * 1000]
    parts = [
        {
            "PartNumber": number,
            "ETag": client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in enumerate(bodies, 1)
    ]
    client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    large = next(file for file in source._list(HANA).files if file.path == "large.onnx")

    assert large.digest.startswith(f"parts:{5 << 20}:")
    assert (source.fetch(HANA) / "large.onnx").read_bytes() == b"".join(bodies)


@contextmanager
def listing_server(key):
    """A server whose bucket lists a key that no honest server takes."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = (
                b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>%s</Key><Size>1</Size>"
                b'<ETag>"x"</ETag></Contents></ListBucketResult>' % key.encode()
            )
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("key", ["../../../../evil", "a/../../evil", "a//evil", "/evil", "a\\evil"])
def test_a_key_that_would_leave_the_cache_is_refused(key, options):
    with listing_server(f"{HANA}/{key}") as endpoint:
        source = parse("s3://bucket", replace(options, s3_endpoint=endpoint))
        with pytest.raises(SourceCorrupt, match="evil"):
            source.fetch(HANA)
    assert not [path for path in options.cache_root.parent.rglob("*") if "evil" in path.name]


def test_what_is_not_there(source, options, bucket):
    with pytest.raises(SourceNotFound, match="there is: hana"):
        source.fetch("onnx/speakers/hanna")
    with pytest.raises(SourceNotFound, match="there is: onnx"):
        source.fetch("bert/tokenizer")
    with pytest.raises(SourceNotFound, match="bucket"):
        parse("s3://no-such-bucket", options).fetch(HANA)


def test_credentials_that_are_refused_are_not_shown(options, bucket, source, s3_server, tmp_path):
    wrong = replace(options, s3_secret_access_key="planted_secret")
    with pytest.raises(SourceDenied) as refused:
        parse(f"s3://{bucket}", wrong).fetch(HANA)
    assert "planted" not in str(refused.value) + repr(refused.value) + repr(wrong)

    reader = replace(
        options, s3_access_key_id=s3_server.reader_access_key, s3_secret_access_key=s3_server.reader_secret_key
    )
    assert parse(f"s3://{bucket}", reader).fetch(HANA)
    with pytest.raises(SourceDenied):
        parse(f"s3://{bucket}", reader).upload(HANA, write(tmp_path / "new", {"config.json": b"{}"}))
    for path in options.cache_root.rglob("*"):
        assert path.is_dir() or not {s3_server.secret_key.encode(), b"planted"} & set(path.read_bytes().split())


def test_a_dead_endpoint(options, bucket, source):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    dead = parse(f"s3://{bucket}", replace(options, s3_endpoint=f"http://127.0.0.1:{port}", attempts=2))
    with pytest.raises(SourceUnavailable):
        dead.fetch(HANA)


def test_buckets_of_one_name_at_two_endpoints_are_two_sources(options, bucket, source, s3_server):
    source.fetch(HANA)
    port = s3_server.endpoint.rpartition(":")[2]
    elsewhere = parse(f"s3://{bucket}", replace(options, s3_endpoint=f"http://localhost:{port}"))

    assert elsewhere.cached(HANA) is None
    assert elsewhere.fetch(HANA) != source.fetch(HANA)
    with pytest.raises(Exception, match="several endpoints"):
        parse(f"s3://{bucket}", SourceOptions(options.cache_root, offline=True)).fetch(HANA)


@contextmanager
def cutting_proxy(target, after):
    """Forward connections to the server; the first answer longer than ``after`` bytes is cut there, once."""
    cut = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source, sink, limit):
        sent = 0
        try:
            while data := source.recv(65536):
                if limit and not cut.is_set() and sent + len(data) > after:
                    cut.set()
                    sink.sendall(data[: after - sent])
                    break
                sink.sendall(data)
                sent += len(data)
        except OSError:
            pass
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(target)
            threading.Thread(target=pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=pump, args=(server, client, True), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", cut
    finally:
        listener.close()


def test_a_download_that_breaks_off_goes_on_at_the_byte_where_it_stopped(options, bucket, s3_server):
    content = bytes(range(256)) * 20_000
    put(s3_server, bucket, {f"{HANA}/synthesizer.onnx": content})
    host, _, port = s3_server.endpoint.removeprefix("http://").partition(":")
    with cutting_proxy((host, int(port)), after=2_000_000) as (endpoint, cut):
        once = parse(f"s3://{bucket}", replace(options, s3_endpoint=endpoint, attempts=1))
        with pytest.raises(SourceUnavailable):
            once.fetch(HANA)
        assert cut.is_set()
        assert once.cached(HANA) is None
        part = next(options.cache_root.rglob("synthesizer.onnx.part"))
        assert 0 < part.stat().st_size < len(content)
        before = part.stat().st_size
        asked = []
        client = once._client()
        client.meta.events.register("before-send.s3.GetObject", lambda request, **_: asked.append(request.headers))
        assert (once.fetch(HANA) / "synthesizer.onnx").read_bytes() == content
    ranges = [headers["Range"] for headers in asked if "Range" in headers]
    assert [value if isinstance(value, str) else value.decode() for value in ranges] == [f"bytes={before}-"]


def test_a_part_that_is_not_the_beginning_of_the_file_is_noticed(options, bucket, source, s3_server):
    listing = source._list(HANA)
    staging = source._shelf().staging(HANA, listing.revision)
    (staging / "parts").mkdir()
    (staging / "parts/synthesizer.onnx.part").write_bytes(b"something else")

    assert read(source.fetch(HANA)) == under(published(), HANA)


def test_two_processes_that_fetch_at_once(options, bucket, s3_server):
    program = (
        "import sys; from pathlib import Path; from koebin.engine.sources import *\n"
        f"options = SourceOptions(Path({str(options.cache_root)!r}), s3_endpoint={s3_server.endpoint!r})\n"
        f"print(parse('s3://{bucket}', options).fetch({HANA!r}))"
    )
    environment = {"PATH": "", **s3_server.environment()}
    running = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    printed = {process.communicate(timeout=PATIENCE)[0].strip() for process in running}

    assert [process.returncode for process in running] == [0, 0]
    assert len(printed) == 1
    assert not list(options.cache_root.rglob("*.part"))


def test_the_cache_folder_of_hayakoe_is_used_where_nobody_can_be_asked(tmp_path):
    root = tmp_path / "hayakoe_cache"
    write(root / "s3/voices/_", tree())
    (root / "s3/voices/_" / HANA / ".hayakoe_synced").touch()
    source = parse("s3://voices", SourceOptions(root, offline=True))

    assert source.fetch(HANA) == root / "s3/voices/_" / HANA
    with pytest.raises(SourceNotFound):
        source.fetch("onnx/speakers/hane")
