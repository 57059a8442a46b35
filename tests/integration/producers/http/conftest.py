"""A broker, a worker with two voices, and the keys that tests of the HTTP door present."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from koebin.producers.http.api_keys import digest
from tests.servers.door import Door
from tests.servers.redis import RedisServer
from tests.servers.worker import Worker

ALICE, BOB, SLOW = "kb-alice-key", "kb-bob-key", "kb-slow-key"
KEYS = f"""
[keys.alice]
sha256 = "{digest(ALICE)}"
requests_per_minute = 100000
characters_per_minute = 10000000
concurrent = 200

[keys.bob]
sha256 = "{digest(BOB)}"
speakers = ["ken"]
requests_per_minute = 100000
upload_bytes = 20000

[keys.slow]
sha256 = "{digest(SLOW)}"
requests_per_minute = 3
"""


@dataclass(frozen=True)
class House:
    """All that runs."""

    broker: str
    store: str
    worker: Worker
    door: Door
    """It asks for keys."""


def write_keys(folder: Path) -> Path:
    path = folder / "keys.toml"
    path.write_text(KEYS)
    return path


@pytest.fixture(scope="module")
def house(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    store = (folder / "store").as_uri()
    with (
        Worker(server.url, store, "mei,ken") as worker,
        Door(server.url, store, {"http_keys": write_keys(folder)}) as door,
    ):
        yield House(server.url, store, worker, door)
