"""The example of the engine inside an ordinary FastAPI application."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import numpy as np
import soundfile
from starlette.testclient import TestClient

EXAMPLE = Path(__file__).resolve().parents[4] / "examples" / "fastapi_app.py"


def test_the_example_speaks_and_streams() -> None:
    spec = importlib.util.spec_from_file_location("fastapi_app", EXAMPLE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = "こんにちは。お元気ですか。"
    with TestClient(module.app) as client:
        whole = client.get("/speak", params={"text": text})
        streamed = client.get("/stream", params={"text": text})
        refused = client.get("/speak", params={"text": "　"})
        late = client.get("/stream", params={"text": "　"})
    samples, rate = soundfile.read(io.BytesIO(whole.content), dtype="int16")
    parts = np.frombuffer(streamed.content, "<i2")
    assert int(streamed.headers["x-sample-rate"]) == rate
    assert len(parts) == len(samples)
    assert np.abs(parts.astype(int) - samples).max() <= 2
    assert (refused.status_code, late.status_code) == (400, 400)
