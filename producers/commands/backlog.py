"""``koebin backlog``: the waiting audio, for a person, a program or an autoscaler."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated, Any, Final

import typer
from redis import Redis, RedisError

from koebin.engine.errors import BackendMissing
from koebin.producers.commands.say import AsJson
from koebin.producers.console import clock, messages_for_mistakes, note, say, say_json
from koebin.tasks.broker.delayed_messages import count_delayed
from koebin.tasks.broker.unreadable_messages import count_unreadable
from koebin.tasks.connection import check, connect, outage
from koebin.tasks.jobs.backlog import assembling, backlog
from koebin.tasks.jobs.dead_letters import DeadLetters
from koebin.tasks.settings import load_settings

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


_BY_PRIORITY: Final = ("speaker", "priority")
_OF_SPEAKERS: Final = (
    ("koebin_backlog_work_seconds", "work_seconds", "Seconds that one worker would need for the backlog."),
    ("koebin_backlog_texts", "texts", "Single texts (koebin.synthesize) that wait or are being rendered."),
    ("koebin_speaker_processes", "children", "Processes that serve the speaker."),
    ("koebin_speaker_speed_factor", "speed_factor", "Audio seconds per second of one worker."),
)
_OF_ALL: Final = (
    ("koebin_backlog_assembling_jobs", "assembling", "Jobs that are being assembled or wait for it."),
    ("koebin_dead_letters", "dead", "Dead letters: segments that could not be spoken; see: koebin dead list."),
    ("koebin_parked_messages", "parked", "Unreadable messages; the last thousand are kept."),
    ("koebin_delayed_messages", "delayed", "Messages delayed for a retry."),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backlog")(show)


def show(
    as_json: AsJson = False,
    listen: Annotated[
        int,
        typer.Option(
            metavar="PORT", min=0, max=65535, help="Port to serve /metrics and /backlog.json on instead; 0: none."
        ),
    ] = 0,
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
) -> None:
    """Show the waiting audio of each speaker, in jobs and single texts that are planned, queued or being rendered."""
    with messages_for_mistakes():
        settings = load_settings()
        redis = connect(settings.broker_url.get_secret_value(), retries=0)
        check(redis, settings.masked_broker())
        if listen:
            _prometheus()
            note(f"serving /metrics and /backlog.json on {host}:{listen}")
            server(redis, host, listen).serve_forever()
        document = describe(redis)
        if as_json:
            say_json(document)
            return
        for name, waiting in document["speakers"].items():
            say(name, f"{clock(waiting['audio_seconds'])} of audio", f"{waiting['children']} processes")
        say(f"{document['assembling']} jobs are being assembled or wait for it")


def describe(redis: Redis) -> dict[str, Any]:
    """Backlog as JSON: ``speakers`` by name, the number of jobs that are ``assembling``, and problems.

    The problems are dead letters (``dead``), unreadable messages (``parked``) and messages that are delayed for a retry
    (``delayed``).
    """
    speakers = {
        name: {
            "audio_seconds": round(sum(waiting.audio_seconds.values()), 3),
            "work_seconds": round(waiting.work_seconds, 3),
            "by_priority": {str(priority): round(seconds, 3) for priority, seconds in waiting.audio_seconds.items()},
            "texts": waiting.texts,
            "children": waiting.children,
            "speed_factor": round(waiting.speed_factor, 3),
        }
        for name, waiting in backlog(redis).items()
    }
    return {
        "speakers": speakers,
        "assembling": assembling(redis),
        "dead": DeadLetters(redis).count(),
        "parked": count_unreadable(redis),
        "delayed": count_delayed(redis),
    }


def metrics(document: dict[str, Any]) -> str:
    """Backlog in Prometheus' text format.

    Raises:
        BackendMissing: the extra ``metrics`` is not installed.
    """
    prometheus = _prometheus()
    registry = prometheus.CollectorRegistry()

    def gauge(name: str, meaning: str, *labels: str) -> Any:
        return prometheus.Gauge(name, meaning, labels, registry=registry)

    waiting_audio = gauge(
        "koebin_backlog_audio_seconds", "Predicted seconds of audio that wait, by speaker and priority.", *_BY_PRIORITY
    )
    for name, waiting in document["speakers"].items():
        for priority, seconds in (waiting["by_priority"] or {"6": 0}).items():
            waiting_audio.labels(name, priority).set(seconds)
    for metric, key, meaning in _OF_SPEAKERS:
        family = gauge(metric, meaning, "speaker")
        for name, waiting in document["speakers"].items():
            family.labels(name).set(waiting[key])
    for metric, key, meaning in _OF_ALL:
        gauge(metric, meaning).set(document[key])
    text: bytes = prometheus.generate_latest(registry)
    return text.decode()


def _prometheus() -> Any:
    try:
        import prometheus_client
    except ImportError as error:
        raise BackendMissing("metrics need prometheus_client", "", "pip install 'koebin[metrics]'") from error
    return prometheus_client


def server(redis: Redis, host: str, port: int) -> ThreadingHTTPServer:
    """HTTP server that reads the ledgers for every request; 503 while Redis does not answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                status, content_type, body = self._answer()
            except RedisError as error:
                status, content_type, body = 503, _TEXT, f"{outage(error)}\n"
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _answer(self) -> tuple[int, str, str]:
            match self.path.partition("?")[0]:
                case "/metrics":
                    return 200, _TEXT, metrics(describe(redis))
                case "/backlog.json":
                    return 200, "application/json", json.dumps(describe(redis))
                case _:
                    return 404, _TEXT, "/metrics or /backlog.json\n"

        def log_message(self, *_: Any) -> None:
            """Log nothing: probes and scrapes are frequent."""

    return ThreadingHTTPServer((host, port), Handler)
