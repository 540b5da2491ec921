"""Make collections of manual pages in other languages: texts of Debian's packages, queries and judgements of our own.

    python benchmarks/manpages/collect.py --out manpages
    python benchmarks/manpages/collect.py --out manpages --packages folder/with/debs de fr

Each language becomes a folder in BEIR's layout (manpages/manpages-de …). The packages come through `apt-get download`
and are unpacked by `dpkg-deb -x`; nothing of them is installed or run. A page is a document: its id is page and section
(`rm.1`), its title the line of its name, its text the beginning of what describes it, without the synopsis. The texts
are under their own licences and no part of this project; its queries and judgements (`queries/*.tsv`) are.

**It is a demonstration and no benchmark**: written for this project, with one or two pages judged a query.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from roff import sections

QUERIES = Path(__file__).parent / "queries"


class Language(NamedTuple):
    """What is taken of a language's pages.

    :param numbers: Sections of the manual.
    :param words: Words of a page, or characters where a language has no spaces.
    :param synopsis: What the section of the synopsis is called.
    """

    numbers: str
    words: int
    synopsis: tuple[str, ...]


LANGUAGES = {
    "de": Language("18", 150, ("ÜBERSICHT", "SYNTAX", "AUFRUF")),
    "fr": Language("18", 150, ("SYNOPSIS",)),
    "ja": Language("18", 300, ("書式", "書 式")),
    "ru": Language("124578", 150, ("СИНТАКСИС", "ОБЗОР")),
}


class Page(NamedTuple):
    """A manual page.

    :param id: Name and section.
    :param title: Its name, and what it is in a few words.
    :param text: What describes it.
    """

    id: str
    title: str
    text: str


def page_of(name: str, source: str, language: Language) -> Page | None:
    """Read a page; None where it has no description, or only leads to another page.

    :param name: Name and section.
    :param source: Its source.
    :param language: What is taken of it.
    """
    found = sections(source)
    if len(found) < 2 or source.lstrip().startswith(".so "):
        return None
    described = " ".join(text for heading, text in found[1:] if heading.upper() not in language.synopsis)
    words = described.split()
    spaced = len(described) < 12 * len(words)  # else a language without spaces
    text = " ".join(words[: language.words]) if spaced else described[: language.words]
    return Page(name, found[0][1], text) if found[0][1] and text else None


def pages(folder: Path, language: Language) -> Iterator[Page]:
    """Yield the pages of a language, by their names; links to other pages are left out.

    :param folder: `usr/share/man/XX` of an unpacked package.
    :param language: What is taken.
    """
    for number in language.numbers:
        for file in sorted((folder / f"man{number}").glob("*.gz")):
            if file.is_symlink() or not file.name.removesuffix(".gz").endswith(f".{number}"):
                continue
            source = gzip.decompress(file.read_bytes()).decode("utf-8", errors="replace")
            page = page_of(file.name.removesuffix(".gz"), source, language)
            if page is not None:
                yield page


def unpacked(code: str, packages: Path, folder: Path) -> Path:
    """Unpack the package of a language, and fetch it first where it is not there.

    :param code: The language.
    :param packages: Where .deb files are, or shall be.
    :param folder: Where to unpack.
    :return: The folder of its pages.
    """
    name = f"manpages-{code}"
    packages.mkdir(parents=True, exist_ok=True)
    if not list(packages.glob(f"{name}_*.deb")):
        subprocess.run(["apt-get", "download", name], cwd=packages, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["dpkg-deb", "-x", str(sorted(packages.glob(f"{name}_*.deb"))[-1]), str(folder)], check=True)
    return folder / "usr/share/man" / code


def queries_of(code: str) -> list[tuple[str, list[str]]]:
    """Return the queries of a language, each with the pages that answer it.

    :param code: The language.
    """
    lines = (QUERIES / f"{code}.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [(query, answers.split()) for query, answers in rows]


def write(code: str, found: Sequence[Page], folder: Path) -> tuple[int, list[str]]:
    """Write a collection in BEIR's layout.

    :param code: The language.
    :param found: Its pages.
    :param folder: Where.
    :return: How many queries it has, and what pages are judged and are not there.
    """
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    known = {page.id for page in found}
    rows = [({"_id": page.id, "title": page.title, "text": page.text}) for page in found]
    asked = [(f"{code}{number:02d}", *each) for number, each in enumerate(queries_of(code), 1)]
    _lines(folder / "corpus.jsonl", (json.dumps(row, ensure_ascii=False) for row in rows))
    _lines(
        folder / "queries.jsonl", (json.dumps({"_id": each[0], "text": each[1]}, ensure_ascii=False) for each in asked)
    )
    judged = [f"{each[0]}\t{answer}\t1" for each in asked for answer in each[2]]
    _lines(folder / "qrels" / "test.tsv", ["query-id\tcorpus-id\tscore", *judged])
    return len(asked), [answer for each in asked for answer in each[2] if answer not in known]


def _lines(file: Path, lines: Iterator[str] | Sequence[str]) -> None:
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def main() -> int:
    """Make the collections.

    :return: 0, or 1 where a page is judged that a package no longer has.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("languages", nargs="*", metavar="L", help=f"of {', '.join(LANGUAGES)} (default: all)")
    parser.add_argument("--out", type=Path, default=Path("manpages"), metavar="DIR", help="(default: manpages)")
    parser.add_argument(
        "--packages", type=Path, metavar="DIR", help="where .deb files are kept (default: DIR/packages)"
    )
    options = parser.parse_args()
    missing: list[str] = []
    for code in options.languages or LANGUAGES:
        with tempfile.TemporaryDirectory() as folder:
            packages = options.packages or options.out / "packages"
            found = list(pages(unpacked(code, packages, Path(folder)), LANGUAGES[code]))
        count, absent = write(code, found, options.out / f"manpages-{code}")
        sys.stderr.write(f"{code}: {len(found):,} pages, {count} queries\n")
        missing += [f"{code} {page}" for page in absent]
    if missing:
        sys.stderr.write(f"judged, and not in the packages: {', '.join(missing)}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
