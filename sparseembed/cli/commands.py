"""The commands by name: what is told of each in a list, and the module that is imported only when it is called."""

from typing import NamedTuple


class Command(NamedTuple):
    """A command.

    :param module: Its module of `cli`.
    :param help: What it does, in a line.
    """

    module: str
    help: str


COMMANDS = {
    "index": Command("index", "encode a corpus and build its index"),
    "encode": Command("encode", "encode a corpus, and keep the embeddings"),
    "search": Command("search", "search an index"),
    "explain": Command("explain", "show why a document has its score"),
    "inspect": Command("inspect", "show a text's aligned tokens"),
    "add": Command("add", "add documents to an index, or replace some"),
    "delete": Command("delete", "delete documents from an index"),
    "compact": Command("compact", "merge an index's segments, or fit its statistics anew"),
    "merge": Command("merge", "join the parts of an index that were built apart"),
    "verify": Command("verify", "compare all files of an index, or of stored embeddings, with their checksums"),
    "export": Command("export", "bring an index's documents and impacts to another engine or form"),
    "push": Command("push", "copy an index or an adapter to s3://, gs://, hf:// or another URL"),
    "pull": Command("pull", "copy an index or an adapter from s3://, gs://, hf:// or another URL"),
    "serve": Command("serve", "answer searches over HTTP, on a page, and as tools for agents"),
    "demo": Command("demo", "try it on a built-in collection: type queries, see hits"),
    "fit-query-encoder": Command("fit_query_encoder", "fit an index's query encoders anew, also to queries of yours"),
    "query-encoders": Command(
        "query_encoders", "show what each query encoder of an index brings, and how long it takes here"
    ),
    "eval": Command("evaluate", "compare sparse retrieval with BM25, dense and fusions on a collection"),
    "analyze": Command("analyze", "tell whether an embedder aligns with its texts' tokens, and why"),
    "embedders": Command("embedders", "list the embedders that go by a name"),
    "adapt": Command("adapt", "adapt an embedder to a corpus, without queries or judgements"),
    "train": Command("train", "train an adapter of an embedder on text pairs"),
    "cache": Command("cache", "list and remove the embeddings and models that are kept"),
    "doctor": Command("doctor", "tell whether all that is needed is there, and how to mend what is not"),
    "completion": Command("completion", "print a script that completes commands in a shell"),
}
