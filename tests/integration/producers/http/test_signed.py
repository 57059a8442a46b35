"""A door of a deployment that signs its messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.door import Door
from tests.servers.redis import RedisServer
from tests.servers.worker import Worker

KEY = "first:" + "0123456789abcdef" * 2


@pytest.mark.slow
def test_signed_messages_are_taken_and_others_refused(redis_server: RedisServer, tmp_path: Path) -> None:
    store = (tmp_path / "store").as_uri()
    body = {"input": "署名のある文です。", "voice": "mei", "response_format": "wav"}
    with (
        Worker(redis_server.url, store, settings={"message_keys": KEY}),
        Door(redis_server.url, store, {"message_keys": KEY}) as door,
        Door(redis_server.url, store, {"http_patience": 5}) as stranger,
    ):
        assert door.ask("POST", "/v1/audio/speech", body).status == 200
        refused = stranger.ask("POST", "/v1/audio/speech", {**body, "input": "署名のない文です。"})
        assert (refused.status, refused.json["error"]["code"]) == (500, "not_signed")
