"""Twelve documents with metadata, and queries and judgements about them: what the other examples search."""

import sys
from pathlib import Path

from sparseembed import build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.transformer import TransformerEmbedder

TEXTS = {
    "whale": ("The blue whale", "A whale is no fish: it breathes air and feeds its young with milk.", "animals", 2019),
    "cat": ("Cats at home", "The cat sat on the mat, and the dog sat beside the cat.", "animals", 2021),
    "salmon": ("Salmon", "A fish that leaves the sea and swims up rivers to lay its eggs.", "animals", 2012),
    "bats": ("Bats in the dark", "Bats find insects by the echo of their own voices.", "animals", 2016),
    "leaf": ("Photosynthesis", "Green plants make sugar from light, water and carbon dioxide.", "plants", 2015),
    "oak": ("The oak", "An oak grows slowly, and its acorns feed pigs, jays and mice.", "plants", 2008),
    "river": ("Rivers", "Rivers carry water and sand from the mountains to the sea.", "earth", 2018),
    "tide": ("Tides", "The moon pulls at the sea: twice a day the water rises and falls.", "earth", 2020),
    "volcano": ("Volcanoes", "Melted rock rises from below the crust and flows as lava.", "earth", 2011),
    "sun": ("Sunlight", "The light of the sun takes eight minutes to reach the earth.", "sky", 2014),
    "eclipse": ("Eclipses", "The moon stands before the sun, and for minutes it is dark at noon.", "sky", 2017),
    "comet": ("Comets", "Dirty ice from far away, whose tail points away from the sun.", "sky", 2009),
}
QUERIES = {
    "q1": "which animal gives milk to its young",
    "q2": "how do green plants use light",
    "q3": "where does the sand of the sea come from",
    "q4": "why is it dark at noon",
    "q5": "how far away is the sun",
    "q6": "the moon and the water",
}
QRELS = {
    "q1": {"whale": 2, "cat": 0},
    "q2": {"leaf": 2, "sun": 1},
    "q3": {"river": 2},
    "q4": {"eclipse": 2},
    "q5": {"sun": 2, "comet": 1},
    "q6": {"tide": 2, "eclipse": 1},
}


def documents() -> list[Document]:
    """Return the documents."""
    return [
        Document(doc_id, title, text, {"topic": topic, "year": year})
        for doc_id, (title, text, topic, year) in TEXTS.items()
    ]


def embedder() -> TransformerEmbedder:
    """Return the embedder that the command line names; without one the default preset."""
    return load_embedder(sys.argv[1] if len(sys.argv) > 1 else None)


def index(folder: str | Path) -> Path:
    """Index the documents.

    :param folder: Where to.
    :return: The index's folder.
    """
    place = Path(folder)
    corpus = Corpus(documents(), "small")
    return build_index(corpus, place / "index", embedder(), k=256, embeddings=place / "embeddings").path
