"""Trace context: what is none is left out, and without spans it is handed on as it came."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from koebin.engine.errors import InvalidSettings, InvalidText
from koebin.tasks import traces

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(traces, "_tracers", [provider.get_tracer("test")])
    return exporter


@pytest.mark.parametrize(
    "spoiled",
    ["", None, 5, ["00"], PARENT.upper(), PARENT + "\n", f"00-{'0' * 32}-b7ad6b7169203331-01", PARENT + "-more", "é"],
)
def test_what_is_no_traceparent_is_as_if_there_were_none(spoiled: object) -> None:
    assert traces.checked(spoiled) == ""
    with traces.span("x", spoiled):
        assert traces.headers() == {}


def test_without_spans_a_trace_is_handed_on_as_it_came() -> None:
    with traces.span("outer", PARENT), traces.span("inner"):
        assert traces.headers() == {"traceparent": PARENT}
    assert traces.current() == ""


def test_spans_are_children_of_what_they_were_given(exported: InMemorySpanExporter) -> None:
    with traces.span("outer", PARENT, size=3), traces.span("inner"):
        carried = traces.current()
    inner, outer = exported.get_finished_spans()
    assert outer.parent is not None
    assert inner.parent is not None
    assert f"{outer.parent.span_id:016x}" == PARENT.split("-")[2]
    assert inner.parent.span_id == outer.context.span_id
    assert carried == f"00-{inner.context.trace_id:032x}-{inner.context.span_id:016x}-01"
    assert outer.attributes == {"size": 3}


def test_an_error_is_named_without_its_text(exported: InMemorySpanExporter) -> None:
    with pytest.raises(InvalidText), traces.span("x"):
        raise InvalidText("秘密の文です")
    (span,) = exported.get_finished_spans()
    assert span.status.description == "InvalidText"
    assert not span.events
    assert "秘密" not in span.to_json()


@pytest.mark.parametrize("where", ["somewhere", "http://h/", "file:///no/such/folder/spans"])
def test_another_place_is_refused(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "_tracers", [])
    with pytest.raises(InvalidSettings):
        traces.set_up_traces(where, "test")
