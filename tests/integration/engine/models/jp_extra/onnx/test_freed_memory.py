import sys
from pathlib import Path

import pytest

from koebin.engine.models.jp_extra.onnx.freed_memory import give_back


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told")
def test_what_was_freed_below_the_top_of_the_heap_is_given_back() -> None:
    """Blocks too small to be mapped one by one, with some between them that are kept."""
    blocks = [bytearray(60_000) for _ in range(2000)]
    kept = blocks[::50]
    del blocks
    before = resident_mib()
    give_back()
    assert resident_mib() < before - 80
    assert all(len(block) == 60_000 for block in kept)


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
