"""Files of jobs that lie in S3: handed out in ranges, or by a redirect to a signed URL."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path

import pytest

from tests.servers.door import Door
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server
from tests.servers.worker import Worker


@pytest.mark.slow
def test_files_are_streamed_or_redirected_to(redis_server: RedisServer, s3_server: S3Server, tmp_path: Path) -> None:
    settings = s3_server.settings()
    store = settings.pop("store")
    with (
        Worker(redis_server.url, store, settings=settings),
        Door(redis_server.url, store, settings) as door,
        Door(redis_server.url, store, {**settings, "http_presign": 60}) as signing,
    ):
        job = door.ask("POST", "/v1/jobs", {"text": "バケツの中の声です。", "formats": ["flac"]}).json["id"]
        deadline = time.monotonic() + 150
        while (found := door.ask("GET", f"/v1/jobs/{job}").json)["state"] in ("RUNNING", "ASSEMBLING"):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        entry = next(file for file in found["files"] if file["format"] == "flac")
        whole = door.ask("GET", entry["url"])
        assert (whole.status, len(whole.body)) == (200, entry["bytes"])
        part = door.ask("GET", entry["url"], headers={"Range": "bytes=100-299"})
        assert (part.status, part.body) == (206, whole.body[100:300])
        moved = signing.ask("GET", entry["url"])
        assert moved.status == 307
        with urllib.request.urlopen(moved.headers["location"]) as answer:
            assert answer.read() == whole.body
        assert signing.ask("HEAD", entry["url"]).status == 200
        spoken = door.ask("POST", "/v1/audio/speech", {"input": "はい。", "voice": "mei", "response_format": "wav"})
        assert spoken.body.startswith(b"RIFF")
