"""Write sparseembed/analyzers/english_tables.py: the word-break class of every code point in Lucene's tokenizer.

python benchmarks/analysis_tables.py

Lucene's tokenizer stays at the Unicode version it was generated from, so the classes are read from the tokenizer of the
installed Anserini and not from a library that follows newer versions of Unicode. The script needs Java.
"""

import re
import sys
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from script import status

from sparseembed.errors import EngineError
from sparseembed.java.jvm import java

TARGET = Path(__file__).parent.parent / "sparseembed" / "analyzers" / "english_tables.py"
TOKENIZER = "org.apache.lucene.analysis.standard.StandardTokenizerImpl"

# Letter of a class -> one member of each class of the tokenizer that belongs to it. The tokenizer also keeps ASCII
# digits apart from others and Hangul from other letters, to name the types of tokens; the tokens' ends do not depend on
# it.
MEMBERS = {
    "O": "\x00",
    "L": "a\uac00",
    "H": "\u05d0",
    "D": "\u24c2",
    "N": "0\u0660",
    "E": "_",
    "K": "\u30a2",
    "I": "\u6f22\u3042",
    "S": "\u0e01",
    "t": "\u0e31",
    "x": "\u0301",
    "z": "\u200d",
    "k": "\u20e3",
    "v": "\ufe0e",
    "V": "\ufe0f",
    "M": "\U0001f3fb",
    "g": "\U000e0041",
    "G": "\U000e007f",
    "C": "\U0001f600",
    "R": "\U0001f1e6",
    "b": "#",
    "q": '"',
    "s": "'",
    "m": ":",
    "c": ",",
    "p": ".",
}
HEAD = '''\
"""The word-break class of every code point, as Lucene's StandardTokenizer has it; `words.py` explains the classes.

Written by benchmarks/analysis_tables.py: do not edit.
"""

RUNS = """\\
'''


def main() -> int:
    """Write the module.

    :return: 0, or 2 for a user's mistake.
    """
    return status("analysis_tables", run)


def run() -> None:
    """Give the tokenizer's classes their letters, and write their runs in the order of code points."""
    numbers = list(class_numbers())
    letters = {numbers[ord(member)]: letter for letter, members in MEMBERS.items() for member in members}
    unknown = sorted(set(numbers) - set(letters))
    if unknown:
        raise EngineError(f"the tokenizer has classes without a member in MEMBERS: {unknown}")
    runs = "".join(f"{letter}{len(list(run))}" for letter, run in groupby(letters[number] for number in numbers))
    runs = re.sub(r"O\d+$", "", runs)
    # Lines may break between two runs only.
    lines = textwrap.wrap(re.sub(r"(?<=\d)(?=\D)", " ", runs), 119)
    TARGET.write_text(HEAD + "\n".join(lines) + '\n"""\n', encoding="utf-8")
    sys.stdout.write(f"{TARGET.name}: {len(runs)} characters\n")


def class_numbers() -> Iterator[int]:
    """Read the tokenizer's own classes.

    :return: The class of each code point, in order.
    """
    tokenizer = java(TOKENIZER)
    top, blocks = list(tokenizer.ZZ_CMAP_TOP), list(tokenizer.ZZ_CMAP_BLOCKS)
    for code in range(0x110000):
        yield blocks[top[code >> 8] | code & 0xFF]


if __name__ == "__main__":
    sys.exit(main())
