import sys
from pathlib import Path

import pytest

from engine.models.freed_memory import give_back, map_large_blocks


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told")
def test_what_was_freed_below_the_top_of_the_heap_is_given_back() -> None:
    """Blocks too small to be mapped one by one, with some between them that are kept."""
    blocks = [bytearray(60_000) for _ in range(2000)]
    kept = blocks[::50]
    del blocks
    before = _resident_mib()
    give_back()
    assert _resident_mib() < before - 80
    assert all(len(block) == 60_000 for block in kept)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told")
def test_a_large_block_goes_back_though_one_behind_it_is_kept() -> None:
    map_large_blocks()
    bytearray(2**24)  # glibc would take the size of what is freed as its limit
    before = _resident_mib()
    blocks = [bytearray(2**20) for _ in range(100)]
    kept = blocks[-1]
    assert _resident_mib() > before + 80
    del blocks
    assert _resident_mib() < before + 20
    assert len(kept) == 2**20


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
