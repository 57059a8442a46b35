"""Servers that several tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.module_index import modules_by_test
from tests.servers.reaper import end_with_parent
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server

# The same examples in every run, however busy the machine: a run that passed says what the next one will say.
settings.register_profile("koebin", derandomize=True, deadline=None)
settings.load_profile("koebin")


def pytest_configure(config: pytest.Config) -> None:
    """End a worker of pytest-xdist with the process that divides the tests, however that ends."""
    if hasattr(config, "workerinput"):
        end_with_parent()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that need a server or start a process, and let ``-k`` find those of a module by its name."""
    for item in items:
        if "subprocess" in getattr(getattr(getattr(item, "function", None), "__code__", None), "co_names", ()):
            item.add_marker(pytest.mark.process)
        taken = {*getattr(item, "fixturenames", ()), *vars(getattr(item, "module", object))}
        if taken & {"redis_server", "RedisServer"}:
            item.add_marker(pytest.mark.broker)
        if config.option.keyword:
            names = modules_by_test().get(item.path, ())
            item.extra_keyword_matches.update(name.rpartition("/")[2] for name in names)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One S3 server for the session; take a ``bucket()`` of your own."""
    with S3Server() as server:
        yield server


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis server for one test."""
    with RedisServer() as server:
        yield server
