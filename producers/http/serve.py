"""The process of ``koebin serve``: uvicorn around the application."""

from __future__ import annotations

import ipaddress
import logging
import resource
import socket
from typing import Final

import uvicorn

from koebin.engine.errors import ConfigurationError, InvalidSettings
from koebin.producers.child_keeper import scratch
from koebin.producers.http.app import Application
from koebin.producers.http.connections import HEAD_SECONDS, Connection
from koebin.producers.http.door import Door
from koebin.tasks.settings import Settings

log = logging.getLogger(__name__)

_WANTED_FILES: Final = 65_536
_HEADER_BYTES: Final = 32 << 10


def serve(settings: Settings) -> None:
    """Serve until told to stop.

    Raises:
        InvalidSettings: other machines are listened to, and no keys are asked for.
        ConfigurationError: the address cannot be listened to; no temporary files can be made.
        BrokerUnavailable: the broker does not answer.
    """
    check_closed(settings)
    with scratch():  # uploads lie in files
        _serve(settings)


def _serve(settings: Settings) -> None:
    _allow_connections()
    door = Door(settings)
    app = Application(door)
    listener = _listen(settings.http_host, settings.http_port)
    if settings.metrics_port:
        from prometheus_client import start_http_server

        start_http_server(settings.metrics_port, settings.metrics_host, registry=app.metrics.registry)
    host, port = listener.getsockname()[:2]
    log.info("listens on http://%s:%d%s", host, port, "" if settings.http_keys else ", and asks for no key")
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=round(HEAD_SECONDS),
        timeout_graceful_shutdown=max(1, round(settings.grace_period)),
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )
    # uvicorn hands the lifespan to the application it is given; the gate lets it through.
    uvicorn.Server(config).run(sockets=[listener])


def check_closed(settings: Settings) -> None:
    """Raises: InvalidSettings: anybody on the network could speak without a key."""
    if settings.http_keys or settings.http_open or _is_loopback(settings.http_host):
        return
    raise InvalidSettings(
        "other machines would be listened to without keys",
        settings.http_host,
        "Set KOEBIN_HTTP_KEYS (koebin serve --new-key NAME), or KOEBIN_HTTP_OPEN=true if all of them may",
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"the address cannot be listened to ({error.strerror})", f"{host}:{port}", "Choose another KOEBIN_HTTP_PORT"
        ) from error
    listener.listen(2048)
    return listener


def _allow_connections() -> None:
    """A thousand idle clients are a thousand open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(_WANTED_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
