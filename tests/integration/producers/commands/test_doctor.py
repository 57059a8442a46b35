"""``koebin doctor`` on wrong configurations: each mistake is named, with what to do about it, and no secret is told."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

import pytest
from redis import Redis
from typer.testing import CliRunner

from koebin.producers import exits
from koebin.producers.cli import app
from tests.chaos.faults import small_disk
from tests.servers.ports import HOST, free_ports, wait_for_port
from tests.servers.reaper import reap_later
from tests.servers.redis import RedisServer, server_binary
from tests.servers.s3 import S3Server
from tests.servers.tls import TlsFront
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import ROOT, environment

SECRET: Final = "hunter2"
Variables = Mapping[str, object]


class Bench:
    """Servers for one case, which end with it."""

    def __init__(self, stack: ExitStack, folder: Path, s3_server: Callable[[], S3Server]) -> None:
        self.stack, self.folder, self.s3 = stack, folder, s3_server

    def redis(self, *args: str, password: str = SECRET) -> RedisServer:
        return self.stack.enter_context(RedisServer(password=password, args=args))

    def user(self, *rules: str) -> str:
        """URL of a user of a new server."""
        server = self.redis(password="")
        with Redis.from_url(server.url) as client:
            client.execute_command("ACL", "SETUSER", "reader", "on", f">{SECRET}", "resetchannels", *rules)
        return server.url.replace("redis://", f"redis://reader:{SECRET}@")

    def tls(self, server: RedisServer) -> TlsFront:
        if shutil.which("openssl") is None:
            pytest.skip("openssl makes the certificate")
        return self.stack.enter_context(TlsFront(server.port, self.folder))


def least(*more: str) -> tuple[str, ...]:
    keys = ("~koebin*", "~speaker.*", "~assemble*", "~_kombu.*", "~celery-task-meta-*", "~*.koebin.pidbox*")
    return (*keys, "&/*", "&/0.koebin.pidbox", "&celery-task-meta-*", "+@all", *more)


def sentinel(bench: Bench) -> str:
    (port,) = free_ports(1)
    folder = Path(bench.stack.enter_context(tempfile.TemporaryDirectory()))
    monitored = f"port {port}\ndir {folder}\nsentinel monitor voices {HOST} {bench.redis(password='').port} 1\n"
    (folder / "sentinel.conf").write_text(monitored)
    command = [str(server_binary()), str(folder / "sentinel.conf"), "--sentinel"]
    process = bench.stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL))
    bench.stack.callback(process.kill)
    reap_later(process)
    wait_for_port(port, process)
    return f"sentinel://:{SECRET}@{HOST}:{port}/0#nobody"


def replica(bench: Bench) -> str:
    primary = bench.redis(password="")
    server = bench.redis("--replicaof", f"{HOST} {primary.port}", password="")
    with Redis.from_url(server.url) as client:
        wait_until(lambda: client.info("replication")["master_link_status"] == "up")
    return server.url


class _OtherRegion(BaseHTTPRequestHandler):
    """An S3 server whose bucket lies elsewhere."""

    def do_GET(self) -> None:
        body = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"
        self.send_response(400)
        self.send_header("x-amz-bucket-region", "eu-west-1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def other_region() -> Iterator[str]:
    server = ThreadingHTTPServer((HOST, 0), _OtherRegion)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def s3(bench: Bench, **wrong: str) -> Variables:
    return bench.s3().settings() | wrong


def folder_with(bench: Bench, name: str, content: str = "") -> Path:
    path = bench.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def own_voice(bench: Bench) -> Path:
    folder_with(bench, "voice/config.json", "{}")
    return bench.folder / "voice"


def open_to_all(bench: Bench) -> Path:
    folder = bench.folder / "run"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def full_disk(bench: Bench) -> str:
    folder = bench.stack.enter_context(small_disk(bench.folder))
    if folder is None:
        pytest.skip("this user may mount no file system")
    (folder / "film").write_bytes(bytes(40 << 20))
    return (folder / "audio").as_uri()


def url_of(server: RedisServer, login: str = "", **changed: str) -> str:
    return f"{changed.get('scheme', 'redis')}://{login}{HOST}:{server.port}/{changed.get('database', '0')}"


MISTAKES: Final[dict[str, tuple[Callable[[Bench], Variables], str, str]]] = {
    "wrong password": (
        lambda bench: {"broker_url": url_of(bench.redis(password="right"), f":{SECRET}@")},
        "refuses user or password",
        "Correct user and password",
    ),
    "wrong user": (
        lambda bench: {"broker_url": url_of(bench.redis(), f"nobody:{SECRET}@")},
        "refuses user or password",
        "Correct user and password",
    ),
    "no password": (
        lambda bench: {"broker_url": url_of(bench.redis())},
        "password does not fit",
        "Correct user and password",
    ),
    "a user without a command": (
        lambda bench: {"broker_url": bench.user(*least("-zadd"))},
        "the user may not use the command ZADD",
        "docs/operations.md",
    ),
    "a user without channels": (
        lambda bench: {"broker_url": bench.user(*least("resetchannels"))},
        "the user may not use channels /*",
        "docs/operations.md",
    ),
    "a user who may tell nothing": (
        lambda bench: {"broker_url": bench.user(*least("-info"))},
        "the user may not use the command INFO",
        "docs/operations.md",
    ),
    "TLS to a plain port": (
        lambda bench: {"broker_url": url_of(bench.redis(), f":{SECRET}@", scheme="rediss")},
        "does not answer",
        "use redis://\n",
    ),
    "plain to a TLS port": (
        lambda bench: {"broker_url": f"redis://:{SECRET}@{HOST}:{bench.tls(bench.redis()).port}/0"},
        "does not answer",
        "use rediss://\n",
    ),
    "an untrusted certificate": (
        lambda bench: {"broker_url": f"rediss://:{SECRET}@{HOST}:{bench.tls(bench.redis()).port}/0"},
        "certificate is not accepted",
        "ssl_ca_certs=FILE",
    ),
    "an unknown host": (
        lambda _: {"broker_url": f"redis://:{SECRET}@no-such-host.invalid:6379/0"},
        "host name",
        "correct KOEBIN_BROKER_URL",
    ),
    "a closed port": (
        lambda _: {"broker_url": f"redis://:{SECRET}@{HOST}:{free_ports(1)[0]}/0"},
        "connection refused",
        "Start it",
    ),
    "a database that is not there": (
        lambda bench: {"broker_url": url_of(bench.redis(), f":{SECRET}@", database="99")},
        "no database of that number",
        "Use a lower one",
    ),
    "no URL of a broker": (
        lambda _: {"broker_url": f"http://:{SECRET}@{HOST}:6379/0"},
        "KOEBIN_BROKER_URL",
        "redis://host:6379/0",
    ),
    "a policy that drops work": (
        lambda bench: {"broker_url": bench.redis("--maxmemory-policy", "allkeys-lru").url},
        "maxmemory-policy is allkeys-lru",
        "noeviction",
    ),
    "a replica": (
        lambda bench: {"broker_url": replica(bench)},
        "a replica and takes no writes",
        "Use its primary",
    ),
    "a master that no sentinel knows": (
        lambda bench: {"broker_url": sentinel(bench)},
        "no master of that name",
        "Correct the fragment",
    ),
    "a result backend that is away": (
        lambda _: {"result_backend": f"redis://:{SECRET}@{HOST}:{free_ports(1)[0]}/0"},
        "result backend",
        "correct KOEBIN_RESULT_BACKEND",
    ),
    "a wrong S3 secret": (
        lambda bench: s3(bench, s3_secret_access_key=SECRET),
        "refuses these credentials",
        "Check the access key",
    ),
    "an S3 key that may only read": (
        lambda bench: s3(
            bench,
            s3_access_key_id=bench.s3().reader_access_key,
            s3_secret_access_key=bench.s3().reader_secret_key,
        ),
        "refuses these credentials",
        "its policy",
    ),
    "a missing bucket": (
        lambda bench: s3(bench, store="s3://no-such-bucket-here/audio"),
        "no such bucket",
        "Create it",
    ),
    "an S3 server that is away": (
        lambda bench: s3(bench, s3_endpoint_url=f"http://{HOST}:{free_ports(1)[0]}"),
        "cannot be reached",
        "Check the endpoint",
    ),
    "another region": (
        lambda bench: {
            "store": "s3://voices/audio",
            "s3_endpoint_url": bench.stack.enter_context(other_region()),
            "s3_region": "us-east-1",
            "s3_access_key_id": "key",
            "s3_secret_access_key": SECRET,
        },
        "another region",
        "eu-west-1",
    ),
    "a store that is a file": (
        lambda bench: {"store": folder_with(bench, "audio").as_uri()},
        "a file stands where the store needs a folder",
        "Move it away",
    ),
    "a full disk": (lambda bench: {"store": full_disk(bench)}, "MiB of disk space are left", "koebin gc"),
    "a voice that is not there": (
        lambda _: {"speakers": "own=file:///nowhere/at/all"},
        "speaker own cannot be loaded",
        "Check the path",
    ),
    "a folder that is no voice": (
        lambda bench: {"speakers": f"own={own_voice(bench).as_uri()}"},
        "cannot be loaded",
        "there is: config.json",
    ),
    "a list of voices that is not there": (
        lambda bench: {"voices": bench.folder / "voices.toml"},
        "the voices file cannot be read",
        "voices.toml",
    ),
    "a cache that cannot be written": (
        lambda bench: {"cache": folder_with(bench, "cache")},
        "cache is not a folder",
        "Set KOEBIN_CACHE",
    ),
    "a run folder that is open to all": (
        lambda bench: {"run_dir": open_to_all(bench)},
        "others may write to the run folder",
        "Set KOEBIN_RUN_DIR",
    ),
    "a setting of the wrong kind": (
        lambda _: {"visibility_timeout": "soon"},
        "KOEBIN_VISIBILITY_TIMEOUT",
        "docs/configuration.md",
    ),
    "a setting out of range": (lambda _: {"grace_period": "-1"}, "KOEBIN_GRACE_PERIOD", "docs/configuration.md"),
    "a misspelt setting": (lambda _: {"stoer": "/tmp"}, "KOEBIN_STOER", "Did you mean KOEBIN_STORE"),
    "keys that are none": (lambda _: {"message_keys": SECRET}, "KOEBIN_MESSAGE_KEYS", "name:secret"),
}


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("KOEBIN_")]:
        monkeypatch.delenv(name)
    with ExitStack() as stack:
        yield Bench(stack, tmp_path, lambda: request.getfixturevalue("s3_server"))


def doctor(variables: Variables, monkeypatch: pytest.MonkeyPatch, *options: str) -> tuple[int, str]:
    for name, value in variables.items():
        monkeypatch.setenv(f"KOEBIN_{name.upper()}", str(value))
    done = CliRunner().invoke(app, ["doctor", *options])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def apart(variables: Variables, *command: str, **options: object) -> tuple[int, str]:
    """The same in a process of its own."""
    arguments = [sys.executable, *command, "doctor"]
    done = subprocess.run(  # type: ignore[call-overload]
        arguments,
        cwd=ROOT,
        env=environment(variables) | dict(options.pop("env", {})),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **options,
    )
    return done.returncode, done.stdout + done.stderr


def check_named(code: int, output: str, said: str, hint: str) -> None:
    assert code in (exits.FAILED, exits.INVALID), output
    assert said in output
    assert hint in output
    assert SECRET not in output
    assert "Traceback" not in output
    assert "FAILED" in output or output.startswith("error: ")
    print(output)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.broker
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_what_to_do(mistake: str, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    make, said, hint = MISTAKES[mistake]
    check_named(*doctor(make(bench), monkeypatch), said, hint)


def test_there_are_twenty_of_them() -> None:
    assert len(MISTAKES) >= 20


def test_a_package_that_is_not_installed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    output = doctor({"store": "s3://voices/audio"}, monkeypatch)
    check_named(*output, "needs boto3, which is not installed", "pip install 'koebin[s3]'")


@pytest.mark.slow
def test_a_clock_that_is_wrong(bench: Bench) -> None:
    variables = {"broker_url": bench.redis().url, **s3(bench)}
    output = apart(variables, "-m", "tests.chaos.worker", env={"CHAOS_CLOCK_SECONDS": "1200"})
    check_named(*output, "clock is +1200 s off the broker's", "Set the clock")
    assert "FAILED\tstore\tthis machine's clock is wrong" in output[1]


def test_too_few_file_descriptors(bench: Bench) -> None:
    output = apart(
        {"run_dir": bench.folder / "run", "store": (bench.folder / "store").as_uri()},
        *("-P", "-m", "koebin"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128)),
    )
    check_named(*output, "of 128 file descriptors are left", "ulimit -n")


def test_what_is_well_is_said_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    server = bench.redis()
    code, output = doctor({"broker_url": server.url, "run_dir": bench.folder / "run"}, monkeypatch, "--json")
    found = json.loads(output)
    assert code == exits.FAILED
    assert [each["check"] for each in found if not each["ok"]] == ["workers"]
