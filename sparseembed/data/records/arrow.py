"""Parquet, Feather and Arrow files, read by pyarrow a batch at a time."""

import io
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import IO, Any

from sparseembed.data.lines import reading
from sparseembed.data.opening import Spool, open_bytes
from sparseembed.data.records.base import Place, Record, Wants
from sparseembed.data.records.head import Head
from sparseembed.errors import DataError
from sparseembed.extras import install_line
from sparseembed.text import one_line

ROWS = 1024  # rows that are held at once
_PARQUET, _FILE, _OLD_FEATHER, _STREAM = b"PAR1", b"ARROW1", b"FEA1", b"\xff\xff\xff\xff"
# What pyarrow raises for damage, beside errors of its own; a wrong length may ask for more memory than there is.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError)
_END = _STREAM + bytes(4)
_Batches = Callable[[Any, Any, list[str]], Iterator[Any]]


class ArrowRecords:
    """The rows of a file that pyarrow reads; a place is the number of a row, from 1."""

    def __init__(self, source: Traversable, wants: Wants, kind: str, schema: Any, batches: _Batches) -> None:
        """Take a file; its schema is read.

        :param source: The file.
        :param wants: The columns that are looked at.
        :param kind: What to call the format in messages.
        :param schema: Function that gives the schema of an open file.
        :param batches: Function that gives the batches of an open file.
        """
        self.source, self._kind, self._batches = source, kind, batches
        self._pyarrow = _library(source, kind)
        self._spool: Spool | None = None
        with self._open() as file:
            found = schema(self._pyarrow, file)
            self._names: list[str] = list(found.names)
        looked_at = {*wants.every, *(_others(self._pyarrow, found) if wants.rest else ())}
        self._wanted = [name for name in dict.fromkeys(self._names) if name in looked_at]
        for name in self._wanted:
            if self._names.count(name) > 1:
                raise DataError(f"{self}: the column {name!r} stands there twice: rename one of the two")

    def __iter__(self) -> Iterator[tuple[Place, Record]]:
        number = 0
        with self._open(lambda: f"row {number}" if number else "") as file:
            for batch in self._batches(self._pyarrow, file, self._wanted):
                for start in range(0, batch.num_rows, ROWS):
                    part = batch.slice(start, ROWS)
                    columns = [self._values(part.column(name)) for name in self._wanted]
                    for values in zip(*columns, strict=True) if columns else iter([()] * part.num_rows):
                        number += 1
                        yield number, dict(zip(self._wanted, values, strict=True))

    def _values(self, column: Any) -> list[Any]:
        values: list[Any] = column.to_pylist()
        nested = column.type.num_fields > 0 and _holds_bytes(self._pyarrow, column.type)
        return [_without_bytes(value) for value in values] if nested else values

    def nullable(self, place: Place) -> bool:
        """Take a null for an empty value."""
        return True

    def names(self, place: Place, record: Record) -> Collection[str]:
        """Give the names of all columns."""
        return self._names

    def located(self, place: Place, problem: str) -> DataError:
        """Make the error for a row."""
        return DataError(f"{self}, row {place}: {problem}")

    def at(self, place: Place) -> str:
        """Say "in row 3"."""
        return f"in row {place}"

    def __str__(self) -> str:
        return one_line(self.source)

    @contextmanager
    def _open(self, done: Callable[[], str] = str) -> Iterator[IO[bytes]]:
        """Open the file, unpacked into a temporary one if it is compressed, since its end is read first."""
        try:
            with ExitStack() as stack:
                yield self._file(stack)
        except (self._pyarrow.ArrowException, *_DAMAGE) as error:
            where = f" after {done()}" if done() else ""
            problem = one_line(str(error).partition("\n")[0])[:200] or type(error).__name__
            raise DataError(
                f"{self}: {self._kind} that cannot be read{where} ({problem}): check that the file is complete"
            ) from None

    def _file(self, stack: ExitStack) -> Any:
        if self._spool is None:
            if isinstance(self.source, Path | Spool) and not _packed(self.source):
                return stack.enter_context(self.source.open("rb"))
            with reading(self.source) as stream:
                self._spool = Spool(str(self.source)).fill(stream)
        return stack.enter_context(self._spool.open())


def open_arrow(source: Traversable, head: Head, wants: Wants) -> ArrowRecords | None:
    """Open a Parquet, Feather or Arrow file, which their first bytes tell."""
    if head.raw.startswith(_PARQUET):
        return ArrowRecords(source, wants, "Parquet", _parquet_schema, _parquet_batches)
    if head.raw.startswith(_FILE):
        return ArrowRecords(source, wants, "an Arrow file", _file_schema, _file_batches)
    if head.raw.startswith(_STREAM):
        return ArrowRecords(source, wants, "an Arrow stream", _stream_schema, _stream_batches)
    if head.raw.startswith(_OLD_FEATHER):
        raise DataError(f"{one_line(source)}: Feather of version 1: write it anew in version 2, or as Parquet")
    return None


def is_arrow(head: Head) -> bool:
    """Tell whether a file is one that `open_arrow` takes."""
    return head.raw.startswith((_PARQUET, _FILE, _STREAM, _OLD_FEATHER))


def _packed(source: Traversable) -> bool:
    with ExitStack() as stack:
        return open_bytes(source, stack).read(4) != stack.enter_context(source.open("rb")).read(4)


def _library(source: Traversable, kind: str) -> Any:
    try:
        for module in ("pyarrow.ipc", "pyarrow.parquet"):
            import_module(module)
        return import_module("pyarrow")
    except ImportError:
        raise DataError(f"{one_line(source)}: {kind}, which needs a package: {install_line('files')}") from None


def _others(pyarrow: Any, schema: Any) -> set[str]:
    """Return the columns of a file that are neither bytes nor the numbers of rows that pandas adds."""
    return {
        field.name
        for field in schema
        if not (
            field.name.startswith("__index_level_")
            or (field.type.num_fields == 0 and _holds_bytes(pyarrow, field.type))
        )
    }


def _holds_bytes(pyarrow: Any, kind: Any) -> bool:
    """Tell whether values of a type are bytes, or have some in them, as the images of `datasets` do."""
    types = pyarrow.types
    if isinstance(kind, pyarrow.BaseExtensionType):  # such as UUIDs, which are no bytes in Python
        return False
    if types.is_dictionary(kind):
        return _holds_bytes(pyarrow, kind.value_type)
    binary = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
    fields = range(kind.num_fields)
    return any(is_kind(kind) for is_kind in binary) or any(_holds_bytes(pyarrow, kind.field(n).type) for n in fields)


def _without_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_bytes(each) for name, each in value.items() if not isinstance(each, bytes)}
    if isinstance(value, list | tuple):
        return [_without_bytes(each) for each in value if not isinstance(each, bytes)]
    return value


def _parquet_schema(pyarrow: Any, file: IO[bytes]) -> Any:
    return pyarrow.parquet.ParquetFile(file).schema_arrow


def _parquet_batches(pyarrow: Any, file: IO[bytes], names: list[str]) -> Iterator[Any]:
    opened = pyarrow.parquet.ParquetFile(file, page_checksum_verification=True)
    yield from opened.iter_batches(ROWS, columns=names, use_threads=False)


def _file_schema(pyarrow: Any, file: IO[bytes]) -> Any:
    return pyarrow.ipc.open_file(file).schema


def _file_batches(pyarrow: Any, file: IO[bytes], names: list[str]) -> Iterator[Any]:
    reader = pyarrow.ipc.open_file(file)
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        batch.validate(full=True)
        yield batch


def _stream_schema(pyarrow: Any, file: IO[bytes]) -> Any:
    return pyarrow.ipc.open_stream(file).schema


def _stream_batches(pyarrow: Any, file: IO[bytes], names: list[str]) -> Iterator[Any]:
    for batch in pyarrow.ipc.open_stream(file):
        batch.validate(full=True)
        yield batch
    file.seek(-len(_END), io.SEEK_END)
    if file.read() != _END:  # pyarrow takes a stream that ends between two batches for a whole one
        raise EOFError("the stream has no end mark")
