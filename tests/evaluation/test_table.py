"""Tables, character for character."""

import math
from dataclasses import asdict, replace
from textwrap import dedent

import pytest

from sparseembed.errors import ConfigError
from sparseembed.evaluation.significance import Comparison
from sparseembed.evaluation.table import COMPARISON_COLUMNS, Column, format_table, row_name

ROWS = [
    {
        "system": "bm25",
        "variant": "flat",
        "measures": {"nDCG@10": 0.6789, "R@100": 0.92533, "RR@10": 0.6},
        "query_encode_ms": 0,
        "search_ms": 1.234,
        "index_bytes": 5_250_000,
        "query_model_calls": 0,
    },
    {
        "system": "dense",
        "variant": "centred",
        "measures": {"nDCG@10": 0.36, "R@100": 0.7, "RR@10": 0.6},
        "query_encode_ms": 123.4,
        "search_ms": 0.0456,
        "index_bytes": 11_940_000,
        "query_model_calls": 300,
    },
    {"system": "sparse", "variant": "one-index", "measures": {"nDCG@10": 0.69}},
]


def against(row, baseline, difference, *, significant=True):
    return Comparison(row, baseline, "nDCG@10", difference, 0.001, 0.01, 1, 2, 3, significant)


COMPARISONS = [
    against("bm25 flat", "dense centred", 0.3),
    against("dense centred", "bm25 flat", -0.3),
    against("sparse one-index", "bm25 flat", 0.01),
    against("sparse one-index", "dense centred", 0.3),
]


def test_plain():
    assert format_table(ROWS) == dedent("""\
        system  variant    nDCG@10   R@100   RR@10  encode ms  search ms     size  model calls
        ------  ---------  -------  ------  ------  ---------  ---------  -------  -----------
        bm25    flat        0.6789  0.9253  0.6000          0       1.23  5.25 MB            0
        dense   centred     0.3600  0.7000  0.6000        123      0.046  11.9 MB          300
        sparse  one-index   0.6900       -       -          -          -        -            -""")


def test_plain_with_marks():
    columns = [Column("system", "system"), Column("nDCG@10", "nDCG@10", "figure"), Column("search_ms", "ms", "ms")]
    assert format_table(ROWS, columns, COMPARISONS) == dedent("""\
        system      nDCG@10     ms
        ------  -----------  -----
        bm25    0.6789 +d     1.23
        dense   0.3600 -b    0.046
        sparse  0.6900 +b+d      -

        significantly better (+) or worse (-) than +d -d: dense centred, +b -b: bm25 flat
        (paired sign-flip randomisation test, Holm-corrected over 3 tests, p < 0.05)""")


def test_markdown():
    columns = [
        Column("system", "system"),
        Column("nDCG@10", "nDCG@10", "figure"),
        Column("RR@10", "RR@10", "figure"),
        Column("index_bytes", "size", "bytes"),
    ]
    assert format_table(ROWS, columns, COMPARISONS, "markdown") == dedent("""\
        | system | nDCG@10 | RR@10 | size |
        | --- | ---: | ---: | ---: |
        | bm25 | 0.6789 <sup>+d</sup> | **0.6000** | 5.25 MB |
        | dense | 0.3600 <sup>-b</sup> | **0.6000** | 11.9 MB |
        | sparse | **0.6900** <sup>+b+d</sup> | - | - |

        significantly better (+) or worse (-) than +d -d: dense centred, +b -b: bm25 flat
        (paired sign-flip randomisation test, Holm-corrected over 3 tests, p < 0.05)""")


def test_no_mark_without_significance():
    quiet = [replace(comparison, significant=False) for comparison in COMPARISONS]
    text = format_table(ROWS, [Column("nDCG@10", "nDCG@10", "figure")], quiet)
    assert text.splitlines()[:3] == ["nDCG@10", "-------", " 0.6789"]
    assert "Holm-corrected over 3 tests" in text


def test_baselines_with_one_initial_get_different_letters():
    rows = [{"system": name, "measures": {"nDCG@10": 0.5}} for name in ("bm25", "bb", "b", "x")]
    tests = [against("x", name, 0.1) for name in ("bm25", "bb", "b")]
    text = format_table(rows, [Column("nDCG@10", "nDCG@10", "figure")], tests)
    assert "0.5000 +b+1+2" in text
    assert "+b -b: bm25, +1 -1: bb, +2 -2: b" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0004, "0.000"),
        (0.00456, "0.005"),
        (0.345, "0.345"),
        (0.9996, "1.00"),
        (9.999, "10.0"),
        (12.34, "12.3"),
        (99.95, "100"),
        (1234.5, "1,234"),
        (math.inf, "inf"),
        (math.nan, "nan"),
        (None, "-"),
    ],
)
def test_milliseconds(value, text):
    assert format_table([{"x": value}], [Column("x", "x", "ms")]).splitlines()[-1].strip() == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (12_345, "12.3 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (115_200_045, "115 MB"),
        (7_900_000_000, "7.90 GB"),
        (5e18, "5,000 PB"),
    ],
)
def test_bytes(value, text):
    assert format_table([{"x": value}], [Column("x", "x", "bytes")]).splitlines()[-1].strip() == text


def test_comparisons_as_a_table():
    small = replace(COMPARISONS[1], p_value=0.00001)
    assert format_table([asdict(small)], COMPARISON_COLUMNS) == dedent("""\
        row            against    measure  difference  better  worse  tied       p  p, corrected
        -------------  ---------  -------  ----------  ------  -----  ----  ------  ------------
        dense centred  bm25 flat  nDCG@10     -0.3000       1      2     3  <.0001        0.0100""")


def test_markdown_escapes_bars():
    assert format_table([{"x": "a|b"}], [Column("x", "x")], style="markdown").endswith("| a\\|b |")


def test_row_names():
    assert row_name({"system": "bm25", "variant": "flat"}) == "bm25 flat"
    assert row_name({"system": "bm25", "variant": ""}) == row_name({"system": "bm25"}) == "bm25"


def test_an_empty_table_has_a_head():
    assert format_table([], [Column("x", "title")]) == "title\n-----"


def test_mistakes():
    with pytest.raises(ConfigError, match="unknown table style 'latex'"):
        format_table(ROWS, style="latex")
    with pytest.raises(ConfigError, match="names the row 'bm25', which the table has not"):
        format_table(ROWS, comparisons=[against("sparse one-index", "bm25", 0.1)])
