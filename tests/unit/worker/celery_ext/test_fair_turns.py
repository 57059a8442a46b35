"""Fair turns among priorities."""

from koebin.worker.celery_ext.fair_turns import PASSED_OVER, FairTurns

STEPS = (0, 3, 6, 9)


def served(waiting, messages):
    """How many messages of each priority are taken, while these priorities always have some."""
    turns, counts = FairTurns(STEPS), dict.fromkeys(STEPS, 0)
    for _ in range(messages):
        step = next(step for step in turns.order() if step in waiting)
        turns.taken(step)
        counts[step] += 1
    return counts


def test_under_a_flood_each_priority_that_waits_has_its_turns_and_the_urgent_one_most():
    counts = served({0, 3, 6}, 1000)
    assert min(counts[3], counts[6]) >= 1000 // (3 * PASSED_OVER)
    assert counts[0] > 800
    assert counts[9] == 0


def test_nobody_is_passed_over_for_long():
    turns, since = FairTurns(STEPS), 0
    for _ in range(500):
        step = next(step for step in turns.order() if step in (0, 6))
        turns.taken(step)
        since = 0 if step == 6 else since + 1
        assert since <= 3 * PASSED_OVER


def test_without_a_flood_the_most_urgent_goes_first():
    turns = FairTurns(STEPS)
    for _ in range(PASSED_OVER - 1):
        assert turns.order() == list(STEPS)
        turns.taken(0)
    turns.taken(9)
    assert served({6}, 100)[6] == 100
