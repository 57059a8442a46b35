"""Spans by OpenTelemetry's SDK; imported only where ``KOEBIN_TRACES`` is set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from koebin.engine.errors import InvalidSettings

_NAME = "koebin"
_propagator = TraceContextTextMapPropagator()


def tracer(where: str, service: str) -> trace.Tracer:
    """Tracer whose spans go where ``KOEBIN_TRACES`` says.

    Raises:
        InvalidSettings: it says nothing of that kind, or the file cannot be written.
    """
    if where == "global":
        return trace.get_tracer(_NAME)
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if where == "otlp":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    elif where.startswith("file:///"):
        provider.add_span_processor(SimpleSpanProcessor(_file(Path(unquote(urlsplit(where).path)))))
    else:
        raise InvalidSettings("KOEBIN_TRACES: no such place", where, "Use otlp, global or file:///path")
    return provider.get_tracer(_NAME)


def _file(path: Path) -> ConsoleSpanExporter:
    """A line of JSON for each span; several processes may append to one file."""
    try:
        out = path.open("a", encoding="utf-8")
    except OSError as error:
        what = f"the file of KOEBIN_TRACES cannot be written ({error.strerror})"
        raise InvalidSettings(what, str(path), "Use otlp, global or file:///path") from error
    return ConsoleSpanExporter(out=out, formatter=lambda span: f"{span.to_json(indent=None)}\n")


@contextmanager
def started(tracer: trace.Tracer, name: str, parent: str, attributes: Mapping[str, str | int | float]) -> Iterator[str]:
    """A span for as long as the block runs; yields its ``traceparent``.

    Without a parent it goes on with what the embedding application does, if that makes spans itself.
    """
    context = _propagator.extract({"traceparent": parent}) if parent else None
    with tracer.start_as_current_span(
        name, context, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        try:
            yield carrier.get("traceparent", "")
        except BaseException as error:
            span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise
