"""The log as JSON: one object a line, for journald, Docker and whoever collects logs."""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, ClassVar, NoReturn

from rtseg.stream.sources.uri import redact


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON.

    The keys: ``time`` (RFC 3339, UTC, milliseconds), ``level``, ``logger``, ``message``; where
    there is one, ``event`` (one word for programs) with its ``values``, and ``exception`` (the
    traceback). Credentials in addresses are taken out of every text.
    """

    for_programs: ClassVar[bool] = True
    """What is else printed for people is a line of such a log (the page's address)."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if event := getattr(record, "event", None):
            line["event"] = str(event)
        if values := getattr(record, "values", None):
            line["values"] = plain(values)
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = redact("".join(traceback.format_exception(record.exc_info[1])))
        return json.dumps(line, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """Return what JSON can hold: numbers that are none become null, other things their text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        return plain(value.item())  # a number of numpy's
    return redact(str(value))


def log_as_json() -> None:
    """Let everything that goes to the log, warnings and failed threads too, be lines of JSON."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    threading.excepthook = _log_failed_thread


def _log_failed_thread(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is None:
        return
    name = failure.thread.name if failure.thread is not None else "a thread"
    error = failure.exc_value
    logging.getLogger("rtseg").critical(
        "%s failed: %s", name, error, exc_info=(type(error), error, error.__traceback__)
    )


class JsonParser(argparse.ArgumentParser):
    """A parser of the command line that tells what is wrong in one line of JSON."""

    def error(self, message: str) -> NoReturn:
        """Log the message and end with exit status 2."""
        log_failure(message, 2)
        sys.exit(2)


def log_failure(line: str, status: int, error: BaseException | None = None) -> None:
    """Log what ended the program, with the exit status that follows."""
    logging.getLogger("rtseg").log(
        logging.ERROR if error is None else logging.CRITICAL,
        "%s",
        line,
        exc_info=None if error is None else (type(error), error, error.__traceback__),
        extra={"event": "error", "values": {"status": status}},
    )
