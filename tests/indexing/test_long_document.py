"""A document of 20,000 words whose last sentence alone answers a query, with the default embedder."""

import json
import os
from pathlib import Path

import pytest

from sparseembed import Searcher, build_index
from sparseembed.cli import main
from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.resolve import open_corpus

pytestmark = [pytest.mark.jvm, pytest.mark.model, pytest.mark.usefixtures("silence")]
LAST = "Volcanoes erupt when molten rock rises from below and gas bubbles force it out."
BY_WORDS = "why do volcanoes erupt"
BY_MEANING = "lava cools"  # neither word stands anywhere in the document


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Build an index of entries of the Python documentation: one is very long, others have its query's words."""
    entries = [each for each in open_corpus("pydocs") if not {"magma", "lava"} & set(each.contents.lower().split())]
    words = " ".join(each.contents for each in entries[300:]).split()[:20_000]
    long = Document("long", "", f"{' '.join(words)}. {LAST}")
    hot = "Magma is molten rock under the ground, and lava is magma that has come out of a volcano."
    others = [Document("near", "", "Magma and lava cool to stone."), Document("hot", "", hot)]
    corpus = Corpus([*entries[:60], long, *others], "one long")
    folder = Path(os.environ.get("SPARSEEMBED_TEST_LONG") or tmp_path_factory.mktemp("long"))
    built = build_index(corpus, folder / "index", mix=0.5, least=1, carried=False, embeddings=folder / "embeddings")
    return built, long.contents


@pytest.mark.parametrize(("query", "by_words"), [(BY_WORDS, True), (BY_MEANING, False)])
def test_the_last_of_20_000_words_is_found_and_its_passage_shown(index, query, by_words, capsys):
    built, text = index
    assert built.manifest.counts["split"] == 1
    assert built.manifest.counts["cut"] == 0
    with Searcher.open(built.path) as searcher:
        hit = next(hit for hit in searcher.search(query, 5) if hit.id == "long")
        assert text[hit.passage.start : hit.passage.end] == hit.passage.text
        assert hit.passage.text.endswith(LAST)
        told = searcher.explain(query, "long")
        assert sum(term.score for term in told.terms) == told.score == hit.score
        assert by_words == any(term.origin == "literal" for term in told.terms)
        assert told.passage == hit.passage
    assert main(["search", str(built.path), query, "-k", "5", "--json"]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = next(each for each in shown if each["id"] == "long")
    assert found["passage"]["text"].endswith(LAST)
    assert text[found["passage"]["focus"] :].endswith(LAST)
    assert not by_words or text[found["passage"]["focus"] :] == LAST
    assert main(["explain", str(built.path), query, "long"]) == 0
    assert LAST in capsys.readouterr().out
