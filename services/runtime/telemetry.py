"""Logs people can search and numbers they can graph. A log line has allow-listed fields only: never a payload, address or name."""

import logging
import sys
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(namespace="offramp", registry=REGISTRY)

# What a process counts itself: the processes of a service add up.
RECORDS = Counter("offramp_records", "Records read, by what became of them", ["service", "topic", "disposition"], registry=REGISTRY)
BATCH_SECONDS = Histogram("offramp_batch_seconds", "One transaction over a batch", ["service", "topic"], registry=REGISTRY)
BATCH_RECORDS = Histogram(
    "offramp_batch_records", "Records in a batch", ["service", "topic"], buckets=(1, 5, 20, 100, 250, 500, 1000), registry=REGISTRY
)
LAG = Gauge("offramp_lag_records", "Records not applied yet, on partitions this process owns", ["service", "topic"], registry=REGISTRY)
DELAY = Gauge(
    "offramp_business_delay_seconds",
    "How long ago the newest applied record was appended, while there is lag",
    ["service", "topic"],
    registry=REGISTRY,
)
RETRIES = Counter(
    "offramp_outage_retries", "Work tried again because Kafka or Postgres did not answer", ["service", "loop"], registry=REGISTRY
)
RELAYED = Counter("offramp_relayed", "Outbox rows acknowledged by Kafka", ["service"], registry=REGISTRY)
TIMERS = Counter("offramp_timers_fired", "Timers fired", ["service"], registry=REGISTRY)
CALLS = Counter("offramp_calls", "Calls to the outside, by outcome", ["service", "kind", "outcome"], registry=REGISTRY)
CALL_SECONDS = Histogram("offramp_call_seconds", "One try of a call", ["service", "kind"], registry=REGISTRY)

# What is read from the tables when somebody asks: every process of a service says the same, so aggregate with max, never with sum.
INFO = Gauge("offramp_info", "Always 1: who runs, and by which clock", ["service", "clock"], registry=REGISTRY)
POSTGRES = Gauge("offramp_postgres_answers", "1 if the gauges of the tables could be read just now, else 0", ["service"], registry=REGISTRY)
UNREAD = Gauge(
    "offramp_unread_seconds",
    "How long ago a topic was last read to its end, all partitions; +Inf: never",
    ["service", "topic"],
    registry=REGISTRY,
)
OPEN_CALLS = Gauge("offramp_calls_open", "Calls to the outside that have no outcome yet", ["service"], registry=REGISTRY)
OUTBOX = Gauge("offramp_outbox_rows", "Rows waiting for the relay", ["service"], registry=REGISTRY)
OPEN_DEAD_LETTERS = Gauge("offramp_dead_letters_open", "Dead letters nobody has resolved", ["service", "reason"], registry=REGISTRY)
PARKED = Gauge("offramp_parked_records", "Records waiting for something not heard of yet", ["service"], registry=REGISTRY)
OVERDUE = Gauge("offramp_wake_overdue_seconds", "How late the oldest due timer is", ["service"], registry=REGISTRY)


@dataclass(frozen=True, slots=True)
class TableGauge:
    """A service's own number. `statement`, over `($1 business time)`, gives a row per series: the labels' values, then the number."""

    gauge: Gauge
    statement: str


FIELDS = frozenset({
    "event", "level", "timestamp", "logger", "service", "topic", "partition", "offset", "group", "subscription_id", "entity_id", "event_id",
    "event_type", "trace", "reason", "disposition", "records", "seconds", "kind", "call", "error", "exception", "loop", "what", "port",
    "attempt", "lag", "version", "applied", "duplicate", "conflict", "ignored", "parked", "dead", "setting",
})  # fmt: skip


def _allow_listed(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: value for name, value in event.items() if name in FIELDS}


class _Sparse(logging.Filter):
    """aiokafka repeats a missing topic or broker ten times a second: the same message once in ten seconds is enough."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to let it through."""
        now = time.monotonic()
        if now - self._last.get(str(record.msg), float("-inf")) < 10:
            return False
        self._last[str(record.msg)] = now
        return True


def configure(service: str, level: str) -> None:
    """JSON lines on standard error, one per event. Call once, at start."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _allow_listed,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Sparse())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shared[3:]],
            foreign_pre_chain=[*shared[:1], structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, shared[2]],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
