"""Fair shares: nobody stands behind a crowd."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from koebin.producers.http.fair_shares import FairShares


def served(shares: FairShares[str], count: int) -> list[str]:
    return [item for item in (shares.pop() for _ in range(count)) if item is not None]


def test_one_of_little_is_served_before_the_rest_of_a_crowd() -> None:
    shares: FairShares[str] = FairShares()
    for number in range(100):
        shares.push("crowd", 1.0, 1.0, f"crowd {number}")
    served(shares, 10)
    shares.push("single", 1.0, 1.0, "single")
    assert "single" in served(shares, 2)


def test_shares_divide_what_is_served() -> None:
    shares: FairShares[str] = FairShares()
    for number in range(90):
        shares.push("small", 1.0, 1.0, f"small {number}")
        shares.push("large", 2.0, 1.0, f"large {number}")
    counts = Counter(item.split()[0] for item in served(shares, 60))
    assert counts == {"small": 20, "large": 40}


def test_cost_counts_and_not_the_number() -> None:
    shares: FairShares[str] = FairShares()
    for number in range(40):
        shares.push("long", 1.0, 4.0, f"long {number}")
        shares.push("short", 1.0, 1.0, f"short {number}")
    counts = Counter(item.split()[0] for item in served(shares, 25))
    assert counts == {"long": 5, "short": 20}


def test_who_was_idle_has_saved_up_nothing() -> None:
    shares: FairShares[str] = FairShares()
    shares.push("idle", 1.0, 1.0, "idle")
    for number in range(50):
        shares.push("busy", 1.0, 1.0, f"busy {number}")
    served(shares, 40)
    for number in range(50):
        shares.push("idle", 1.0, 1.0, f"idle {number}")
    counts = Counter(item.split()[0] for item in served(shares, 10))
    assert counts == {"idle": 5, "busy": 5}


def test_what_is_withdrawn_is_not_served() -> None:
    shares: FairShares[str] = FairShares()
    first, second = "first item", "second item"
    shares.push("key", 1.0, 1.0, first)
    shares.push("key", 1.0, 1.0, second)
    assert shares.remove(first)
    assert not shares.remove(first)
    assert served(shares, 5) == [second]
    assert not shares


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.1, 10)), max_size=60))
def test_everything_is_served_once_and_each_line_in_its_order(pushed: list[tuple[str, float]]) -> None:
    shares: FairShares[tuple[str, int]] = FairShares()
    for number, (key, cost) in enumerate(pushed):
        shares.push(key, 1.0, cost, (key, number))
    found = []
    while (item := shares.pop()) is not None:
        found.append(item)
    assert sorted(number for _, number in found) == list(range(len(pushed)))
    for key in "abc":
        own = [number for owner, number in found if owner == key]
        assert own == sorted(own)
