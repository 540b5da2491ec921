"""Whether a table between tabs is quoted."""

import pytest

from sparseembed.data.records.quoting import is_quoted


@pytest.mark.parametrize(
    ("text", "header", "quoted"),
    [
        ('id\ttext\n1\t"say ""hi"""\n', True, True),
        ('1\t"say ""hi"""\n', False, True),
        ('id\ttext\n1\t"so" he said\n', True, False),
        ('id\ttext\n1\t"so he said\n2\tno\n', True, False),
        ('id\ttext\n1\t"two\nlines"\n', True, True),
        ('1\t"two\nlines"\n', False, True),
        ('id\ttext\n1\t"a\tb"\n', True, True),
        # As CSV these are one row of two lines; as they are, two rows. Programs that quote write a header.
        ('1\t"so he said\n2\tand she said"\n', False, False),
        ('id\ttext\n1\t"so he said\n2\tand she said"\n', True, True),
        ('id\ttext\n1\t"cut o', True, True),
        ('id\ttext\n1\t"two\nlines"\n2\t"cut\no', True, True),
        ("id\ttext\n1\ta\tb\n", True, False),
        ("id\ttext\n\n1\ta\n", True, True),
        ('"id"\t"text"\n1\t"a\tb\n', True, True),
        # One quoted name says nothing: other programs quote what they have to.
        ('"id"\ttext\n1\t"so" he said\n2\tno\n', True, False),
        ('"my" text\tid\nso\t1\n', True, False),
    ],
)
def test_by_hand(text, header, quoted):
    assert is_quoted(iter(text.splitlines(keepends=True)), 2, header) == quoted
