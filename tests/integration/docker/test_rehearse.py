"""The image's stages without an engine for containers: baked, then run without a network, rights or credentials."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.waiting import PATIENCE

SCRIPT = Path(__file__).parents[3] / "docker/rehearse.sh"


@pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv"))),
    reason="network namespaces need root, unshare and setpriv",
)
def test_a_baked_worker_speaks_alone_and_nothing_tries_to_leave():
    done = subprocess.run(
        ["bash", str(SCRIPT), sys.executable, "mei"], capture_output=True, text=True, timeout=PATIENCE
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "mei: " in done.stdout
    assert "refused: speaker nobody" in done.stdout
    assert done.stdout.endswith("== attempts to leave\nnone\n")
