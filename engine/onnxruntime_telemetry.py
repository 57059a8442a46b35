"""Telemetry opt-out of ONNX Runtime.

ONNX Runtime's packages for Linux send the names and hashes of models, and errors, to their maker, unless this variable
is set before the library is first loaded (microsoft/onnxruntime#27379, #29843). The front end loads it, too.
"""

from __future__ import annotations

import os


def keep_private() -> None:
    """Switch the telemetry of ONNX Runtime off, whatever its present setting."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
