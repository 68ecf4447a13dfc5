"""Logging, set up in one place: one JSON object a line on standard output.

Every line has `at`, `level`, `program` and `event`; inside a unit of work it carries `correlation_id`, the
one id from a read at an antenna to the posting in the ERP. Code binds it with
`structlog.contextvars.bound_contextvars(correlation_id=...)`; lines of libraries go through the same pipe.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
from typing import Any

import msgspec
import structlog

_QUIET = {"uvicorn.access": logging.WARNING, "httpx": logging.WARNING, "amqtt": logging.WARNING,
          "transitions": logging.WARNING, "passlib": logging.ERROR, "pymodbus": logging.CRITICAL}  # fmt: skip


def set_up(program: str, level: str = "info") -> None:
    """Call once, first thing in a program."""

    def add_program(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("program", program)
        event.pop("color_message", None)  # uvicorn's, for terminals
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        add_program,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_json)],
        logger_factory=_Output,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)  # of the libraries
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level.upper())
    for name, quiet_level in _QUIET.items():
        logging.getLogger(name).setLevel(max(quiet_level, logging.root.level))


class _Output:
    """Standard output, a line at a time. A line that cannot be written (a full disk, a closed pipe) ends no work."""

    def __init__(self, *_: Any) -> None:
        self._stream, self._turn = sys.stdout.buffer, threading.Lock()

    def msg(self, line: bytes) -> None:
        with contextlib.suppress(OSError, ValueError), self._turn:
            self._stream.write(line + b"\n")
            self._stream.flush()

    debug = info = warning = error = exception = critical = msg


def _json(line: Any, **_: Any) -> bytes:
    try:
        return msgspec.json.encode(line, enc_hook=str)
    except (
        TypeError,
        ValueError,
    ):  # half of a pair of surrogates, a key that is no text, a date beyond the calendar
        return json.dumps(line, default=str, skipkeys=True).encode()
