"""Queues of a worker."""

import pytest

from koebin.tasks.settings import Settings
from koebin.worker.queues import queues


@pytest.mark.parametrize(
    ("speakers", "assemble", "expected"),
    [
        (("mei", "ken=file:///voice"), False, ("speaker.mei", "speaker.ken")),
        (("mei",), True, ("speaker.mei", "assemble")),
        ((), True, ("assemble",)),
    ],
)
def test_one_for_each_speaker_and_that_of_assembly(
    speakers: tuple[str, ...], assemble: bool, expected: tuple[str, ...]
) -> None:
    assert queues(Settings(speakers=speakers, assemble=assemble)) == expected
