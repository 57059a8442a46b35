"""A job that was planned and spoken before the modules moved: its messages, documents, keys and segments still hold.

``tests/golden/job_of_before`` was written by commit d0f8de8 with the voice of ``toy_voice``.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from koebin import JobOptions, Passage, Script
from koebin.tasks import celery_tasks, store_keys
from koebin.tasks.jobs.ledger import State
from koebin.tasks.jobs.outcome import stored_outcome
from koebin.tasks.jobs.recovery import enter
from koebin.tasks.jobs.submission import stored_manifest, submit
from koebin.tasks.stores.base import Store
from koebin.tasks.stores.uri import open_store
from tests.integration.toy_voice import TARGET, ToyVoice, toy_runtime

BEFORE = Path(__file__).parents[3] / "golden" / "job_of_before"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    folder = tmp_path / "store"
    shutil.copytree(BEFORE / "store", folder)
    manifest = folder / store_keys.manifest("before")
    manifest.write_text(manifest.read_text("utf-8").replace("file:///store", folder.as_uri()), "utf-8")
    return open_store(folder.as_uri())


def messages(store: Store) -> dict[str, Any]:
    text = (BEFORE / "messages.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text.replace("file:///store", store.uri))
    return found


def test_its_messages_find_every_segment_made(
    redis: Redis, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = toy_runtime(redis, tmp_path, [])
    asked: list[Any] = []
    monkeypatch.setattr(ToyVoice, "render", lambda _self, requests, *_: iter(asked.extend(requests) or ()))
    manifest = stored_manifest(store, "before")
    assert manifest is not None
    enter(redis, store, runtime.send, manifest)
    sent = messages(store)
    for message in sent["chunks"]:
        celery_tasks.synthesize_chunk.apply(args=[message["request"]], task_id=message["task_id"])
    entry = runtime.ledger.entry("before")
    assert (entry.reused, entry.rendered, asked) == (3, 0, [])
    for message in sent["assemble"]:
        celery_tasks.assemble.apply(args=[message["request"]], task_id=message["task_id"])
    outcome = stored_outcome(store, "before")
    assert outcome is not None
    assert outcome.state is State.SUCCEEDED
    programme = store.get(store_keys.output("before", "programme.flac"))
    assert hashlib.sha256(programme).hexdigest() == sent["sha256"]


def test_the_same_script_has_the_same_keys_and_messages_today(redis: Redis, store: Store, tmp_path: Path) -> None:
    """Under another job id in the same store: what a producer of today plans is what lies there."""
    script = Script(
        [
            Passage("一つ目の文です。二つ目の文です。", "mei", line=1),
            Passage("三つ目です。", "mei", line=2),
        ],
        title="前の仕事",
    )
    sent: list[Any] = []
    runtime = toy_runtime(redis, tmp_path, sent)
    submit(redis, store, runtime.send, "today", script, JobOptions(), {"mei": TARGET})
    then, now = (json.loads(store.get(store_keys.chunk(job, 0))) for job in ("before", "today"))
    assert now == then
    (message,) = sent
    (expected,) = messages(store)["chunks"]
    assert {**message.request, "job": "before"} == expected["request"]
    assert (message.task, message.queue, message.priority) == (
        expected["task"],
        expected["queue"],
        expected["priority"],
    )
