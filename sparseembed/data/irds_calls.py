"""Calls into ir_datasets, without what it writes to the terminal and without its tracebacks."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sparseembed.errors import DataError
from sparseembed.extras import lacking
from sparseembed.text import one_line

_NO_BAR = "IR_DATASETS_DL_DISABLE_PBAR"


def registry() -> Any:
    """Give ir_datasets' registry of data sets.

    :return: The registry, which maps ids to data sets; an empty one if ir_datasets cannot be used.
    """
    return {} if import_problem() else sys.modules["ir_datasets"].registry


def import_problem() -> str:
    """Say why ir_datasets cannot be used.

    :return: The reason on one line; "" if it can be used.
    """
    try:
        import ir_datasets  # noqa: F401
    except ModuleNotFoundError as error:
        return str(lacking(error, "a collection of ir_datasets") or error)
    except (ImportError, OSError, RuntimeError) as error:  # it makes $IR_DATASETS_HOME, or looks for a home
        return one_line(error)
    return ""


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Send ir_datasets' messages to our logger (level INFO) and not to the terminal.

    A download's bar stays on a terminal.

    :return: A context that gives the list of the messages so far, each on one line.
    """
    messages: list[str] = []

    def swallow(record: logging.LogRecord) -> bool:
        messages.append(one_line(record.getMessage()))
        logging.getLogger("sparseembed").info("ir_datasets: %s", messages[-1])
        return False

    logger = logging.getLogger("ir_datasets")
    before = os.environ.get(_NO_BAR)
    logger.addFilter(swallow)
    if before is None and not sys.stderr.isatty():
        os.environ[_NO_BAR] = "true"
    try:
        yield messages
    finally:
        logger.removeFilter(swallow)
        if before is None:
            os.environ.pop(_NO_BAR, None)


@contextmanager
def fetching(dataset_id: str, by_hand: str) -> Iterator[None]:
    """Turn whatever ir_datasets raises while it fetches or reads files into one line that says what to do.

    :param dataset_id: What is being fetched.
    :param by_hand: How to get the files without ir_datasets' download.
    :return: A context to fetch in.
    :raises DataError: If anything goes wrong in the context.
    """
    with quiet() as messages:
        try:
            yield
        except DataError:
            raise
        # It lets errors of requests, zipfile, its parsers and the system through: no list of them would be complete.
        except Exception as error:
            # Where a file has to be asked for, ir_datasets logs how and then finds no file.
            advice = messages[-1] if messages and isinstance(error, FileNotFoundError) else by_hand
            reason = f"{type(error).__name__}; is there a network?"
            raise DataError(f"ir_datasets cannot get {dataset_id} ({reason}): {advice}") from error
