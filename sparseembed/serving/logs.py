"""The log: one JSON object a line, without the texts of queries unless they are asked for."""

import json
import logging
import time
import traceback
from typing import Any

from sparseembed.progress import SilentReporter

LOGGER = logging.getLogger("sparseembed.serving")
_ENCODER = json.JSONEncoder(default=str)


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object.

    Of exceptions it tells the type and the places, and not the message, in which a query's text may stand.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{second}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage().strip(),
            "process": record.process,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"] = type(error).__name__
            frames = traceback.extract_tb(error.__traceback__)
            line["trace"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return _ENCODER.encode(line)


class LogReporter(SilentReporter):
    """Tells the news of long work, such as writes, in the log."""

    def note(self, text: str) -> None:
        """Take one line of news."""
        LOGGER.info(text)


def log_config(quiet: bool) -> dict[str, Any]:
    """Return the configuration of `logging` for a server's process.

    :param quiet: Whether failures only are told.
    """
    level = "ERROR" if quiet else "INFO"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": f"{__name__}.{JsonLines.__name__}"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "loggers": {
            name: {"handlers": ["stderr"], "level": level, "propagate": False} for name in (LOGGER.name, "uvicorn")
        },
    }


def log_request(fields: dict[str, Any]) -> None:
    """Tell of a request that was answered."""
    LOGGER.info("request", extra={"fields": fields})


def log_failure(event: str, error: BaseException) -> None:
    """Tell of what the server could not do, and where in the code."""
    LOGGER.error(event, exc_info=error)
