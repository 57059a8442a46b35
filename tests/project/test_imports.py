"""Imports of a producer are light."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "torch",
    "numpy",
    "onnxruntime",
    "onnx",
    "pyopenjtalk",
    "transformers",
    "soundfile",
    "boto3",
    "huggingface_hub",
    "av",
    "prometheus_client",
    "tenacity",
)


def test_the_client_needs_no_engine() -> None:
    code = f"import koebin.producers.client, sys; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_line_starts_without_them_too() -> None:
    code = f"import koebin.producers.cli, sys; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
