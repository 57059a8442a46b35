import subprocess
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


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told")
@pytest.mark.parametrize(("told", "goes_back"), [("", False), ("map_large_blocks()", True)])
def test_a_large_block_goes_back_though_one_behind_it_is_kept(told: str, goes_back: bool) -> None:
    """In a process of its own: a heap that has holes already gives its holes first."""
    script = f"""
from koebin.engine.models.jp_extra.onnx.freed_memory import map_large_blocks
from tests.unit.engine.models.jp_extra.onnx.test_freed_memory import resident_mib
{told}
bytearray(2**24)  # glibc takes the size of what is freed as its limit
before = resident_mib()
blocks = [bytearray(2**22) for _ in range(25)]
kept = blocks[-1]
assert resident_mib() > before + 80
del blocks
print(resident_mib() < before + 20)
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == f"{goes_back}\n"


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
