"""The log: one JSON object a line on stderr, and never a text of a request."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LOGGERS = {
    "takeroot": logging.INFO,
    "opentelemetry": logging.WARNING,
    "uvicorn": logging.ERROR,  # its warnings are a line for every request that is no HTTP
    "grpc": logging.ERROR,
}


class JsonLines(logging.Formatter):
    """One JSON object a line; never a text of a request."""

    FIELDS = ("request_id", "method", "path", "status")

    def format(self, record: logging.LogRecord) -> str:
        """The record in JSON."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in self.FIELDS if hasattr(record, name)}
        return json.dumps(line, ensure_ascii=False)


@contextmanager
def logging_to_stderr() -> Iterator[None]:
    """Log in JSON on stderr inside the block."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    for name, level in LOGGERS.items():
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).removeHandler(handler)
            logging.getLogger(name).setLevel(level)
