"""The formats of files of records, in the order in which they are tried; the content decides, and not the name."""

from collections.abc import Callable
from importlib.resources.abc import Traversable

from sparseembed.data.lines import located, read_lines
from sparseembed.data.records.arrow import open_arrow
from sparseembed.data.records.base import Records, Wants
from sparseembed.data.records.head import Head, read_head
from sparseembed.data.records.json_lines import open_json_lines
from sparseembed.data.records.json_values import open_json_values
from sparseembed.data.records.others import what_it_is
from sparseembed.data.records.tables import no_table, open_table
from sparseembed.errors import DataError
from sparseembed.text import one_line

# Each takes a file, its beginning and what is wanted of it, and returns None where the file is of another format.
FORMATS: tuple[Callable[[Traversable, Head, Wants], Records | None], ...] = (
    open_arrow,
    open_json_lines,
    open_json_values,
    open_table,
)


def open_records(source: Traversable, wants: Wants) -> Records:
    """Open a file of records.

    :param source: A file that can be read again, perhaps compressed.
    :param wants: What is wanted of it.
    :return: Its records.
    :raises DataError: It cannot be read, or is of no format that is known.
    """
    head = read_head(source)
    for open_format in FORMATS:
        records = open_format(source, head, wants)
        if records is not None:
            return records
    if told := what_it_is(head):
        raise DataError(f"{one_line(source)}: {told}")
    for _ in read_lines(source):  # what is no text at all is told of as such, by its line
        break
    raise located(source, 1, no_table(head, wants))
