"""Prometheus counters of the HTTP door."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """Requests by route and status, their times, and what waits in the door."""

    def __init__(self, waiting: Callable[[], int], sent: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "koebin_http_requests",
            "Requests by method, route and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "koebin_http_request_seconds",
            "Seconds until an answer was complete.",
            ["route"],
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
            registry=self.registry,
        )
        self._keys = Counter("koebin_http_key_requests", "Requests by key.", ["key"], registry=self.registry)
        gauge = Gauge(
            "koebin_http_parts", "Parts of texts: waiting here, with workers.", ["where"], registry=self.registry
        )
        gauge.labels("door").set_function(waiting)
        gauge.labels("workers").set_function(sent)

    def observe(self, method: str, route: str, status: int, seconds: float, key: str) -> None:
        """One answer. Routes, not paths: whoever guesses paths must not fill the memory."""
        method = method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS") else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if key:
            self._keys.labels(key).inc()
