"""Calls of our own Java classes: static methods that take and give bytes, so that no Java object crosses."""

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sparseembed.errors import EngineError
from sparseembed.java.jvm import JAR, java, safe_text
from sparseembed.java.threads import call, post

_PACKAGE = "org.sparseembed"
_defining = threading.Lock()


def helper(name: str, method: str, *arguments: Any) -> Any:
    """Call a static method of one of our classes, in a thread of ours.

    :param name: The class, such as `Reader`.
    :param method: The method.
    :param arguments: bytes, numbers, strings or None.
    :return: What it gives: bytes for an array of bytes.
    :raises EngineError: Java cannot be started, or not in this process.
    :raises jnius.JavaException: The method failed; `java_errors` turns it into one line.
    """
    return call(_invoke, name, method, arguments)


def forget(name: str, handle: int | None) -> None:
    """Close an object of Java that nobody will use again: without waiting, and whatever comes of it.

    :param name: Its class.
    :param handle: Its number; nothing is done for None.
    """
    if handle is not None:
        post(lambda: _invoke(name, "close", (handle,)))


def _invoke(name: str, method: str, arguments: tuple[Any, ...]) -> Any:
    # Arrays are copied into Java once, and not back.
    result = getattr(_class(f"{_PACKAGE}.{name}"), method)(*arguments, pass_by_reference=False)
    return result.tostring() if hasattr(result, "tostring") else result


def _class(name: str) -> Any:
    """Give one of our classes; a machine that somebody else started does not have them on its path."""
    try:
        return java(name)
    except EngineError as error:
        if not isinstance(error.__cause__, Exception) or type(error.__cause__).__name__ != "JavaException":
            raise
    java("org.apache.lucene.index.IndexWriter")  # says it where Lucene is missing too
    from sparseembed.java.defining import define_classes

    with _defining:
        define_classes(JAR)
    return java(name)


def pack(strings: Iterable[str]) -> bytes:
    """Pack strings as Java's `Strings` reads them: int32 count, int32 end of each, their UTF-8 bytes.

    :param strings: Any strings; lone surrogates become U+FFFD.
    :return: The packed strings.
    :raises OverflowError: They take more than 2 GB.
    """
    listed = list(strings)
    try:
        encoded = [text.encode() for text in listed]
    except UnicodeEncodeError:
        encoded = [safe_text(text).encode() for text in listed]
    ends = np.cumsum(np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded)))
    if len(ends) and ends[-1] > 2**31 - 2**28:
        raise OverflowError("too many bytes for one block")
    return b"".join([np.int32(len(encoded)).tobytes(), ends.astype("<i4").tobytes(), *encoded])


def unpack(packed: bytes) -> list[str | None]:
    """Take apart what Java's `Strings.pack` made.

    :param packed: The packed strings.
    :return: The strings, None for null.
    """
    count = int(np.frombuffer(packed, "<i4", 1)[0])
    ends = np.frombuffer(packed, "<i4", count, 4).tolist()
    base = 4 + 4 * count
    strings: list[str | None] = []
    start = base
    for end in ends:
        strings.append(None if end < 0 else packed[start : base + end].decode())
        start = start if end < 0 else base + end
    return strings


def little(values: Sequence[int] | npt.NDArray[Any], dtype: str) -> bytes:
    """Give numbers as bytes, little-endian.

    :param values: The numbers.
    :param dtype: numpy's name of the type, such as `<i4`.
    :return: Their bytes.
    """
    return np.ascontiguousarray(values, dtype=dtype).tobytes()
