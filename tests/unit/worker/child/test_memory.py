import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told")
@pytest.mark.parametrize(("told", "goes_back"), [("", False), ("map_large_blocks()", True)])
def test_a_large_block_goes_back_though_one_behind_it_is_kept(told: str, goes_back: bool) -> None:
    """In a process of its own: a heap that has holes already gives its holes first."""
    script = f"""
from koebin.worker.child.memory import map_large_blocks
from tests.integration.engine.models.jp_extra.onnx.test_freed_memory import resident_mib
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
