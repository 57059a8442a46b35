"""A short part of the chaos suite; ``make chaos`` runs the long one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.arena import arena
from tests.chaos.driver import PRODUCER, RANDOM, Driver, Plan
from tests.chaos.faults import StoreKind
from tests.chaos.probes import AFTER_WRITE, ASSEMBLING, BEFORE_ACK, BEFORE_TICK, BEFORE_WRITE, BUSY, TAKEN
from tests.chaos.producer import SUBMITTING

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    with arena(outage_seconds=2.0) as made:
        yield Driver(made, sentences=24)


@pytest.mark.parametrize(
    ("fault", "step", "store"),
    [
        ("SIGKILL child", BUSY, "file"),
        ("SIGKILL group", BEFORE_TICK, "file"),
        pytest.param("SIGSTOP, SIGCONT", AFTER_WRITE, "file", marks=pytest.mark.slow),
        pytest.param("connections dropped", TAKEN, "file", marks=pytest.mark.slow),
        ("Redis killed, data lost", ASSEMBLING, "file"),
        pytest.param("Redis frozen", BEFORE_ACK, "file", marks=pytest.mark.slow),
        ("store half-written", BEFORE_WRITE, "s3"),
        (PRODUCER, SUBMITTING, "file"),
        pytest.param("SIGTERM", RANDOM, "file", marks=pytest.mark.slow),
    ],
)
def test_recovers(driver: Driver, fault: str, step: str, store: StoreKind) -> None:
    number = len(fault) * 100 + len(step)
    report = driver.run(Plan(number, fault, step, store, book=0, seed=number))
    assert not report.problems
