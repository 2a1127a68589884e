"""Counters for Prometheus, served at /metrics where `TBD_METRICS=1` is set: no names, no contents, no addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

MEDIA_TYPE = CONTENT_TYPE_LATEST
_registry = CollectorRegistry()
ProcessCollector(registry=_registry)
_requests = Counter("tbd_http_requests", "HTTP answers.", ["status"], registry=_registry)
_analyses = Counter("tbd_analyses", "Analyses, by their verdict.", ["verdict"], registry=_registry)
_errors = Counter("tbd_errors", "Analyses that failed, by code.", ["code"], registry=_registry)
_queue = Gauge("tbd_queue_length", "Requests that wait for a free place.", registry=_registry)
_stages = Histogram(
    "tbd_stage_seconds",
    "Seconds of each stage of an analysis.",
    ["stage"],
    registry=_registry,
    buckets=(0.1, 0.3, 1, 3, 10, 30, 100),
)


def answered(status: int) -> None:
    """Counts an HTTP answer."""
    _requests.labels(str(status)).inc()


def judged(label: str, timings_s: Mapping[str, float]) -> None:
    """Counts an analysis that came to its end."""
    _analyses.labels(label).inc()
    for stage, seconds in timings_s.items():
        _stages.labels(stage).observe(seconds)


def failed(code: str) -> None:
    """Counts an analysis that did not."""
    _errors.labels(code).inc()


def watch_queue(length: Callable[[], float]) -> None:
    """The queue's length is asked for whenever the counters are read."""
    _queue.set_function(length)


def page() -> bytes:
    """All counters in Prometheus' text format."""
    return generate_latest(_registry)
