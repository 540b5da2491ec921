"""Collections by their ir_datasets id, such as "beir/scifact", in short "scifact"."""

import itertools
from collections.abc import Collection as Container
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from sparseembed.data.collection import Collection
from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.irds_beir import BEIR, open_beir_zip
from sparseembed.data.irds_calls import fetching, quiet, registry
from sparseembed.data.qrels import Qrels
from sparseembed.errors import DataError
from sparseembed.text import clean_text, shown

_BLOCK = 1_000  # documents fetched at once
_KEPT = (str, int, float, date)  # types of fields that become metadata


def full_id(name: str) -> str | None:
    """Find the ir_datasets id that a name stands for.

    :param name: An id; "beir/" may be left out, and BEIR's set wins over another of the same name ("nfcorpus").
    :return: The id, or None if ir_datasets has none such or cannot be used.
    """
    with quiet():
        known = registry()
        for candidate in (BEIR + name, name):
            try:
                known[candidate]
            except KeyError:
                continue
            return candidate
    return None


def known_names() -> list[str]:
    """List the names that ir_datasets knows.

    :return: Its ids, and BEIR's also without "beir/"; empty if ir_datasets cannot be used.
    """
    with quiet():
        ids = list(registry())
    return [*ids, *(name.removeprefix(BEIR) for name in ids if name.startswith(BEIR))]


def open_irds(dataset_id: str) -> Collection:
    """Open a collection of ir_datasets, which downloads its files if they are not there.

    :param dataset_id: An id that `full_id` gave. One that ends in a split ("beir/scifact/test") has that split alone.
    :return: The collection; its identity is the id of the documents, the same for every split.
    :raises DataError: If the files can neither be found nor downloaded, or are wrong.
    """
    return open_beir_zip(dataset_id) if dataset_id.startswith(BEIR) else _open_other(dataset_id)


def _open_other(dataset_id: str) -> Collection:
    import ir_datasets

    with quiet():
        known = registry()
        if not known[dataset_id].has_docs():
            raise DataError(f"ir_datasets id {shown(dataset_id)} has no documents: name one of the sets under it")
        corpus_id = ir_datasets.docs_parent_id(dataset_id)
        splits = _split_ids(known, dataset_id, corpus_id)
    folder = ir_datasets.util.home_path() / dataset_id.split("/")[0]
    by_hand = f"open it once on a machine with a network, then copy its folder {folder} to the same place here"

    def load_qrels(split: str) -> Qrels:
        qrels: dict[str, dict[str, int]] = {}
        with fetching(dataset_id, by_hand):
            for judgement in known[splits[split]].qrels_iter():
                qrels.setdefault(str(judgement.query_id), {})[str(judgement.doc_id)] = int(judgement.relevance)
        return qrels

    def load_queries() -> dict[str, str]:
        queries: dict[str, str] = {}
        with fetching(dataset_id, by_hand):
            for name in splits.values():
                queries.update((str(row.query_id), clean_text(_text_of(row))) for row in known[name].queries_iter())
        return queries

    def documents() -> Iterator[Document]:
        with fetching(dataset_id, by_hand):
            rows = iter(known[dataset_id].docs_iter())
        while True:
            with fetching(dataset_id, by_hand):  # not around the yield: the caller's errors are its own
                block = list(_documents(itertools.islice(rows, _BLOCK)))
            if not block:
                return
            yield from block

    return Collection(Corpus(documents, corpus_id, f"ir_datasets:{corpus_id}"), tuple(splits), load_queries, load_qrels)


def _split_ids(known: Any, dataset_id: str, corpus_id: str) -> dict[str, str]:
    """Map splits to ids: the id itself if it has judgements, else those under it that judge the same documents."""
    if known[dataset_id].has_qrels():
        # An id that is corpus and judgements in one ("vaswani") has one split, which BEIR would call "test".
        return {"test" if dataset_id == corpus_id else dataset_id.rsplit("/", 1)[-1]: dataset_id}
    documents = known[dataset_id].docs_handler()
    splits = {}
    for name in known:
        if name.startswith(f"{dataset_id}/"):
            part = known[name]
            if part.has_qrels() and part.has_queries() and part.docs_handler() == documents:
                splits[name.removeprefix(f"{dataset_id}/")] = name
    return splits


def _documents(rows: Iterable[Any]) -> Iterator[Document]:
    for row in rows:
        title, text = getattr(row, "title", None), getattr(row, "text", None)
        if isinstance(title, str) and isinstance(text, str):
            yield Document(str(row.doc_id), title, text, _metadata_of(row, ("title", "text"), ""))
        else:
            contents = _text_of(row)
            yield Document(str(row.doc_id), "", contents, _metadata_of(row, (), contents))


def _metadata_of(row: Any, used: Container[str], contents: str) -> dict[str, Any]:
    """Give the other fields of a document, but for bytes, such as whole pages, and text that its contents hold."""
    fields = getattr(row, "_fields", ())[1:]
    found = {name: getattr(row, name) for name in fields if name not in used}
    return {name: value for name, value in found.items() if isinstance(value, _KEPT) and not _within(value, contents)}


def _within(value: Any, contents: str) -> bool:
    return isinstance(value, str) and value in contents


def _text_of(row: Any) -> str:
    """Give the text of a document or query: what ir_datasets says it is, else every string after the id."""
    if hasattr(row, "default_text"):
        return str(row.default_text() or "")
    if isinstance(text := getattr(row, "text", None), str):
        return text
    return " ".join(value for value in row[1:] if isinstance(value, str))
