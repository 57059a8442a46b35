"""A broker behind Redis Sentinel: client and worker find the master, and find the new one after a failover."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from koebin.engine.errors import KoebinError
from koebin.producers.client import Client
from koebin.tasks.broker.celery_config import configure
from koebin.tasks.settings import Settings
from koebin.worker.celery_ext.app import create_app
from tests.servers.ports import HOST, free_ports, wait_for_port
from tests.servers.reaper import reap_later
from tests.servers.redis import RedisServer, server_binary
from tests.servers.waiting import PATIENCE, wait_until
from tests.servers.worker import Worker


@contextmanager
def sentinel(master: RedisServer) -> Iterator[int]:
    """One sentinel that alone decides, after two seconds of silence; gives its port."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "sentinel.conf"
        lines = [f"port {port}", f"dir {folder}", f"sentinel monitor voices {HOST} {master.port} 1"]
        lines += ["sentinel down-after-milliseconds voices 2000", "sentinel failover-timeout voices 5000"]
        configuration.write_text("\n".join(lines) + "\n")
        command = [str(server_binary()), str(configuration), "--sentinel"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            reap_later(process)
            try:
                wait_for_port(port, process)
                yield port
            finally:
                process.kill()


def test_the_masters_name_is_in_the_url() -> None:
    url = "sentinel://a:26379;sentinel://b:26379/0#voices"
    app = create_app(Settings(broker_url=url))
    configure(app, broker=url, result_backend="", visibility_timeout=30.0)
    assert app.conf.broker_transport_options["master_name"] == "voices"
    assert app.conf.result_backend_transport_options["master_name"] == "voices"


@pytest.mark.slow
def test_work_goes_on_after_a_failover(tmp_path: Path) -> None:
    store = (tmp_path / "store").as_uri()
    with ExitStack() as stack:
        master = stack.enter_context(RedisServer())
        replica = stack.enter_context(RedisServer(args=("--replicaof", f"{HOST} {master.port}")))
        port = stack.enter_context(sentinel(master))
        follower: Redis = stack.enter_context(Redis.from_url(replica.url))
        watch: Redis = stack.enter_context(Redis(host=HOST, port=port))
        wait_until(lambda: follower.info("replication")["master_link_status"] == "up")
        wait_until(lambda: len(watch.sentinel_slaves("voices")) == 1)

        url = f"sentinel://{HOST}:{port}/0#voices"
        stack.enter_context(
            Worker(url, store, settings={"visibility_timeout": 3.0, "sweep_interval": 0.5}).start(ready=False)
        )
        settings = Settings(broker_url=url, store=store, visibility_timeout=3.0)
        client = stack.enter_context(Client(settings=settings))

        def served() -> bool:
            with suppress(RedisError, KoebinError):  # until the sentinel names the new master
                return "mei" in client.speakers()
            return False

        wait_until(served)
        client.wait(client.submit("一つ目の文です。", speaker="mei", job_id="before"), timeout=PATIENCE)

        master.kill()
        wait_until(lambda: follower.info("replication")["role"] == "master")
        wait_until(served)
        client.wait(client.submit("二つ目の文です。", speaker="mei", job_id="after"), timeout=PATIENCE)
        assert client.result("after").uri
