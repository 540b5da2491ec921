"""Where a corpus's embeddings are kept, and how they get there."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from sparseembed.data.corpus import Corpus, safe_name
from sparseembed.data.passages import OFF, Splitting
from sparseembed.data.sampling import stepped_places
from sparseembed.embedders.store import EmbeddingStore, Texts, encode_to_store
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.files import cache_folder, digest
from sparseembed.indexing.passages import PassagedStore, encode_passages
from sparseembed.pseudo.query_like import first_sentence, query_like

QUERY_SAMPLE = 512  # texts that the query side's adjustment is fitted on, at most


class EncodedCorpus(NamedTuple):
    """A corpus's embeddings.

    :param documents: The documents, encoded with the document prompt, in the corpus's order.
    :param query_like: Titles and first sentences of documents, encoded with the query prompt: queries and documents
        have different means and first components, and no real query is needed to know the queries'.
    """

    documents: PassagedStore
    query_like: EmbeddingStore


def embeddings_folder(corpus: Corpus, embedder: TransformerEmbedder, side: str = "document") -> Path:
    """Return where one side's embeddings of a corpus by an embedder are kept when the user names no place.

    It depends on where the corpus came from and not on its texts, so that a corpus that has changed is noticed.
    """
    of_corpus = f"{corpus.name}-{digest(corpus.identity)[:10]}"
    return cache_folder("embeddings", of_corpus, f"{embedder.spec.name}-{digest(embedder.identity(side))[:10]}")


def encode_corpus(
    corpus: Corpus,
    embedder: TransformerEmbedder,
    folder: Path | None = None,
    redo: bool = False,
    passages: str = OFF,
) -> EncodedCorpus:
    """Encode a corpus, or go on where an earlier run stopped, or reuse what it finished.

    :param corpus: The documents.
    :param embedder: By what.
    :param folder: Where to keep the embeddings; in the user's cache when None.
    :param redo: Encode anew where the folder holds embeddings of another version of the corpus or another embedder's.
    :param passages: How documents are split, see `Splitting.parse`.
    :return: The embeddings.
    :raises ConfigError: No such splitting.
    :raises DataError: The corpus has changed since it was encoded.
    :raises EmbedderError: The folder holds another embedder's vectors, or the model fails.
    :raises IndexFolderError: Another process encodes there, or the folder cannot be written.
    """
    of_documents = folder or embeddings_folder(corpus, embedder)
    documents = Texts(f"{corpus.name}, documents", corpus.fingerprint, corpus.ids, corpus.contents)
    return EncodedCorpus(
        encode_passages(of_documents / "documents", documents, embedder, Splitting.parse(passages), redo),
        encode_query_like(corpus, embedder, folder, redo),
    )


def encode_query_like(
    corpus: Corpus, embedder: TransformerEmbedder, folder: Path | None = None, redo: bool = False
) -> EmbeddingStore:
    """Encode texts that look like queries, with the query prompt; the parameters are those of `encode_corpus`."""
    sample = query_like_texts(corpus)
    texts = Texts(f"{corpus.name}, query-like texts", digest(sample), list(sample), list(sample.values()))
    kept = folder or embeddings_folder(corpus, embedder, "query")
    return encode_to_store(kept / "query-like", texts, embedder, "query", redo)


def encode_queries(
    corpus: Corpus, queries: Mapping[str, str], split: str, embedder: TransformerEmbedder, redo: bool = False
) -> EmbeddingStore:
    """Encode the queries of a split with the query prompt, once.

    :param corpus: The corpus that they belong to.
    :param queries: id -> text.
    :param split: Name of the split.
    :param embedder: By what.
    :param redo: As in `encode_corpus`.
    :return: Their embeddings, in the order of the queries.
    """
    folder = embeddings_folder(corpus, embedder, "query") / f"queries-{safe_name(split)}"
    texts = Texts(
        f"{corpus.name}, {split} queries", digest(list(queries.items())), list(queries), list(queries.values())
    )
    return encode_to_store(folder, texts, embedder, "query", redo)


def query_like_texts(corpus: Corpus) -> dict[str, str]:
    """Make texts that look like queries from an even sample of the documents.

    Of every other sampled document the title, of the rest (and where there is no title) the first sentence, at most 32
    words of either.

    :param corpus: The documents.
    :return: Document id -> text; at most 512, none blank.
    """
    places = stepped_places(len(corpus) - corpus.blanks, QUERY_SAMPLE)
    filled = (document for document in corpus if document.contents)
    return dict(query_like(islice(filled, 0, None, places.step), first_sentence))
