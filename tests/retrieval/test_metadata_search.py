"""Search by metadata: against scoring all documents, filtering them in plain Python, and sorting."""

import json
import operator
import pickle
import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparseembed import Searcher, build_index
from sparseembed.cli import main
from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.metadata import metadata_of
from sparseembed.engines import native_loading
from sparseembed.engines.base import Hit
from sparseembed.engines.registry import ENGINES
from sparseembed.errors import ConfigError
from sparseembed.index.filters import ANYTHING, Between, Filter, Word
from sparseembed.index.lucene_reader import LuceneReader
from sparseembed.index.snapshot import open_snapshot
from sparseembed.index.verify import verify_index
from sparseembed.indexing.shards import merge_indexes
from sparseembed.indexing.update import Index
from sparseembed.retrieval.nearest import Nearest

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
WORDS = [*("cat", "dog", "whale", "river", "water", "sand", "light", "sun"), *("earth", "green", "milk", "air", "fish")]
QUERIES = ["cat", "whale river sand", "milk zorblax", " ".join(WORDS), "d07 penguins", ""]
FIELDS = ["year", "lang", "tags", "open", "a.b"]
LONG = "x" * 300

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from([2**60, 2**60 + 1, float(2**60), 0.5, -0.5, 1e300, -(10**40)]),
    st.sampled_from(["de", "fr", "d", "2", "true", "", "é", LONG, LONG + "y"]),
)
metadata = st.dictionaries(st.sampled_from(FIELDS), st.one_of(scalars, st.lists(scalars, max_size=3)), max_size=4)
numbers = st.one_of(st.integers(-3, 4), st.sampled_from([2**60, float(2**60), 0.5, 1e400, 10**400, 0.49999]))
short = st.sampled_from(["de", "fr", "e", "2", "", "é"])
wanted = st.one_of(
    st.booleans(),
    numbers,
    st.sampled_from(["de", "fr", "2", "true", LONG, "nope"]),
    st.sampled_from(["de", "2", "0.5", "true", "-2"]).map(Word),
    st.just(ANYTHING),
    st.one_of(st.tuples(numbers, numbers), st.tuples(short, short)).map(lambda ends: Between(*sorted(ends))),
    numbers.map(lambda low: Between(low, None)),
    short.map(lambda high: Between(None, high)),
)
filters = st.one_of(
    st.builds(Filter, st.sampled_from(FIELDS), st.sampled_from(["=", "!="]), st.lists(wanted, min_size=1, max_size=3)),
    st.builds(
        Filter,
        st.sampled_from(FIELDS),
        st.sampled_from(["<", "<=", ">", ">="]),
        st.one_of(numbers, short, st.sampled_from(["1", "0.5", "de"]).map(Word)),
    ),
)


def kind(value):
    return "bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def alike(value, other):
    return kind(value) == kind(other) and value == other


def inside(value, low, high):
    return all(end is None or kind(end) == kind(value) for end in (low, high)) and (
        kind(value) != "bool" and (low is None or low <= value) and (high is None or value <= high)
    )


def equals(value, want):
    if want is ANYTHING:
        return True
    if isinstance(want, Between):
        return inside(value, *want)
    if isinstance(want, Word):
        return any(alike(value, each) for each in want.values())
    return alike(value, want)


def passes(found, condition):
    """Say whether a document meets a condition; plainly."""
    value = found.get(condition.field)
    values = [each for each in (value if isinstance(value, list) else [value]) if each is not None]
    if condition.operator in ("=", "!="):
        met = any(equals(each, want) for each in values for want in condition.value)
        return met == (condition.operator == "=")
    (end,) = condition.value
    if isinstance(end, Word):
        end = end.text if end.number() is None else end.number()
    compare = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[condition.operator]
    return any(kind(each) == kind(end) and kind(each) != "bool" and compare(each, end) for each in values)


def texts(count, metadata, first=0):
    return [
        Document(f"d{n:02d}", "", " ".join(WORDS[(n * step) % len(WORDS)] for step in range(1, 3 + n % 7)), each)
        for n, each in zip(range(first, first + count), metadata, strict=True)
    ]


@pytest.fixture(scope="module")
def model(tiny_model):
    """Return the embedder of all indexes."""
    from sparseembed.embedders.spec import EmbedderSpec
    from sparseembed.embedders.transformer import TransformerEmbedder

    return TransformerEmbedder(EmbedderSpec("tied", str(tiny_model("tied")), dtype="float32", device="cpu"))


def naively(all_hits, metadata, conditions, k):
    """Filter hits of all documents, and cut them."""
    kept = [hit for hit in all_hits if all(passes(metadata[hit.id], each) for each in conditions)]
    return [Hit(hit.id, hit.score, rank) for rank, hit in enumerate(kept[:k], 1)]


def made(path, model, chance):
    """Build an index of several segments with deletions; return the metadata of its live documents."""
    values = [1, 2, 2**60, 2**60 + 1, 0.5, "de", "fr", "2", "true", True, False, None, LONG, LONG + "y", ""]

    def some(count):
        return [
            {
                field: chance.choice([chance.choice(values), chance.sample(values, 2)])
                for field in FIELDS
                if chance.random() < 0.5
            }
            for _ in range(count)
        ]

    documents = texts(60, some(60))
    build_index(Corpus(documents, "many"), path, model, k=20)
    index = Index(path, model)
    late = [*texts(8, some(8), first=60), Document("blank", "", " ", {"year": 1})]
    index.add(late)
    gone = [f"d{n:02d}" for n in range(0, 68, 5)]
    index.delete(gone)
    index.replace(texts(3, some(3), first=61))
    with Searcher.open(path) as searcher:
        ids = [f"d{n:02d}" for n in range(68) if f"d{n:02d}" not in gone] + ["blank"]
        return {doc_id: dict(searcher.metadata(doc_id)) for doc_id in ids}


@pytest.fixture(scope="module")
def many(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "index"
    metadata = made(path, model, random.Random(4))
    searchers = {engine: Searcher.open(path, engine=engine) for engine in ENGINES}
    assert len(open_snapshot(path).segments) > 1
    yield path, searchers, metadata
    for searcher in searchers.values():
        searcher.close()


@pytest.fixture(params=["kernels", "numpy"])
def way(request, monkeypatch):
    """Run a test of the native engine with kernels and without."""
    if request.param == "numpy":
        monkeypatch.setattr(native_loading, "_state", native_loading._State())
        native_loading._state.usable = False
    return request.param


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(filters, min_size=1, max_size=3), st.sampled_from(QUERIES), st.sampled_from([1, 3, 10, 100]))
def test_hits_are_the_best_of_those_that_pass(many, way, conditions, query, k):
    _, searchers, metadata = many
    try:
        hits = {engine: searcher.search(query, k, filter=conditions) for engine, searcher in searchers.items()}
    except ConfigError as error:
        assert re.search("holds|empty|one of each|192 bytes", str(error)), error  # noqa: PT017
        return
    found = naively(searchers["exact"].search(query, 1000), metadata, conditions, k)
    assert hits == dict.fromkeys(ENGINES, found)
    for searcher in searchers.values():
        assert searcher.search_batch([query, *QUERIES], k, filter=conditions)[0] == found
        assert searcher.search_batch(QUERIES, k, 2, filter=conditions) == [
            searcher.search(each, k, filter=conditions) for each in QUERIES
        ]


def test_filters_change_nothing_for_other_searches(many):
    path, searchers, _ = many
    with Searcher.open(path, engine="exact") as fresh:
        for searcher in searchers.values():
            for query in QUERIES:
                before = searcher.search(query, 20)
                searcher.search(query, 20, filter="year=1")
                assert searcher.search(query, 20) == before == fresh.search(query, 20) == searcher.search(query, 20, [])


def test_lucene_s_documents_stand_in_the_order_of_the_segments(many):
    path, _, _ = many
    snapshot = open_snapshot(path)
    reader = LuceneReader(path / "lucene", snapshot.manifest.lucene["commit"])
    assert reader.ids() == snapshot.ids()
    reader.close()
    snapshot.close()


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(metadata, min_size=8, max_size=20), st.lists(metadata, min_size=1, max_size=9), st.data())
def test_made_collections_through_their_lives(model, tmp_path_factory, first, later, data):
    """Build, add, delete, compact: what is kept, and what is found, each time."""
    path = tmp_path_factory.mktemp("life") / "index"
    documents = texts(len(first), first)
    build_index(Corpus(documents, "made"), path, model, k=20, embeddings=path.parent / "embeddings")
    index, kept = Index(path, model), {each.id: each for each in documents}

    def check():
        assert verify_index(path) == []
        conditions = data.draw(filters)
        found = {}
        for engine in ENGINES:
            with Searcher.open(path, engine=engine) as searcher:
                hits = searcher.search(" ".join(WORDS), 1000)
                for hit in hits:
                    assert json.dumps(hit.metadata) == json.dumps(kept[hit.id].metadata)
                metadata = {each.id: each.metadata for each in kept.values()}
                try:
                    found[engine] = searcher.search(" ".join(WORDS), 9, filter=conditions)
                except ConfigError as error:
                    found[engine] = str(error)
                else:
                    assert found[engine] == naively(hits, metadata, [conditions], 9)
        assert found["native"] == found["lucene"] == found["exact"]

    check()
    more = texts(len(later), later, first=len(first))
    index.add(more)
    kept |= {each.id: each for each in more}
    check()
    gone = data.draw(st.lists(st.sampled_from(sorted(kept)), unique=True, max_size=5))
    index.delete(gone)
    kept = {doc_id: each for doc_id, each in kept.items() if doc_id not in gone}
    check()
    index.compact()
    check()


@pytest.mark.parametrize("asked", [{"feedback": True}, {"encoder": "full"}, {"encoder": "full", "feedback": True}])
def test_candidates_of_rescoring_pass_the_filter(many, model, monkeypatch, asked):
    """Rescoring with a filter is rescoring in an index that has only the documents that pass."""
    path, searchers, metadata = many
    for engine in ENGINES:
        with Searcher.open(path, engine=engine, rescore=7, embedder=model, **asked) as searcher:
            monkeypatch.setattr(searcher.rescorer, "feedback", 0.3 if "feedback" in asked else 0.0)
            for query in QUERIES:
                hits = searchers["exact"].search(query, 1000)
                passing = naively(hits, metadata, [Filter("lang", "!=", "de")], 1000)
                vector = searcher.rescorer.encode([query])[0]
                selection = searcher._view.selection('lang!="de"')
                near = Nearest(searcher._view.snapshot, searcher.rescorer._centre)
                others = naively(
                    [Hit(doc_id, -place, 0) for place, doc_id in enumerate(near.find(vector, 1000))],
                    metadata, [Filter("lang", "!=", "de")], 7,
                )  # fmt: skip
                assert near.find(vector, 7, selection) == [hit.id for hit in others]
                wanted = searcher.rescorer.ordered(passing, vector, 12, selection)
                assert searcher.search(query, 12, filter='lang!="de"') == wanted
                batch = searcher.search_batch(QUERIES, 12, filter='lang!="de"')[QUERIES.index(query)]
                assert [hit.id for hit in batch] == [hit.id for hit in wanted]
                for hit in wanted[:7]:
                    told = searcher.explain(query, hit.id, filter='lang!="de"')
                    assert (told.score, told.filtered) == (hit.score, False)
                    near_ones = {each.id for each in told.rescored.neighbours}
                    assert near_ones <= {each.id for each in (*passing, *others)}
                german = next(doc_id for doc_id, about in metadata.items() if about.get("lang") == "de")
                told = searcher.explain(query, german, filter='lang!="de"')
                assert (told.filtered, told.rescored) == (True, None)


def test_expanded_queries_and_fields_of_pieces_are_filtered(model, tmp_path):
    made = texts(40, [{"n": n} for n in range(40)])
    for terms in ("word+folded", "folded"):
        path = build_index(Corpus(made, "forty"), tmp_path / terms, model, terms, k=20).path
        for engine in ENGINES:
            with Searcher.open(path, engine=engine, expand=5, embedder=model) as searcher:
                for query in QUERIES:
                    every = [hit for hit in searcher.search(query, 1000) if 10 <= hit.metadata["n"] <= 20]
                    found = searcher.search(query, 1000, filter="n=10..20")
                    assert [hit[:2] for hit in found] == [hit[:2] for hit in every]


def test_scores_beyond_a_float_are_filtered_too(many):
    """Lucene sums in integers then; so do the native engine's wide kernels."""
    _, searchers, metadata = many
    query = dict.fromkeys(WORDS, 2**24 - 1)
    hits = {}
    for engine, searcher in searchers.items():
        selection = searcher._view.selection('lang!="de"')
        hits[engine] = searcher.engine.search(query, 9, selection)
    every = searchers["exact"].engine.search(query, 1000)
    assert hits == dict.fromkeys(ENGINES, naively(every, metadata, [Filter("lang", "!=", "de")], 9))
    assert hits["native"][0].score > 2**24


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("nope=1", r"no document of .* has that field; there are the fields lang, score, year"),
        ("year=x", r"'year' holds numbers, which x is not"),
        ('year="1"', r"'year' holds numbers"),
        ("year>x", r"'year' holds numbers, it compares text"),
        ("lang>=5", r'quotes, "5", to compare by spelling'),
        ("lang=1..2", r"'lang' holds text"),
        ("year=2..1", r"the range is empty"),
        ("year", "cannot be read"),
        ('lang>"' + "x" * 200 + '"', "at most 192 bytes"),
    ],
)
def test_filters_that_do_not_fit_are_told_in_one_line(model, tmp_path, capfd, condition, told):
    made = texts(9, [{"year": n, "lang": "de", "score": 0.5} for n in range(9)])
    path = build_index(Corpus(made, "nine"), tmp_path / "index", model, k=20).path
    with Searcher.open(path) as searcher, pytest.raises(ConfigError, match=told) as caught:
        searcher.search("cat", filter=["year>=0", condition])
    assert "\n" not in str(caught.value)
    assert main(["search", str(path), "cat", "--filter", condition]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert re.search(told, err)


def test_an_index_without_metadata_says_so_and_names_none(model, tmp_path, capfd):
    path = build_index(Corpus(texts(9, [{}] * 9), "nine"), tmp_path / "index", model, k=20).path
    with Searcher.open(path) as searcher:
        (hit, *_) = searcher.search("cat")
        assert type(hit) is Hit
        assert hit.metadata == searcher.metadata(hit.id) == {}
        with pytest.raises(ConfigError, match="no document has metadata"):
            searcher.search("cat", filter="year=1")
    assert "metadata" not in (path / "manifest.json").read_text()
    assert main(["search", str(path), "cat", "--json", "-q"]) == 0
    assert "metadata" not in capfd.readouterr().out


def test_metadata_added_later_is_found(model, tmp_path):
    path = build_index(Corpus(texts(20, [{}] * 20), "twenty"), tmp_path / "index", model, k=20).path
    searcher = Searcher.open(path)
    index = Index(path, model)
    index.add(texts(1, [{"year": 2019}], first=20))
    with pytest.raises(ConfigError, match="no document has metadata"):
        searcher.search(" ".join(WORDS), filter="year=2019")
    assert searcher.reload()
    assert [hit.id for hit in searcher.search(" ".join(WORDS), filter="year=2019")] == ["d20"]
    assert len(searcher.search(" ".join(WORDS), 100, filter="year!=2019")) == 20
    before = index.manifest
    assert index.add(texts(1, [{"year": 2019}], first=20)) == before  # it is there already
    index.replace(texts(1, [{"year": 2020}], first=20))
    assert searcher.search(" ".join(WORDS), 1)[0].id
    assert searcher.metadata("d20") == {"year": 2019}
    searcher.reload()
    assert searcher.metadata("d20") == {"year": 2020}
    searcher.close()


def test_a_corpus_whose_metadata_changed_is_another(model, tmp_path):
    def corpus(year):
        return Corpus(texts(9, [{"year": year}] * 9), "nine")

    first = build_index(corpus(2019), tmp_path / "index", model, k=20)
    assert build_index(corpus(2019), tmp_path / "index", model, k=20).reused
    with pytest.raises(Exception, match="metadata fingerprint"):
        build_index(corpus(2020), tmp_path / "index", model, k=20)
    calls = model.model_calls
    again = build_index(corpus(2020), tmp_path / "index", model, k=20, overwrite=True)
    assert (again.reused, model.model_calls) == (False, calls)  # no embedding is made anew
    assert again.manifest.build != first.manifest.build


def test_parts_merged_and_refitted_keep_metadata(model, tmp_path):
    documents = texts(30, [{"n": n, "tags": [n % 3, "x"]} if n % 4 else {} for n in range(30)])
    whole = build_index(Corpus(documents, "thirty"), tmp_path / "whole", model, k=20).path
    parts = []
    for number in (1, 2, 3):
        about = {"shard": f"{number}/3", "statistics": parts[0] if parts else None}
        parts.append(build_index(Corpus(documents, "thirty"), tmp_path / f"part{number}", model, k=20, **about).path)
    merge_indexes(parts, tmp_path / "merged")
    Index(whole, model).delete(["d03"])
    Index(whole, model).compact(refit=True)
    for path, missing in ((tmp_path / "merged", None), (whole, "d03")):
        assert verify_index(path) == []
        with Searcher.open(path) as searcher:
            for each in documents:
                if each.id != missing:
                    assert searcher.metadata(each.id) == each.metadata
            wanted = {f"d{n:02d}" for n in range(30) if n % 4 and n % 3 == 1} - {missing}
            assert {hit.id for hit in searcher.search(" ".join(WORDS), 99, filter="tags=1")} == wanted


def test_hits_can_be_sent_elsewhere(many):
    _, searchers, metadata = many
    hits = searchers["native"].search("cat", 5)
    sent = pickle.loads(pickle.dumps(hits))
    assert sent == hits
    assert [hit.metadata for hit in sent] == [metadata_of(metadata[hit.id]) for hit in hits]
    assert hits[0] == Hit(*hits[0])


def test_the_command_line(model, tmp_path, capfd):
    records = [
        {"_id": f"d{n}", "text": f"cat {WORDS[n]}", "metadata": {"url": f"http://x/{n}"}, "year": 2010 + n,
         "tags": ["a", "b" if n % 2 else "c"], "author": {"name": "É"}}
        for n in range(9)
    ]  # fmt: skip
    source, queries = tmp_path / "docs.jsonl", tmp_path / "queries.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    queries.write_text('{"_id": "d3", "text": "cat"}\n{"_id": "q", "text": "cat"}\n')
    path = build_index(source, tmp_path / "index", model, k=20).path

    def run(*words):
        capfd.readouterr()
        assert main([*map(str, words), "-q"]) == 0
        return capfd.readouterr().out

    found = [json.loads(line) for line in run("search", path, "cat", "--json", "--filter", "year>=2012", "--filter", "tags=b|x").splitlines()]  # fmt: skip  # noqa: E501
    assert {each["id"] for each in found} == {"d3", "d5", "d7"}
    for each in found:
        number = int(each["id"][1:])
        wanted = {"url": f"http://x/{number}", "year": 2010 + number, "tags": ["a", "b"], "author.name": "É"}
        assert each["metadata"] == wanted
    out = run("search", path, "cat", "--filter", "year=..2011", "--engine", "lucene")
    assert [line.split()[2] for line in out.splitlines()[1:]] == ["d0", "d1"]
    assert run("search", path, "cat", "--filter", "year>3000") == ""
    run("search", path, "--queries", queries, "--run", tmp_path / "run.trec", "-k", 2, "--filter", "year=2012..2014")
    lines = [line.split() for line in (tmp_path / "run.trec").read_text().splitlines()]
    assert {(line[0], line[2]) for line in lines} == {
        ("d3", "d2"),
        ("d3", "d4"),
        ("q", lines[2][2]),
        ("q", lines[3][2]),
    }
    assert {line[2] for line in lines} <= {"d2", "d3", "d4"}
    assert '"author.name": "É"' in run("explain", path, "cat", "d3")
    assert json.loads(run("explain", path, "cat", "d3", "--json"))["metadata"]["year"] == 2013
    for condition, kept in (("year=2013", True), ("year=2012", False)):
        told = run("explain", path, "cat", "d3", "--filter", condition)
        assert ("no hit: it does not meet the filter" in told) is not kept
        told = json.loads(run("explain", path, "cat", "d3", "--filter", condition, "--json"))
        assert told.get("filtered", False) is not kept
    run("export", path, "--to", "jsonl", "--out", tmp_path / "out")
    exported = [json.loads(line) for line in (tmp_path / "out" / "00000.jsonl").read_text().splitlines()]
    assert [each["metadata"]["year"] for each in exported] == list(range(2010, 2019))
    again = build_index(tmp_path / "out" / "00000.jsonl", tmp_path / "again", model, k=20).path
    with Searcher.open(again) as searcher:
        assert searcher.metadata("d3") == found[0]["metadata"] | {"url": "http://x/3", "year": 2013}
