"""A broker and a store, as most tests here take them; a module that needs others defines its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.servers.redis import RedisServer


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    client: Redis = Redis.from_url(redis_server.url)
    yield client
    client.close()


@pytest.fixture
def store(tmp_path: Path) -> str:
    return (tmp_path / "store").as_uri()
