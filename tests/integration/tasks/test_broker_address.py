"""All forms of a broker's URL on real servers: our own client, what sends messages, and what keeps results."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from celery import Celery
from redis import Redis

from koebin.engine.display import mask
from koebin.engine.errors import BrokerUnavailable, ConfigurationError
from koebin.tasks.connection import check, connect, takes_writes
from koebin.tasks.rights import missing_rights
from koebin.tasks.settings import Settings
from koebin.worker.celery_ext.app import create_app
from tests.servers.ports import HOST, free_ports, wait_for_port
from tests.servers.reaper import reap_later
from tests.servers.redis import RedisServer, server_binary
from tests.servers.tls import TlsFront

PASSWORD = "p@ss/w#rd?:%"
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")


def all_connect(url: str) -> None:
    """A sign of life by every way that leads from a URL to the server; also that they mean the same database."""
    client = connect(url, retries=0)
    client.set("mark", "here")
    app: Celery = create_app(Settings(broker_url=url))
    try:
        with app.connection_for_write() as connection:
            channel = connection.default_channel
            with channel.conn_or_acquire() as sending:
                assert sending.get("mark") == b"here"
        assert app.backend.client.get("mark") == b"here"
    finally:
        app.close()
        client.close()


def test_a_password_with_every_strange_character() -> None:
    with RedisServer(password=PASSWORD) as server:
        all_connect(server.database(3))


def test_a_user_with_a_password() -> None:
    with RedisServer(password=PASSWORD, user="koebin@shop") as server:
        all_connect(server.url)


@pytest.mark.parametrize("form", ["unix://{}?db=2", "redis+socket://{}?virtual_host=2"])
def test_a_socket(form: str) -> None:
    with tempfile.TemporaryDirectory(prefix="kb") as folder:
        path = f"{folder}/a b.sock"
        with RedisServer(password=PASSWORD, args=("--unixsocket", path)) as server:
            all_connect(form.format(f":{quote(PASSWORD, safe='')}@{quote(path)}"))
            with Redis(port=server.port, password=PASSWORD, db=2) as direct:
                assert direct.get("mark") == b"here"


@needs_openssl
def test_tls_is_verified_and_says_so_when_it_is_not_trusted(tmp_path: Path) -> None:
    with RedisServer(password=PASSWORD) as server, TlsFront(server.port, tmp_path) as front:
        base = f"rediss://:{quote(PASSWORD, safe='')}@{HOST}:{front.port}/1"
        all_connect(f"{base}?ssl_ca_certs={front.certificate}")
        all_connect(f"{base}?ssl_cert_reqs=none")
        with pytest.raises(ConfigurationError, match="certificate is not accepted") as caught:
            check(connect(base, retries=0), mask(base))
        assert "ssl_ca_certs" in caught.value.hint
        for wrong, said in (
            (f"rediss://{HOST}:{server.port}", "redis://"),
            (f"redis://{HOST}:{front.port}", "rediss://"),
        ):
            with pytest.raises(BrokerUnavailable) as confused:
                check(connect(wrong, retries=0, timeout_seconds=2.0), mask(wrong))
            assert f"use {said}" in confused.value.hint


@contextmanager
def sentinel(master: RedisServer, *lines: str) -> Iterator[int]:
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "sentinel.conf"
        monitored = [f"port {port}", f"dir {folder}", f"sentinel monitor voices {HOST} {master.port} 1"]
        configuration.write_text("\n".join([*monitored, *lines]) + "\n")
        command = [str(server_binary()), str(configuration), "--sentinel"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            reap_later(process)
            try:
                wait_for_port(port, process)
                yield port
            finally:
                process.kill()


def test_a_sentinel_with_an_encoded_password_a_user_and_a_login_of_its_own() -> None:
    with RedisServer(password=PASSWORD, user="koebin") as server:
        lines = [f'sentinel auth-pass voices "{PASSWORD}"', "sentinel auth-user voices koebin", "requirepass watch#1"]
        with sentinel(server, *lines) as port:
            login = f"koebin:{quote(PASSWORD, safe='')}@"
            all_connect(f"sentinel://{login}{HOST}:{port}/2?sentinel_password=watch%231#voices")
            wrong = f"sentinel://{login}{HOST}:{port}/2?sentinel_password=watch%231#nobody"
            with pytest.raises(ConfigurationError, match="master"):
                check(connect(wrong, retries=0), mask(wrong))


@pytest.mark.parametrize(
    ("url", "kind", "said"),
    [
        ("redis://:wrong@{}:{}", ConfigurationError, "user or password"),
        ("redis://{}:{}", ConfigurationError, "password"),
        ("redis://:right@{}:{}/99", ConfigurationError, "database"),
        ("redis://:right@no-such-host.invalid:1{0:.0}{1:.0}", BrokerUnavailable, "host name"),
        ("redis://:right@{0}:1{1:.0}", BrokerUnavailable, "refused"),
        ("unix:///no/such.sock{0:.0}{1:.0}", BrokerUnavailable, "no such socket"),
    ],
)
def test_what_the_first_contact_tells(url: str, kind: type[Exception], said: str) -> None:
    with RedisServer(password="right") as server:
        wrong = url.format(HOST, str(server.port))
        with pytest.raises(kind) as caught:
            check(connect(wrong, retries=0, timeout_seconds=2.0), mask(wrong))
        assert said in str(caught.value)
        assert caught.value.hint  # type: ignore[attr-defined]
        assert "right" not in str(caught.value)


LEAST = [
    *("~koebin*", "~speaker.*", "~assemble*", "~_kombu.*", "~celery-task-meta-*", "~*.koebin.pidbox*"),
    *("&/*", "&/0.koebin.pidbox", "&celery-task-meta-*"),
    *("+@read", "+@write", "+@connection", "+@transaction", "+@scripting", "+@pubsub", "-@dangerous", "+info", "+time"),
]


def test_the_least_acl_is_enough_and_each_right_that_lacks_is_named(redis: Redis, redis_server: RedisServer) -> None:
    redis.execute_command("ACL", "SETUSER", "least", "on", ">x", "resetchannels", *LEAST)
    url = redis_server.url.replace("redis://", "redis://least:x@")
    client = connect(url, retries=0)
    assert missing_rights(client) == []
    assert takes_writes(client)
    for rule, named in (
        ("-zadd", "the command ZADD"),
        ("-brpop", "the command BRPOP"),
        ("resetchannels", "the pattern of channels /0.koebin.pidbox"),
        ("resetchannels", "channels /"),
        ("-psubscribe", "the command PSUBSCRIBE"),
        ("-watch", "the command WATCH"),
        ("-@scripting", "EVAL"),
        ("-time", "TIME"),
        ("resetkeys", "keys"),
    ):
        redis.execute_command("ACL", "SETUSER", "least", rule)
        assert any(named in lacking for lacking in missing_rights(client)), rule
    client.close()
