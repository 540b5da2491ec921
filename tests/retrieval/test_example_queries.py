"""The example queries of docs/commands.md find what a reader expects among the first three."""

from pathlib import Path

import pytest

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus
from sparseembed.data.resolve import open_corpus

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
WORDS = {"pick a random element from a list": "random.choice"}
MEANING = {"turn a list upside down": "list.reverse", "do nothing for a couple of seconds": "time.sleep"}
# What they could be mistaken for is all there; of the rest every so many entries are.
LIKE = ("list.", "random.", "time.", "queue.", "smtplib.SMTP.n", "pdb.Pdb.do_d", "bisect.", "heapq.", "sorted", "round")
EVERY = 30

pytestmark = [pytest.mark.model, pytest.mark.jvm, pytest.mark.usefixtures("silence")]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    documents = list(open_corpus("pydocs"))
    some = [each for number, each in enumerate(documents) if number % EVERY == 0 or each.id.startswith(LIKE)]
    folder = tmp_path_factory.mktemp("commands")
    return build_index(Corpus(some, "some of pydocs"), folder / "index", embeddings=folder / "embeddings").path


def first_three(path, query, **how):
    with Searcher.open(path, **how) as searcher:
        return [hit.id for hit in searcher.search(query, 3)]


@pytest.mark.parametrize("query", WORDS)
def test_words_alone_find_it(path, query):
    assert f'"{query}"' in PAGE
    assert WORDS[query] in first_three(path, query)
    assert WORDS[query] in first_three(path, query, feedback=True)


@pytest.mark.parametrize("query", MEANING)
def test_the_whole_model_finds_what_no_word_says(path, query):
    assert f'"{query}"' in PAGE
    assert MEANING[query] in first_three(path, query, encoder="full", feedback=True)
