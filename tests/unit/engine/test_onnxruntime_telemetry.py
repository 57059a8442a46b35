"""Libraries that would report to their makers do not."""

import subprocess
import sys

PROGRAM = """
import engine
from koebin.engine.text.frontend import analyze
analyze("何時でも。")
import onnxruntime, os, pathlib
maps = pathlib.Path("/proc/self/maps").read_text()
print("onnxruntime" in maps, os.environ["ORT_DISABLE_TELEMETRY"])
"""


def test_onnx_runtime_is_told_to_keep_quiet_before_it_is_loaded(tmp_path):
    environment = {"HOME": str(tmp_path), "PATH": "", "ORT_DISABLE_TELEMETRY": "0", "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60)

    assert done.stdout.split()[:2] == ["True", "1"], done.stderr
    # What it keeps to recognise the machine by.
    assert not list(tmp_path.iterdir())
    assert "telemetry" not in done.stderr.lower()
