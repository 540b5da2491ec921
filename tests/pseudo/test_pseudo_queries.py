import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import ConfigError, DataError
from sparseembed.pseudo import queries as pseudo_module
from sparseembed.pseudo.folding import WordTable, squeeze, words_of
from sparseembed.pseudo.informative import TermWeights
from sparseembed.pseudo.pairs import Pair
from sparseembed.pseudo.queries import pseudo_pairs, sentence_pairs
from sparseembed.pseudo.sentences import split_sentences

SPLIT = [
    ("One is here. Two is there! Three? Four", ["One is here.", "Two is there!", "Three?", "Four"]),
    ("It grew 3.5 mm. 12 died.", ["It grew 3.5 mm.", "12 died."]),
    ("Use it, e.g. Here. See Fig. 3 of Smith et al. 2004 and J. Smith. End.", None),
    ("Dr. Who met Mrs. Green vs. Mr. Brown.", ["Dr. Who met Mrs. Green vs. Mr. Brown."]),
    ('He said "no." Then he left. (So it was.) Yes.', ['He said "no."', "Then he left.", "(So it was.)", "Yes."]),
    ("version 2. and later. Then", ["version 2. and later.", "Then"]),
    ("no capitals here . the next one . 3 more", ["no capitals here .", "the next one .", "3 more"]),
    ("a heading\n\nThe  first\nline", ["a heading", "The first line"]),
    ("你好。再见！好", ["你好。", "再见！", "好"]),
    ("Wait... What?! No…", ["Wait...", "What?!", "No…"]),
    ("www.example.com is U.S. Government", ["www.example.com is U.S. Government"]),
    (" \n ", []),
    ("", []),
]


@pytest.mark.parametrize(("text", "expected"), SPLIT)
def test_sentences(text, expected):
    if expected is None:
        expected = ["Use it, e.g. Here.", "See Fig. 3 of Smith et al. 2004 and J. Smith.", "End."]
    assert split_sentences(text) == expected


@given(st.text() | st.lists(st.sampled_from(["A", "b", ".", " ", "e.g.", "\n\n", "。", '"', "3"])).map("".join))
def test_sentences_lose_nothing(text):
    sentences = split_sentences(text)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(sentence and sentence == squeeze(sentence) for sentence in sentences)


def weights_of(texts):
    return TermWeights(WordTable.of(texts), range(len(texts)))


def test_key_terms_by_hand():
    others = [f"the filler{n} words" for n in range(17)]
    weights = weights_of(["the whale of 1999 eats krill krill", "a whale and krill", "a typo", *others])
    words = words_of("Typo: the whale of 1999 eats krill, krill ox")
    # "the" is too common, "of" and "ox" too short, 1999 no word; "eats" and "typo" stand in one text each.
    assert weights.key_terms(words, 2) == ["whale", "krill"]
    assert weights.key_terms(words, 3) == ["typo", "whale", "krill"]
    assert weights.key_terms(words, 9) == ["typo", "whale", "eats", "krill"]
    assert weights.key_terms([], 3) == []


def test_weight_of_a_sentence_by_hand():
    weights = weights_of(["a b", "a c", "a", "a"])
    assert weights.of_sentence(["a", "b", "b", "b"]) == pytest.approx((0.693147 + 1.609438) / 2, abs=1e-5)
    assert weights.of_sentence([]) == 0
    assert weights.of_sentence(["c"]) == weights.of_sentence(["unheard"]) == pytest.approx(1.609438, abs=1e-5)


def sentence_of(rng, words=9):
    # 26^4 words: no two texts are alike by chance.
    return " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=4)) for _ in range(words)).capitalize() + "."


def documents(count, sentences=4, title=True, seed=0):
    rng = random.Random(seed)
    return [
        Document(
            f"d{number}",
            f"Title {sentence_of(rng, 2)}" if title else "",
            " ".join(sentence_of(rng) for _ in range(sentences)),
        )
        for number in range(count)
    ]


def by_kind(pseudo):
    return {source.name: source.pairs for source in pseudo.train}


def test_pairs_of_each_kind_and_held_out_ones():
    docs = documents(150)
    pseudo = pseudo_pairs(Corpus(docs, "c"), 0)
    kinds = by_kind(pseudo)
    # A word of one text alone is a key term too, where there are no others.
    assert {kind: len(pairs) for kind, pairs in kinds.items()} == {"title": 120, "sentence": 120, "keyphrases": 120}
    held = set(pseudo.held_out_ids)
    trained = [document for document in docs if document.id not in held]
    assert kinds["title"] == tuple(Pair(document.title, document.text) for document in trained)
    asked = [document for document in docs if document.id in held]
    for place, (document, pair) in enumerate(zip(asked, pseudo.held_out, strict=True)):
        if place % 2 == 0:
            assert pair == Pair(document.title, document.text)
        else:
            assert pair.query in split_sentences(document.text)
            assert pair.query not in pair.positive
    assert pseudo.held_out_ids == [document.id for document in docs if document.id in held]
    assert len(held) == 30
    for document, pair in zip(trained, kinds["sentence"], strict=True):
        sentences = split_sentences(document.text)
        assert pair.query in sentences
        sentences.remove(pair.query)
        assert pair.positive == " ".join(sentences)
    for document, pair in zip(trained, kinds["keyphrases"], strict=True):
        assert pair.positive == document.text
        assert 3 <= len(pair.query.split()) <= 6
        assert set(pair.query.split()) <= set(words_of(document.text))


def test_held_out_documents_are_of_few_topics_and_drawn_by_seed():
    words = [sentence_of(random.Random(n), 12).lower().rstrip(".") for n in range(40)]
    docs = [
        Document(each.id, each.title, f"{each.text} {words[number % 40].capitalize()}.")
        for number, each in enumerate(documents(400))
    ]
    one, same, other = (pseudo_pairs(Corpus(docs, "c"), seed, 40) for seed in (1, 1, 2))
    assert one == same
    assert one.held_out_ids != other.held_out_ids
    assert len(one.held_out_ids) == 40
    topics = Counter(int(each[1:]) % 40 for each in one.held_out_ids)
    # 40 topics of 10 documents: 40 drawn one by one would be of some 25.
    assert len(topics) <= 10


def test_held_out_documents_of_a_large_corpus_come_from_all_of_it(monkeypatch):
    monkeypatch.setattr(pseudo_module, "POOL", 100)
    held = [int(each[1:]) for each in pseudo_pairs(Corpus(documents(300), "c"), 0, 60).held_out_ids]
    assert len(held) == 60
    assert min(held) < 30
    assert max(held) >= 270


def test_two_sentences_of_a_long_text():
    pairs = by_kind(pseudo_pairs(Corpus(documents(120, sentences=6), "c"), 0))["sentence"]
    assert len(pairs) == 2 * 96


def test_without_titles_a_sentence_is_the_held_out_query():
    docs = documents(120, title=False)
    pseudo = pseudo_pairs(Corpus(docs, "c"), 0)
    assert set(by_kind(pseudo)) == {"sentence", "keyphrases"}
    texts = {document.id: document.text for document in docs}
    for doc_id, pair in zip(pseudo.held_out_ids, pseudo.held_out, strict=True):
        assert pair.query in split_sentences(texts[doc_id])
        assert pair.query not in pair.positive


def test_one_sentence_with_a_title():
    assert set(by_kind(pseudo_pairs(Corpus(documents(120, sentences=1), "c"), 0))) == {"title"}


def test_a_shared_title_or_sentence_is_no_query():
    boilerplate = "All rights of this fine text are reserved by its many authors."
    docs = [
        Document(each.id, "Editorial" if number < 50 else each.title, f"{each.text} {boilerplate}")
        for number, each in enumerate(documents(150))
    ]
    pseudo = pseudo_pairs(Corpus(docs, "c"), 0)
    queries = [pair.query for source in pseudo.train for pair in source.pairs] + [p.query for p in pseudo.held_out]
    assert boilerplate not in queries
    assert "Editorial" not in queries
    assert len(by_kind(pseudo)["title"]) == 100 - sum(int(each[1:]) >= 50 for each in pseudo.held_out_ids)


def test_no_copy_of_a_held_out_document_is_trained_on():
    docs = documents(150)
    copies = [Document(f"copy{n}", d.title.upper(), d.text.replace(" ", "  -- ")) for n, d in enumerate(docs)]
    near = [Document(f"near{n}", d.title, " ".join([*d.text.split()[:-2], "other"])) for n, d in enumerate(docs)]
    plain = pseudo_pairs(Corpus(docs, "c"), 0)
    pseudo = pseudo_pairs(Corpus([*docs, *near, *copies], "c"), 0)
    assert pseudo.held_out_ids == plain.held_out_ids
    assert by_kind(pseudo)["title"] == by_kind(plain)["title"]
    held = [set(words_of(pair.positive)) for pair in pseudo.held_out]
    for source in pseudo.train:
        for pair in source.pairs:
            assert not any(len(words & set(words_of(pair.positive))) > 3 for words in held)


@pytest.mark.parametrize(
    "docs",
    [
        documents(1),
        documents(60),
        [Document(str(n), "", "the same text. And it is the same.") for n in range(500)],
        [Document(str(n), "", "word") for n in range(500)],
        [Document(str(n), "", f"line number {n} of it all") for n in range(500)],
        [Document(str(n), f"title {n}", "") for n in range(500)],
        [Document(str(n), "", " ") for n in range(200)],
        documents(500, sentences=1, title=False),
    ],
    ids=["one", "few", "equal", "word", "line", "no text", "blank", "a sentence each"],
)
def test_nothing_usable(docs):
    with pytest.raises(DataError) as caught:
        pseudo_pairs(Corpus(docs, "c"), 0)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("corpus c: too few pseudo-queries")
    assert f"its {len(docs)} documents" in message
    assert "a usable document has a text of at least 5 words" in message


def test_scripts_without_spaces():
    rng = random.Random(0)
    signs = [chr(0x4E00 + n) for n in range(3000)]
    docs = [
        Document(str(n), "", "。".join("".join(rng.sample(signs, 12)) for _ in range(4)) + "。") for n in range(120)
    ]
    kinds = by_kind(pseudo_pairs(Corpus(docs, "c"), 0))
    assert len(kinds["sentence"]) == 96
    assert len(words_of(kinds["sentence"][0].query)) == 12


@pytest.mark.parametrize(("seed", "held_out"), [(-1, 200), (0, 19)])
def test_settings_out_of_range(seed, held_out):
    with pytest.raises(ConfigError, match="hold out at least 20"):
        pseudo_pairs(Corpus(documents(1), "c"), seed, held_out)


def test_a_sentence_is_taken_out_of_its_text():
    made = documents(12)
    found = sentence_pairs(made, 100)
    assert list(found) == list(range(12))
    for number, pair in found.items():
        sentences = split_sentences(made[number].text)
        assert pair.query in sentences
        assert pair.positive == " ".join(each for each in sentences if each != pair.query)


def test_sentences_are_of_documents_spread_evenly_over_those_that_have_them():
    copies = [Document(f"c{n}", document.title, document.text) for n, document in enumerate(documents(2))]
    blank = [Document("e", "", ""), Document("f", "One", "A single sentence is of no use here at all.")]
    made = [*blank, *documents(10), *copies]
    assert list(sentence_pairs(made, 5)) == [2, 4, 6, 8, 10]
    assert list(sentence_pairs(made, 99)) == list(range(2, 12))
    assert sentence_pairs(blank, 5) == {}
