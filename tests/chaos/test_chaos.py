"""A short part of the chaos suite; ``make chaos`` runs the long one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.arena import arena
from tests.chaos.driver import PRODUCER, RANDOM, Driver, Plan
from tests.chaos.faults import StoreKind
from tests.chaos.probes import AFTER_WRITE, ASSEMBLING, BEFORE_ACK, BEFORE_TICK, BEFORE_WRITE, BUSY, TAKEN
from tests.chaos.producer import SUBMITTING

JP_EXTRA = 3  # the book that a JP-Extra voice reads

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.slow]


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    with arena() as made:
        yield Driver(made, sentences=24)


@pytest.mark.parametrize(
    ("fault", "step", "store", "book"),
    [
        pytest.param("SIGKILL child", BUSY, "file", JP_EXTRA),
        ("SIGKILL group", BEFORE_TICK, "file", 0),
        pytest.param("SIGSTOP, SIGCONT", AFTER_WRITE, "file", 1),
        pytest.param("connections dropped", TAKEN, "file", 2),
        pytest.param("Redis killed, data lost", ASSEMBLING, "file", 0),
        pytest.param("Redis frozen", BEFORE_ACK, "file", 0),
        pytest.param("store half-written", BEFORE_WRITE, "s3", 0),
        pytest.param(PRODUCER, SUBMITTING, "file", 0),
        pytest.param("SIGTERM", RANDOM, "file", JP_EXTRA),
    ],
)
def test_recovers(driver: Driver, fault: str, step: str, store: StoreKind, book: int) -> None:
    number = len(fault) * 100 + len(step)
    report = driver.run(Plan(number, fault, step, store, book, seed=number, outage=2.0))
    assert not report.problems
