import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.errors import DataError
from sparseembed.pseudo.pairs import Pair, Source, fingerprint, read_sources

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(lambda text: text.strip())
PAIRS = st.lists(st.builds(Pair, TEXTS, TEXTS, st.none() | TEXTS), min_size=1, max_size=5)


def message_of(*paths):
    with pytest.raises(DataError) as caught:
        read_sources(paths)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@given(pairs=PAIRS)
def test_what_is_written_is_read_with_white_space_folded(tmp_path, pairs):
    records = [{k: v for k, v in pair._asdict().items() if v is not None} for pair in pairs]
    (source,) = read_sources([write(tmp_path / "a.jsonl", *records)])
    fold = lambda text: None if text is None else " ".join(text.split())  # noqa: E731
    assert source == Source("a", tuple(Pair(*map(fold, pair)) for pair in pairs))


def test_folders_and_files_by_name(tmp_path):
    folder = tmp_path / "pairs"
    folder.mkdir()
    line = '{"query": " one\\n two ", "positive": "\\ud800 x", "negative": null, "more": 1}\n\n'
    write(folder / "z.jsonl", {"query": "q", "positive": "p", "negative": "n"})
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(line.encode()))
    (folder / "notes.md").write_text("not read")
    other = write(tmp_path / "m.jsonl", {"query": "q", "positive": "p"})
    expected = [
        Source("b", (Pair("one two", "\ufffd x"),)),
        Source("m", (Pair("q", "p"),)),
        Source("z", (Pair("q", "p", "n"),)),
    ]
    assert read_sources([folder, other]) == expected
    assert read_sources([other, folder]) == expected


def test_files_of_one_name_have_their_folder_in_it(tmp_path):
    for name in ("y", "x"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "train.jsonl", {"query": name, "positive": "p"})
    sources = read_sources([tmp_path / "y", tmp_path / "x"])
    assert [(source.name, source.pairs[0].query) for source in sources] == [
        ("x/train.jsonl", "x"),
        ("y/train.jsonl", "y"),
    ]


BAD_LINES = [
    ("{", "broken JSON"),
    ("[" * 100_000, "JSON that cannot be read"),
    ('["q", "p"]', "a list and not a JSON object"),
    ('["a q", "p", "n", "m"]', "a list and not a JSON object"),
    ('["a q", 3]', "a list and not a JSON object"),
    ('{"positive": "p"}', 'no "query"'),
    ('{"query": "q"}', 'no "positive"'),
    ('{"query": "", "positive": "p"}', '"query" is empty: remove the line'),
    ('{"query": "q", "positive": " \\n"}', '"positive" is empty: remove the line'),
    ('{"query": "q", "positive": "p", "negative": " "}', '"negative" is empty: leave the field out'),
    ('{"query": 3, "positive": "p"}', '"query" is not a string'),
    ('{"query": "q", "positive": null}', '"positive" is not a string'),
    ('{"query": "q", "positive": [3]}', '"positive" is not a string'),
    ('{"query": "q", "positive": []}', '"positive" is empty: remove the line'),
    ('{"query": "q", "pos": ["p", " "]}', '"pos" is empty: remove the line'),
    ('{"query": ["q"], "positive": "p"}', '"query" is not a string'),
    ('{"query": "q", "positive": "p", "negative": [["n"]]}', '"negative" is not a string'),
    ('{"query": "q", "positive": "p", "neg": ["n", ""]}', '"neg" is empty: leave the field out'),
    ('{"query": "q", "positive_passages": [{"title": "t"}]}', '"positive_passages" is not a string'),
]


@pytest.mark.parametrize(("line", "problem"), BAD_LINES)
def test_bad_line_is_named(line, problem, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('\n{"query": "q", "positive": "p"}\n' + line + "\n")
    assert message_of(path).startswith(f"{path}:3: {problem}")


def test_no_file_and_empty_ones(tmp_path):
    assert message_of().startswith("no file of pairs")
    assert message_of(tmp_path).startswith(f"{tmp_path}: no *.jsonl")
    assert message_of(tmp_path / "none.jsonl") == f"{tmp_path / 'none.jsonl'}: no such file: check the path"
    (tmp_path / "empty.jsonl").write_text("\n \n")
    assert message_of(tmp_path).startswith(f"{tmp_path / 'empty.jsonl'}: no pairs in it")


def test_the_same_file_twice(tmp_path):
    path = write(tmp_path / "a.jsonl", {"query": "q", "positive": "p"})
    assert "given 2 times" in message_of(path, tmp_path)


def test_fingerprint_depends_on_every_text_and_its_place():
    a, b = Pair("ab", "c"), Pair("x", "y", "z")
    variants = [
        [Source("s", (a, b))],
        [Source("s", (b, a))],
        [Source("t", (a, b))],
        [Source("s", (a,)), Source("s", (b,))],
        [Source("s", (Pair("a", "bc"), b))],
        [Source("s", (Pair("ab", "c", ""), b))],
        [Source("s", (a, Pair("x", "y")))],
        [Source("s", (a,)), Source("t", (b,))],
        [Source("t", (b,)), Source("s", (a,))],
        [],
    ]
    prints = [fingerprint(sources) for sources in variants]
    assert len(set(prints)) == len(prints)
    assert fingerprint(variants[0]) == prints[0]
    assert all(len(value) == 64 for value in prints)
