"""Messages: what is accepted, what is refused, and that a key belongs to its content."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import koebin.engine.errors
from koebin.engine.errors import InvalidMessage, KoebinError
from koebin.engine.options import SynthesisOptions
from koebin.engine.reading import Reading
from koebin.engine.text.dictionary import Dictionary
from koebin.tasks.contracts import (
    AssembleRequest,
    ChunkRequest,
    SegmentSpec,
    SynthesizeRequest,
    dump,
    parse,
    parse_json,
)
from koebin.tasks.segment_key import check_segment, plan_segment


def planned(text: str = "こんにちは。", **options: object) -> SegmentSpec:
    return plan_segment(
        text,
        "mei",
        SynthesisOptions(**options),  # type: ignore[arg-type]
        (Reading(0, 2, "コン"),),
        dictionary_revision="",
        model_revision="m1",
        engine_revision="e1",
    )


def request(segment: SegmentSpec) -> ChunkRequest:
    return ChunkRequest(
        job="j",
        chunk=0,
        speaker="mei",
        model_revision="m1",
        engine_revision="e1",
        store="file:///s",
        segments=(segment,),
    )


def test_a_message_survives_json() -> None:
    message = request(planned(speed=1.25, seed=7))
    received = parse(ChunkRequest, json.loads(message.model_dump_json()))
    assert received == message
    assert received.segments is not None
    check_segment(received.segments[0], received, Dictionary())


@pytest.mark.parametrize(
    "change", [{"text": "こんばんは。"}, {"options": {"speed": 2.0}}, {"readings": []}, {"key": "0" * 64}]
)
def test_a_tampered_segment_is_noticed(change: dict[str, object]) -> None:
    document = planned().model_dump() | change
    with pytest.raises(InvalidMessage, match="does not match"):
        check_segment(parse(SegmentSpec, document), request(planned()), Dictionary())


def test_only_differences_from_the_defaults_travel() -> None:
    assert planned(speed=1.0).options == {}
    assert planned(speed=2).options == {"speed": 2.0}
    assert planned(speed=2).key == planned(speed=2.0).key
    assert planned(pause=1.0).key == planned().key


@pytest.mark.parametrize("count", [21, 2001])
def test_a_message_holds_so_much_and_no_more(count: int) -> None:
    segment = planned("長" * (20_000 if count == 21 else 1)).model_dump()
    document = json.loads(request(planned()).model_dump_json())
    parse(ChunkRequest, document | {"segments": [segment] * (count - 1)})
    with pytest.raises(InvalidMessage):
        parse(ChunkRequest, document | {"segments": [segment] * count})


@pytest.mark.parametrize(
    ("model", "document"),
    [
        (ChunkRequest, {"version": 2}),
        (ChunkRequest, {**json.loads(request(planned()).model_dump_json()), "job": "../x"}),
        (ChunkRequest, {**json.loads(request(planned()).model_dump_json()), "speaker": "a/b"}),
        (ChunkRequest, {**json.loads(request(planned()).model_dump_json()), "extra": 1}),
        (AssembleRequest, {"job": "a b", "store": "file:///s"}),
        (SynthesizeRequest, {"text": "", "speaker": "mei", "store": "file:///s"}),
        (SynthesizeRequest, {"text": "あ" * 5001, "speaker": "mei", "store": "file:///s"}),
        (SynthesizeRequest, {"text": "あ", "speaker": "mei", "store": "file:///s", "options": {"sped": 1}}),
        (SynthesizeRequest, {"text": "あ", "speaker": "mei", "store": "file:///s", "options": {"speed": 0}}),
    ],
)
def test_what_breaks_the_contract_is_refused(model: type, document: object) -> None:
    with pytest.raises(KoebinError):
        parse(model, document)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(json_values)
def test_nothing_but_our_errors_comes_of_any_message(document: object) -> None:
    for model in (ChunkRequest, AssembleRequest, SynthesizeRequest, SegmentSpec):
        try:
            parse(model, document)
        except KoebinError:
            continue


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries(
        {"text": st.text(max_size=30), "speaker": st.text(max_size=10), "store": st.text(max_size=30)},
        optional={
            "options": st.dictionaries(
                st.sampled_from(["speed", "pitch", "style", "seed", "x"]), json_values, max_size=3
            ),
            "readings": st.lists(json_values, max_size=2),
            "format": st.text(max_size=5),
            "version": json_values,
        },
    )
)
def test_a_nearly_right_message_is_parsed_or_refused(document: dict[str, object]) -> None:
    try:
        parse(SynthesizeRequest, document)
    except KoebinError:
        return


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_refused(data: bytes) -> None:
    with pytest.raises(InvalidMessage):
        parse_json(ChunkRequest, data)


def test_a_document_keeps_what_it_says() -> None:
    assert parse_json(SegmentSpec, dump(planned(speed=1.5))) == planned(speed=1.5)


def every_error() -> list[type[KoebinError]]:
    found, todo = [], [KoebinError]
    while todo:
        kind = todo.pop()
        found.append(kind)
        todo += kind.__subclasses__()
    return [kind for kind in found if kind.__module__ == "koebin.engine.errors"]


@pytest.mark.parametrize("kind", every_error())
def test_every_error_survives_celery(kind: type[KoebinError]) -> None:
    """Celery rebuilds an error from its ``args`` as JSON carries them."""
    error = kind("what happened", "値", "do this", 3, 4)
    rebuilt = kind(*json.loads(json.dumps(error.args)))
    assert str(rebuilt) == str(error)
    assert rebuilt.line == 3
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert koebin.engine.errors.__doc__ is not None
    assert kind.__name__ in koebin.engine.errors.__doc__
