"""One table of answers: the command line and the HTTP door say the same of an error, and every error is in it."""

from __future__ import annotations

import pytest
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from koebin.engine import errors
from koebin.engine.errors import BrokerUnavailable, InvalidText, KoebinError
from koebin.producers.error_answers import TABLE, answer_of, as_koebin
from koebin.producers.exits import INVALID, NOT_FOUND, UNAVAILABLE
from koebin.producers.http.errors import TooMany, status_of

TREE = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, KoebinError)]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_both_doors_blame_the_same_side(kind: type[KoebinError]) -> None:
    answer = answer_of(kind("what"))
    assert status_of(kind("what")) == answer.status
    if answer.exit_code == UNAVAILABLE:
        assert answer.status in (404, 500, 503, 507)
    if 400 <= answer.status < 500:
        assert answer.exit_code in (INVALID, NOT_FOUND) or kind in (errors.JobConflict, errors.StoreNotFound)


def test_the_nearest_class_decides_and_no_row_is_idle() -> None:
    assert answer_of(InvalidText("empty")).status == 400
    for kind, answer in TABLE.items():
        above = next((TABLE[base] for base in kind.__mro__[1:] if base in TABLE), None)
        assert answer != above, f"{kind.__name__} says what its base says"


def test_what_the_broker_raises_is_ours_and_a_defect_is_not() -> None:
    for error in (RedisConnectionError("redis://:secret@host"), OperationalError("secret")):
        told = as_koebin(error, "Come again")
        assert isinstance(told, BrokerUnavailable)
        assert "secret" not in str(told)
        assert answer_of(told).exit_code == UNAVAILABLE
        assert status_of(told) == 503
    ours = TooMany("too many", seconds=3.0)
    assert as_koebin(ours, "") is ours
    assert status_of(ours) == 429
    assert as_koebin(ValueError("x"), "") is None
