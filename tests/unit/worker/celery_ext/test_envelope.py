"""Envelopes and admission of messages of every shape: nothing raises, and nothing of a wrong kind is run."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu.transport.virtual.base import Base64

from koebin.tasks.contracts import TASKS
from koebin.worker.celery_ext.admission import Hold, Run, judge
from koebin.worker.celery_ext.envelope import UNREADABLE, Message, read
from tests.integration.worker.hostile_messages import envelope

NOW = 1_800_000_000.0

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\ud800")
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


class Channel:
    """As much of kombu's as a message asks for."""

    codecs = {"base64": Base64()}  # noqa: RUF012 - as kombu has it

    def decode_body(self, body: str, encoding: str | None = None) -> Any:
        return self.codecs[encoding].decode(body) if encoding else body


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(
    parts=st.dictionaries(
        st.sampled_from(["body", "headers", "properties", "content-type", "content-encoding"]), values, max_size=2
    ),
    headers=st.dictionaries(
        st.sampled_from(
            ["task", "id", "eta", "expires", "timelimit", "retries", "group", "compression", "stamps", "shadow", "get"]
        ),
        values,
    ),
    properties=st.dictionaries(
        st.sampled_from(["priority", "delivery_tag", "delivery_info", "reply_to", "correlation_id", "body_encoding"]),
        values,
    ),
    links=st.dictionaries(st.sampled_from(["callbacks", "errbacks", "chain", "chord", "id"]), values),
)
def test_whatever_lies_in_a_list_is_judged(
    parts: dict[str, Any], headers: dict[str, Any], properties: dict[str, Any], links: dict[str, Any]
) -> None:
    laid = envelope("koebin.synthesize", {}, headers=headers, properties=properties, links=links) | parts
    raw = json.dumps(laid).encode()
    message = Message(json.loads(read(raw, "speaker.mei", "our-tag")), channel=Channel())
    assert message.delivery_tag == "our-tag"
    assert message.delivery_info["routing_key"] == "speaker.mei"
    assert 0 <= message.properties["priority"] <= 9
    verdict = judge(message, lambda: NOW)
    if isinstance(verdict, Run | Hold):
        assert verdict.headers["task"] in TASKS
        assert isinstance(verdict.headers["id"], str)
        assert verdict.headers["eta"] is None
        hard, soft = verdict.headers["timelimit"]
        assert soft is None
        assert hard is None or hard >= 10
        assert not {"shadow", "compression", "get"} & verdict.headers.keys()


@given(st.binary(max_size=300))
def test_bytes_become_something_that_can_be_set_aside(raw: bytes) -> None:
    payload = json.loads(read(raw, "speaker.mei", "our-tag"))
    assert payload["properties"]["delivery_tag"] == "our-tag"
    assert payload["content-type"] == UNREADABLE or json.loads(raw)["headers"] is not None
    base64.b64encode(payload["body"].encode())
