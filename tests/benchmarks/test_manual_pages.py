"""Manual pages: roff to plain text, pages to a collection, and the queries of our own."""

import gzip
import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "manpages"))

import collect
from roff import arguments, plain, sections

PAGE = r"""
.\" a comment
.de Sh1
.ft B
hidden
..
.TH RM 1 "September 2022" "GNU coreutils" "Befehle"
.SH BEZEICHNUNG
rm \- Dateien oder Verzeichnisse entfernen
.SH ÜBERSICHT
\fBrm\fP [\fI\,OPTION\/\fP]… \fI\,DATEI\/\fP…
.SH "BESCHREIBUNG UND MEHR"
.ie n \{\
.  not shown
.\}
Diese \fBHand\fPbuch\%seite \(em \[u00FC]ber \(lqrm\(rq\&.
.TP
.BR \-r , " \-\-recursive"
.IP "\fB\-i\fR" 4
nachfragen
.UR https://example.org/
"""
MDOC = """.Dd May 1, 2021
.Sh NAME
.Nm scp
.Nd Sicheres Kopieren
.Sh BESCHREIBUNG
.Nm
kopiert mit
.Fl r
oder
.Xr ssh 1 .
"""


def test_a_page_in_man_becomes_sections_of_plain_text():
    assert sections(PAGE) == [
        ("BEZEICHNUNG", "rm - Dateien oder Verzeichnisse entfernen"),
        ("ÜBERSICHT", "rm [OPTION]… DATEI…"),
        (
            "BESCHREIBUNG UND MEHR",
            "Diese Handbuchseite — über “rm”. -r, --recursive -i nachfragen https://example.org/",
        ),
    ]


def test_a_page_in_mdoc_too():
    assert sections(MDOC) == [
        ("NAME", "scp Sicheres Kopieren"),
        ("BESCHREIBUNG", "kopiert mit -r oder ssh 1 ."),
    ]


def test_escapes_and_arguments():
    assert plain(r"a\-b\e\fBc\fR\s+2d\s0\*(lqe\*(rq\h'2m'f") == "a-b\\cd“e”f"
    assert arguments('one "two words" three') == ["one", "two words", "three"]


def test_pages_become_a_collection(tmp_path):
    folder = tmp_path / "man" / "man1"
    folder.mkdir(parents=True)
    for name, source in (("rm.1", PAGE), ("scp.1", MDOC), ("alias.1", ".so man1/rm.1\n"), ("empty.1", ".TH X 1\n")):
        (folder / f"{name}.gz").write_bytes(gzip.compress(source.encode()))
    (folder / "link.1.gz").symlink_to("rm.1.gz")
    found = list(collect.pages(tmp_path / "man", collect.LANGUAGES["de"]))
    assert [page.id for page in found] == ["rm.1", "scp.1"]
    assert found[0].text.startswith("Diese Handbuchseite")  # without the synopsis
    count, missing = collect.write("de", found, tmp_path / "out")
    assert count >= 30
    assert "rm.1" not in missing
    assert "df.1" in missing
    queries = [json.loads(line) for line in (tmp_path / "out" / "queries.jsonl").read_text().splitlines()]
    assert queries[0] == {"_id": "de01", "text": "wie lösche ich ein Verzeichnis samt Inhalt"}


def test_a_language_without_spaces_is_cut_by_characters():
    source = ".SH 名前\nrm \\- 削除\n.SH 説明\n" + "日本語の文章。" * 100
    page = collect.page_of("rm.1", source, collect.LANGUAGES["ja"])
    assert len(page.text) == collect.LANGUAGES["ja"].words


@pytest.mark.parametrize("code", collect.LANGUAGES)
def test_each_language_has_thirty_queries_with_pages(code):
    found = collect.queries_of(code)
    assert len({query for query, _ in found}) == len(found) >= 30
    for _, answers in found:
        assert answers
        assert len(set(answers)) == len(answers)
        assert all(answer.rpartition(".")[2] in collect.LANGUAGES[code].numbers for answer in answers)
